"""Single frames as objects, for tools, tests and fuzzers (public as ``wsproto_core.frames``).

A :class:`Frame` can be anything that fits the format of RFC 6455 §5.2, also what the RFC forbids: it is the material to
test a peer with. Nothing here judges; connections never use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .._speedups import apply_mask
from .._types import Opcode

__all__ = ["Frame", "describe_header", "parse_frames", "reserved_words"]

_KNOWN: Final = frozenset(Opcode)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. ``opcode`` is 0-15, ``reserved`` the three RSV bits as 0-7, ``mask`` four bytes or ``None``.

    Raises :exc:`ValueError`, naming the argument, for what the format has no room for.
    """

    opcode: int
    #: The payload as the application means it, before masking.
    payload: bytes = b""
    final: bool = True
    reserved: int = 0
    mask: bytes | None = None
    #: Bytes that hold the extended length: 0, 2 or 8; ``None`` for the fewest that will do.
    length_size: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.opcode <= 15:
            raise ValueError(f"opcode must be from 0 to 15, not {self.opcode!r}")
        if not 0 <= self.reserved <= 7:
            raise ValueError(f"reserved must be from 0 to 7, not {self.reserved!r}")
        if self.mask is not None and len(self.mask) != 4:
            raise ValueError(f"mask must be four bytes or None, not {self.mask!r}")
        if self.length_size not in (None, 0, 2, 8):
            raise ValueError(f"length_size must be 0, 2, 8 or None, not {self.length_size!r}")
        if self.length_size is not None and self.length_size < _fewest(len(self.payload)):
            raise ValueError(f"length_size {self.length_size} is too small for {len(self.payload)} bytes")

    def __bytes__(self) -> bytes:
        """The frame as it stands on the wire (RFC 6455 §5.2)."""
        first = self.final << 7 | self.reserved << 4 | self.opcode
        length = len(self.payload)
        size = _fewest(length) if self.length_size is None else self.length_size
        marker = {0: length, 2: 126, 8: 127}[size]
        mask_bit = 0 if self.mask is None else 0x80
        header = bytes((first, mask_bit | marker)) + (length.to_bytes(size, "big") if size else b"")
        if self.mask is None:
            return header + self.payload
        return header + self.mask + apply_mask(self.payload, self.mask)


def parse_frames(data: bytes) -> Iterator[Frame]:
    """The complete frames at the start of ``data``, in order; an incomplete one at the end is left out."""
    position = 0
    while (header := _parse_header(data, position)) is not None:
        size, length, mask, body = header
        if body + length > len(data):
            return
        payload = data[body : body + length]
        first = data[position]
        yield Frame(
            opcode=first & 0x0F,
            payload=payload if mask is None else apply_mask(payload, mask),
            final=bool(first & 0x80),
            reserved=first >> 4 & 7,
            mask=mask,
            length_size=None if size == _fewest(length) else size,
        )
        position = body + length


def describe_header(opcode: int, *, final: bool, reserved: int = 0, masked: bool = False) -> str:
    """What a frame's header says besides its length, in words: ``TEXT fin masked``, ``opcode 0x3 more rsv1``.

    The arguments are what they are in a :class:`Frame`.
    """
    name = Opcode(opcode).name if opcode in _KNOWN else f"opcode {opcode:#x}"
    return " ".join([name, "fin" if final else "more", *reserved_words(reserved), *(["masked"] if masked else [])])


def reserved_words(reserved: int) -> list[str]:
    """The reserved bits that are set: ``["rsv1"]``."""
    return [f"rsv{bit}" for bit in (1, 2, 3) if reserved & 8 >> bit]


def _fewest(length: int) -> int:
    """The size of the extended length that RFC 6455 §5.2 asks for."""
    return 0 if length < 126 else 2 if length < 0x10000 else 8


def _parse_header(data: bytes, position: int) -> tuple[int, int, bytes | None, int] | None:
    """Size of the extended length, payload length, mask and where the payload begins; ``None`` if incomplete."""
    if len(data) - position < 2:
        return None
    second = data[position + 1]
    length = second & 0x7F
    size = {126: 2, 127: 8}.get(length, 0)
    key_start = position + 2 + size
    body = key_start + 4 if second & 0x80 else key_start
    if body > len(data):
        return None
    if size:
        length = int.from_bytes(data[position + 2 : key_start], "big")
    return size, length, data[key_start:body] or None, body
