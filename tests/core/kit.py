"""What the tests of the core share: frames made without the code under test, and every way to feed them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from wsproto_core._config import Limits
from wsproto_core._events import Event, Fragment
from wsproto_core._extensions.base import MessageTransform
from wsproto_core._extensions.permessage_deflate import DeflateTransform, PerMessageDeflate
from wsproto_core._speedups import FrameDecoder
from wsproto_core._types import Buffer
from wsproto_core._violations import Violation
from wsproto_fuzz.oracles import feedings

FIN: Final = 0x80
RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
UNLIMITED: Final = Limits(message_size=None, max_fragments=None, inflate_ratio=None)
TIGHT: Final = Limits(message_size=150, frame_size=120, max_fragments=3)

#: The key of the examples in RFC 6455 §5.7.
KEY: Final = bytes.fromhex("37fa213d")


# --- frames -----------------------------------------------------------------------------------------------------------


def xor(data: bytes, key: bytes) -> bytes:
    """RFC 6455 §5.3, word by word."""
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(data))


def length_bytes(length: int) -> bytes:
    """The length of a frame without the mask bit, in the fewest bytes (RFC 6455 §5.2)."""
    if length <= 125:
        return bytes([length])
    return b"\x7e" + struct.pack("!H", length) if length <= 0xFFFF else b"\x7f" + struct.pack("!Q", length)


def header(first: int, length: bytes, key: bytes | None) -> bytes:
    mask_bit = 0 if key is None else 0x80
    return bytes([first, length[0] | mask_bit]) + length[1:] + (key or b"")


def frame(first: int, payload: bytes = b"", *, masked: bool) -> bytes:
    key = KEY if masked else None
    return header(first, length_bytes(len(payload)), key) + (payload if key is None else xor(payload, key))


def frames(parts: Iterable[tuple[int, bytes]], *, masked: bool) -> bytes:
    return b"".join(frame(first, payload, masked=masked) for first, payload in parts)


def fragments(opcode: int, pieces: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """The frames of one message, first bytes and payloads."""
    last = len(pieces) - 1
    return [
        ((FIN if index == last else 0) | (CONTINUATION if index else opcode), piece)
        for index, piece in enumerate(pieces)
    ]


# --- feeding ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """All that a decoder tells of some bytes."""

    events: list[Event]
    controls: int
    violation: Violation | None
    close_payload: bytes | None


def feed(decoder: FrameDecoder, pieces: Iterable[bytes]) -> Outcome:
    events: list[Event] = []
    controls = 0
    for piece in pieces:
        events += decoder.decode(piece)
        controls += decoder.controls
    violation = None if decoder.failure is None else decoder.failure.violation
    return Outcome(events, controls, violation, decoder.close_payload)


def feed_every_way(make: Callable[[], FrameDecoder], data: bytes) -> Outcome:
    """What comes of ``data``, which must be the same however it arrives."""
    outcome = feed(make(), [data])
    for pieces in feedings(data):
        assert feed(make(), pieces) == outcome, [len(piece) for piece in pieces]
    return outcome


def joined(events: Iterable[Event]) -> list[Event]:
    """``events`` with neighbouring parts of a message joined; every message must end exactly once, or be the last."""
    result: list[Event] = []
    for event in events:
        last = result[-1] if result else None
        if isinstance(event, Fragment) and isinstance(last, Fragment) and not last.final:
            assert type(event.data) is type(last.data)
            result[-1] = Fragment(last.data + event.data, event.final)  # type: ignore[operator]  # types are equal
        else:
            result.append(event)
    return result


# --- transforms -------------------------------------------------------------------------------------------------------


def deflate(limits: Limits = UNLIMITED) -> DeflateTransform:
    """A permessage-deflate without parameters, as either side has it."""
    return PerMessageDeflate().confirm((), limits)


def deflated(data: bytes, level: int = 6) -> bytes:
    """RFC 7692 §7.2.1, with a context of its own."""
    compressor = zlib.compressobj(level, wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")


def stored(data: bytes) -> bytes:
    """``data`` as one DEFLATE block without compression: what goes in at ``n + 5`` comes out at once as ``n``."""
    return b"\x00" + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data


class Rot13(MessageTransform):
    """Marks nothing: every message is transformed."""

    def encode(self, data: Buffer, final: bool) -> bytes:
        return bytes((byte + 13) % 256 for byte in bytes(data))

    def decode(self, data: Buffer, final: bool) -> bytes:
        return bytes((byte - 13) % 256 for byte in bytes(data))


class Braces(MessageTransform):
    """Puts a message between braces, marks it with RSV2, and refuses what has none."""

    reserved_bits: ClassVar[int] = RSV2

    def __init__(self) -> None:
        self._open = False
        self._held = b""

    def encode(self, data: Buffer, final: bool) -> bytes:
        start = b"" if self._open else b"{"
        self._open = not final
        return start + bytes(data) + (b"}" if final else b"")

    def decode(self, data: Buffer, final: bool) -> bytes:
        self._held += bytes(data)
        if not final:
            return b""
        held, self._held = self._held, b""
        assert held[:1] == b"{"
        assert held[-1:] == b"}"
        return held[1:-1]


class Tripled(MessageTransform):
    """Every byte three times; marks a message with RSV3. What is decoded is larger than what came."""

    reserved_bits: ClassVar[int] = RSV3

    def encode(self, data: Buffer, final: bool) -> bytes:
        return bytes(data)[::3]

    def decode(self, data: Buffer, final: bool) -> bytes:
        return b"".join(bytes([byte]) * 3 for byte in bytes(data))
