"""Targets on an open connection: frames, close payloads, compressed messages."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Final

from wsproto_core import Extension, Limits, PerMessageDeflate, Receive, Violation
from wsproto_core.frames import Frame, Opcode
from wsproto_core.testing import frame_decoders

from ..oracles import UNLIMITED, Reading, agree, read_with_engine, same_however_cut
from ..wire import close_fault
from .choices import Choices

__all__ = ["close_payload", "deflate", "frames"]

_LIMITS: Final = (Limits(), Limits(message_size=150, frame_size=120, max_fragments=3), UNLIMITED)
_SEVERAL: Final = (1, 2, 3, 7)
_RSV1: Final = 4
#: Of a message that is too large and corrupt right behind, either may be told: where zlib finds both in one piece, it
#: keeps what it had inflated to itself.
_EITHER: Final = frozenset({Violation.CORRUPT_COMPRESSION, Violation.INFLATED_TOO_BIG})


def frames(data: bytes) -> object:
    """Any bytes from a peer: both twins of the frame loop see the same, and the engine however they are cut."""
    choices = Choices(data)
    masked, receive, limits = choices.choose((True, False)), choices.choose(tuple(Receive)), choices.choose(_LIMITS)
    deflate = choices.choose((None, PerMessageDeflate()))
    wire = choices.rest()
    for size in (len(wire) or 1, *_SEVERAL):
        decoders = [
            decoder(
                masked=masked,
                receive=receive,
                limits=limits,
                transforms=[] if deflate is None else [deflate.confirm((), limits)],
            )
            for decoder in frame_decoders().values()
        ]
        agree(decoders, _pieces(wire, size))
    return _seen(_read(wire, masked=masked, limits=limits, extensions=() if deflate is None else (deflate,)))


def close_payload(data: bytes) -> object:
    """What a close frame carries: it is taken if the RFC allows it, and refused otherwise."""
    payload = data[:125]
    reading = _read(bytes(Frame(Opcode.CLOSE, payload)), masked=False)
    assert (reading.goodbye is None) is (close_fault(payload) is not None), reading
    if reading.goodbye is not None and payload:
        code, reason = reading.goodbye
        assert code.to_bytes(2, "big") + reason.encode() == payload
    return reading.violation


def deflate(data: bytes) -> object:
    """Compressed messages: what is delivered is what zlib makes of it, and never more than the limits allow."""
    choices = Choices(data)
    limit = choices.choose((1000, None))
    count = 1 + choices.byte() % 3
    wire, plain = b"", _Inflater()
    for _ in range(count):
        payload = choices.take(choices.byte()) if count > 1 else choices.rest()
        wire += bytes(Frame(Opcode.BINARY, payload, reserved=_RSV1))
        plain.add(payload)
    reading = _read(wire, masked=False, limits=Limits(message_size=limit), extensions=(PerMessageDeflate(),))
    for told, inflated in zip(reading.told, plain.messages, strict=False):
        assert isinstance(told, bytes)
        assert limit is None or len(told) <= limit
        assert told == inflated
    assert len(reading.told) <= len(plain.messages)
    return _seen(reading), [len(told) for told in reading.told if isinstance(told, bytes)]


def _read(wire: bytes, *, masked: bool, limits: Limits = _LIMITS[0], extensions: tuple[Extension, ...] = ()) -> Reading:
    def read(pieces: list[bytes]) -> Reading:
        reading = read_with_engine(pieces, masked=masked, limits=limits, extensions=extensions)
        return replace(reading, failure=0) if reading.violation in _EITHER else reading

    return same_however_cut(read, wire, [_pieces(wire, size) for size in _SEVERAL])


def _pieces(wire: bytes, size: int) -> list[bytes]:
    return [wire[start : start + size] for start in range(0, len(wire), size)]


def _seen(reading: Reading) -> tuple[Violation | None, bool, int, int]:
    """How it ended, and roughly what came before."""
    kinds = {type(item) for item in reading.told}
    return reading.violation, reading.goodbye is not None, len(kinds), min(len(reading.told), 4)


class _Inflater:
    """zlib, as RFC 7692 §7.2.2 wants it used, without limits: up to the first message that it cannot read."""

    def __init__(self) -> None:
        #: What came out.
        self.messages: list[bytes] = []
        self._inflater = zlib.decompressobj(-15)
        self._is_broken = False

    def add(self, payload: bytes) -> None:
        """Inflate the next message."""
        if self._is_broken:
            return
        rest, inflated = payload + (b"\x00\x00\xff\xff" if payload else b""), b""
        try:
            while rest:
                inflated += self._inflater.decompress(rest)
                rest = self._inflater.unused_data
                if self._inflater.eof:
                    self._inflater = zlib.decompressobj(-15)
        except zlib.error:
            self._is_broken = True
        self.messages.append(inflated)
