"""What the peer says, sorted by kind; and what is wrong with it, whatever the case is about.

Bytes go in, no judgement of the case comes out: that is for the steps. But a peer that breaks the format itself, for
one a server that masks, has failed in every case: :attr:`Heard.fault` names the first such thing.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from wsproto_core import Role
from wsproto_core.frames import Frame, Opcode

from ..wire import CloseContent, FrameReader, close_fault, parse_close

__all__ = ["Head", "Heard", "HeardMessage"]

_RSV1: Final = 4
_KNOWN: Final = frozenset(Opcode)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an HTTP message, read leniently."""

    #: ``HTTP/1.1 101 Switching Protocols`` or ``GET / HTTP/1.1``.
    first_line: str
    #: The fields in order, names as they came.
    fields: tuple[tuple[str, str], ...]
    raw: bytes

    def all(self, name: str) -> list[str]:
        """The values of every field called ``name``, in whatever case."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def tokens(self, name: str) -> list[str]:
        """The comma-separated parts of all those values, in lower case."""
        return [token.strip().lower() for value in self.all(name) for token in value.split(",") if token.strip()]

    @property
    def status(self) -> int | None:
        """The status code of a response; ``None`` if there is none."""
        words = self.first_line.split()
        if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdecimal():
            return None
        return int(words[1])

    @property
    def target(self) -> str:
        """The target of a request; empty if there is none."""
        words = self.first_line.split()
        return words[1] if len(words) == 3 else ""


@dataclass(frozen=True, slots=True)
class HeardMessage:
    """A whole message, expanded if it was compressed."""

    message: str | bytes
    n_frames: int
    compressed: bool


class Heard:
    """Everything that the peer has said so far. Steps take from the queues what they have dealt with."""

    def __init__(self, peer: Role) -> None:
        self._peer = peer
        self._head_bytes = bytearray()
        self._frames = FrameReader()
        self._open: Frame | None = None
        self._pieces: list[bytes] = []
        #: Whether what comes is frames.
        self.in_frames: bool = False
        self.head: Head | None = None
        #: What follows the head as long as it is not taken for frames.
        self.body: bytearray = bytearray()
        self.messages: deque[HeardMessage] = deque()
        self.pings: deque[bytes] = deque()
        self.pongs: deque[bytes] = deque()
        self.close: CloseContent | None = None
        #: How the stream ended, in words; ``None`` as long as it has not.
        self.end: str | None = None
        #: What the peer did that is wrong in every case.
        self.fault: str | None = None
        #: Set once permessage-deflate is agreed.
        self.inflate: Callable[[bytes], bytes] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the peer has closed, by a frame or by the end of the stream."""
        return self.close is not None or self.end is not None

    @property
    def rest(self) -> bytes:
        """The beginning of a frame that is not complete, or of a head."""
        return self._frames.rest if self.in_frames else bytes(self._head_bytes)

    def receive(self, data: bytes) -> list[Frame]:
        """Take bytes; return the frames among them, for the transcript."""
        if self.in_frames:
            frames = self._frames.receive(data)
            for frame in frames:
                self._take(frame)
            return frames
        if self.head is None:
            self._take_head(data)
        else:
            self.body += data
        return []

    def begin_frames(self) -> list[Frame]:
        """From here on, frames; also what followed the head. Returns the frames in that."""
        self.in_frames = True
        body, self.body = bytes(self.body), bytearray()
        return self.receive(body)

    def _take_head(self, data: bytes) -> None:
        self._head_bytes += data
        end = self._head_bytes.find(b"\r\n\r\n")
        if end < 0:
            return
        raw = bytes(self._head_bytes[: end + 4])
        self.body += self._head_bytes[end + 4 :]
        self._head_bytes.clear()
        first, *lines = raw[:-4].decode("latin-1").split("\r\n")
        fields = tuple((name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
        self.head = Head(first, fields, raw)

    # ------------------------------------------------------------------------------------------------------- frames

    def _take(self, frame: Frame) -> None:
        self._blame(self._faults(frame))
        match frame.opcode:
            case Opcode.PING:
                self.pings.append(frame.payload)
            case Opcode.PONG:
                self.pongs.append(frame.payload)
            case Opcode.CLOSE:
                self.close = self.close or parse_close(frame.payload)
            case _:
                self._take_data(frame)

    def _take_data(self, frame: Frame) -> None:
        if frame.opcode != Opcode.CONTINUATION or self._open is None:
            self._open = frame
            self._pieces = []
        self._pieces.append(frame.payload)
        if not frame.final:
            return
        first, self._open = self._open, None
        compressed = bool(first.reserved & _RSV1)
        try:
            payload = b"".join(self._pieces)
            if compressed and self.inflate is not None:
                payload = self.inflate(payload)
            message = payload.decode() if first.opcode == Opcode.TEXT else payload
        except zlib.error as error:
            self._blame([f"a message that does not expand: {error} (RFC 7692 §7.2.2)"])
        except UnicodeDecodeError:
            self._blame(["a text message that is not UTF-8 (RFC 6455 §5.6)"])
        else:
            self.messages.append(HeardMessage(message, len(self._pieces), compressed))

    def _blame(self, faults: Iterable[str]) -> None:
        for fault in faults:
            self.fault = self.fault or f"The peer sent {fault}."

    def _faults(self, frame: Frame) -> Iterable[str]:
        """What RFC 6455 §5 forbids in this frame at this place."""
        if (frame.mask is None) is (self._peer is Role.CLIENT):
            yield "a masked frame (RFC 6455 §5.1)" if frame.mask else "a frame without a mask (RFC 6455 §5.1)"
        if frame.opcode not in _KNOWN:
            yield f"the reserved opcode {frame.opcode:#x} (RFC 6455 §5.2)"
        if frame.reserved and not self._may_be_compressed(frame):
            yield f"reserved bits {frame.reserved:03b} that mean nothing here (RFC 6455 §5.2)"
        if frame.length_size is not None:
            yield "a length in more bytes than it needs (RFC 6455 §5.2)"
        if self.close is not None and frame.opcode <= Opcode.CLOSE:
            what = "a second close frame" if frame.opcode == Opcode.CLOSE else "data"
            yield f"{what} after its close frame (RFC 6455 §5.5.1)"
        yield from _control_faults(frame) if frame.opcode >= 8 else self._order_faults(frame)

    def _order_faults(self, frame: Frame) -> Iterable[str]:
        if frame.opcode == Opcode.CONTINUATION and self._open is None:
            yield "a continuation of nothing (RFC 6455 §5.4)"
        if frame.opcode != Opcode.CONTINUATION and self._open is not None:
            yield "a new message inside of another (RFC 6455 §5.4)"

    def _may_be_compressed(self, frame: Frame) -> bool:
        return self.inflate is not None and frame.reserved == _RSV1 and frame.opcode in (Opcode.TEXT, Opcode.BINARY)


def _control_faults(frame: Frame) -> Iterable[str]:
    if not frame.final:
        yield "a control frame in fragments (RFC 6455 §5.5)"
    if len(frame.payload) > 125:
        yield f"a control frame of {len(frame.payload)} bytes (RFC 6455 §5.5)"
    if frame.opcode == Opcode.CLOSE and (fault := close_fault(frame.payload)) is not None:
        yield fault
