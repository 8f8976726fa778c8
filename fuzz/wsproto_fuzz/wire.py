"""Frames as a tester needs them: short names for right ones, what the format itself forbids, and a lenient reader.

``wsproto_core.frames.Frame`` is already a frame with every bit free and its length in any size. What it has no room for
is here: a length that lies (:class:`RawFrame`) and a frame that stops in the middle (:class:`Part`). Frames are written
without a mask; who sends them masks them or not, by the side that it plays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from wsproto_core import is_wire_code
from wsproto_core.frames import Frame, Opcode, parse_frames

__all__ = [
    "PART_MASK",
    "CloseContent",
    "FrameReader",
    "Part",
    "RawFrame",
    "Sendable",
    "binary",
    "close",
    "close_fault",
    "close_payload",
    "continuation",
    "encode",
    "frame_size",
    "parse_close",
    "ping",
    "pong",
    "text",
]

#: The key of frames that are sent in parts, so that all parts of one frame agree.
PART_MASK: Final = bytes.fromhex("37fa213d")

_MARKERS: Final = {0: 0, 2: 126, 8: 127}


@dataclass(frozen=True, slots=True)
class RawFrame(Frame):
    """A frame whose header may claim another payload size than it has.

    ``length_size`` is then the room for the claim: by default the fewest bytes that hold it. Raises :exc:`ValueError`,
    naming the argument, for a claim that does not fit.
    """

    #: What the header says; ``None`` for the truth.
    claimed_size: int | None = None

    def __post_init__(self) -> None:
        if self.claimed_size is None:
            Frame.__post_init__(self)
            return
        Frame(self.opcode, b"", self.final, self.reserved, self.mask, self.length_size)
        if not 0 <= self.claimed_size < 1 << 64:
            raise ValueError(f"claimed_size must be from 0 to 2**64 - 1, not {self.claimed_size!r}")
        if self.claimed_size > _most(self._room(self.claimed_size)):
            raise ValueError(f"length_size {self.length_size} is too small for claimed_size {self.claimed_size}")

    def __bytes__(self) -> bytes:
        """The frame as it stands on the wire, with its lie."""
        return Frame.__bytes__(self) if self.claimed_size is None else self._lie(self.claimed_size)

    def _lie(self, claimed: int) -> bytes:
        room = self._room(claimed)
        header = bytearray(bytes(Frame(self.opcode, b"", self.final, self.reserved, self.mask, room)))
        header[1] = header[1] & 0x80 | (_MARKERS[room] or claimed)
        header[2 : 2 + room] = claimed.to_bytes(room, "big") if room else b""
        honest = bytes(Frame(self.opcode, self.payload, mask=self.mask))
        return bytes(header) + honest[len(honest) - len(self.payload) :]

    def _room(self, claimed: int) -> int:
        if self.length_size is not None:
            return self.length_size
        return next(size for size in _MARKERS if claimed <= _most(size))


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the bytes of a frame. ``start`` and ``stop`` count bytes of the payload, as in a slice.

    With ``start`` left out the header comes first; ``Part(frame, stop=0)`` is the header alone. Sent masked, all parts
    of a frame have the same key: that of the frame, or :data:`PART_MASK`.
    """

    frame: Frame
    start: int | None = None
    stop: int | None = None

    def __bytes__(self) -> bytes:
        """The part as it stands on the wire, masked if the frame is."""
        whole, size = bytes(self.frame), len(self.frame.payload)
        start, stop, _ = slice(self.start, self.stop).indices(size)
        header_size = len(whole) - size
        return whole[0 if self.start is None else header_size + start : header_size + stop]


#: What can be sent: a frame, some of one, or bytes as they are.
Sendable: TypeAlias = Frame | Part | bytes


def encode(item: Sendable, mask: bytes | None) -> bytes:
    """The bytes of ``item`` on the wire. ``mask`` is a key for what has none of its own; ``None`` masks nothing."""
    match item:
        case bytes():
            return item
        case Part(frame, start, stop):
            return bytes(Part(_masked(frame, mask and PART_MASK), start, stop))
        case Frame():
            return bytes(_masked(item, mask))


def text(payload: str | bytes = b"", *, final: bool = True, reserved: int = 0) -> Frame:
    """A text frame, or the first fragment of a text message. ``bytes`` need not be UTF-8."""
    data = payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload
    return Frame(Opcode.TEXT, data, final, reserved)


def binary(payload: bytes = b"", *, final: bool = True, reserved: int = 0) -> Frame:
    """A binary frame, or the first fragment of a binary message."""
    return Frame(Opcode.BINARY, payload, final, reserved)


def continuation(payload: str | bytes = b"", *, final: bool = True, reserved: int = 0) -> Frame:
    """A further fragment; the last one unless ``final`` is false."""
    return Frame(Opcode.CONTINUATION, text(payload).payload, final, reserved)


def ping(payload: bytes = b"") -> Frame:
    """A ping."""
    return Frame(Opcode.PING, payload)


def pong(payload: bytes = b"") -> Frame:
    """A pong."""
    return Frame(Opcode.PONG, payload)


def close(code: int | None = None, reason: str | bytes = b"") -> Frame:
    """A close frame, right or wrong: see :func:`close_payload`."""
    return Frame(Opcode.CLOSE, close_payload(code, reason))


def close_payload(code: int | None = None, reason: str | bytes = b"") -> bytes:
    """The payload of a close frame with any code from 0 to 65535 and any reason; empty without a code.

    Raises :exc:`ValueError` for a reason without a code: it has no place on the wire.
    """
    data = text(reason).payload
    if code is None:
        if data:
            raise ValueError("reason needs a code")
        return b""
    return code.to_bytes(2, "big") + data


@dataclass(frozen=True, slots=True)
class CloseContent:
    """What a close frame says. ``code`` is ``None`` if it says nothing."""

    code: int | None
    reason: bytes

    def __str__(self) -> str:
        if self.code is None:
            return "no code"
        return f"{self.code} {self.reason.decode('utf-8', 'backslashreplace')!r}" if self.reason else str(self.code)


def parse_close(payload: bytes) -> CloseContent:
    """Read a payload without judging it. A single byte is taken for a reason without a code."""
    if len(payload) < 2:
        return CloseContent(None, payload)
    return CloseContent(int.from_bytes(payload[:2], "big"), payload[2:])


def close_fault(payload: bytes) -> str | None:
    """What is wrong with the payload of a close frame, in words with the section; ``None`` if nothing is."""
    content = parse_close(payload)
    if content.code is None:
        return "a close frame with one byte (RFC 6455 §5.5.1)" if payload else None
    if not is_wire_code(content.code):
        return f"close code {content.code}, which must not be sent (RFC 6455 §7.4)"
    try:
        content.reason.decode()
    except UnicodeDecodeError:
        return "a close reason that is not UTF-8 (RFC 6455 §5.5.1)"
    return None


class FrameReader:
    """Bytes in, frames out, whatever they say and whether they are masked: judging is for others."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Frame]:
        """Take bytes of the stream; return the frames that they complete."""
        self._buffer += data
        frames: list[Frame] = []
        while (size := frame_size(self._buffer)) is not None and size <= len(self._buffer):
            frames.extend(parse_frames(bytes(self._buffer[:size])))
            del self._buffer[:size]
        return frames

    @property
    def rest(self) -> bytes:
        """What has arrived of a frame that is not complete."""
        return bytes(self._buffer)


def frame_size(data: bytes | bytearray) -> int | None:
    """Bytes of the frame that ``data`` begins with, by its header; ``None`` as long as that is incomplete."""
    if len(data) < 2:
        return None
    length = data[1] & 0x7F
    room = {126: 2, 127: 8}.get(length, 0)
    if len(data) < 2 + room:
        return None
    if room:
        length = int.from_bytes(data[2 : 2 + room], "big")
    return 2 + room + (4 if data[1] & 0x80 else 0) + length


def _masked(frame: Frame, mask: bytes | None) -> Frame:
    """The frame as one side sends it; a key of its own stays, except where nothing is masked."""
    key = mask and (frame.mask or mask)
    if isinstance(frame, RawFrame):
        return RawFrame(
            frame.opcode, frame.payload, frame.final, frame.reserved, key, frame.length_size, frame.claimed_size
        )
    return Frame(frame.opcode, frame.payload, frame.final, frame.reserved, key, frame.length_size)


def _most(room: int) -> int:
    return {0: 125, 2: 0xFFFF, 8: (1 << 64) - 1}[room]
