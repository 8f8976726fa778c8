"""Where a peer's bytes stand, call after call: in the head of its handshake, in a header, in a payload.

Nothing is judged. What breaks the format, and all that follows a close frame, is :data:`Kind.REST`: nothing can be told
of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto, unique
from typing import Final, NamedTuple

from .._types import MAX_CONTROL_PAYLOAD, Opcode, Role

__all__ = ["FrameHead", "Inbound", "Kind", "Part", "frame_heads"]

_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"HTTP/1\.\d (\d\d\d)")
_KNOWN: Final = frozenset(Opcode)
_CONTROL: Final = 0x08
_FIN: Final = 0x80
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_EXTENDED: Final = {126: 2, 127: 8}.get
_KEY_SIZE: Final = 4


@unique
class Kind(Enum):
    """What bytes are."""

    HEAD = auto()
    HEADER = auto()
    KEY = auto()
    PAYLOAD = auto()
    REST = auto()


class FrameHead(NamedTuple):
    """What a frame's header says."""

    #: FIN, the reserved bits and the opcode.
    first: int
    masked: bool
    length: int

    @property
    def opcode(self) -> int:
        """0 to 15."""
        return self.first & 0x0F

    @property
    def final(self) -> bool:
        """Whether it ends its message."""
        return bool(self.first & _FIN)

    @property
    def reserved(self) -> int:
        """The reserved bits: 0 to 7."""
        return self.first >> 4 & 7


class Part(NamedTuple):
    """A stretch of the bytes of one read that are of one kind."""

    kind: Kind
    start: int
    stop: int
    #: The frame that it belongs to, once its header is complete.
    frame: FrameHead | None = None
    #: Of a payload: how much of it came before.
    offset: int = 0
    #: Of a payload: its masking key, empty if there is none.
    key: bytes = b""


class Inbound:
    """Follows one direction of a connection from its beginning, with ``role`` the side that hears it."""

    def __init__(self, role: Role, *, has_head: bool) -> None:
        self._role = role
        # What has come of the heads; None behind them.
        self._head: bytearray | None = bytearray() if has_head else None
        self._header = bytearray()
        self._key = bytearray()
        self._frame: FrameHead | None = None
        self._offset = 0
        self._in_message = False
        self._is_lost = False

    @property
    def is_between_messages(self) -> bool:
        """Whether the next byte is the first of a message, or of a control frame between messages."""
        is_between = self._head is None and not self._header and self._frame is None
        return is_between and not self._in_message and not self._is_lost

    def feed(self, data: bytes) -> list[Part]:
        """The parts of what was read next, in order and without gaps."""
        parts: list[Part] = []
        at = 0
        if self._head is not None:
            at = self._take_head(data)
            parts.append(Part(Kind.HEAD, 0, at))
        while at < len(data):
            parts.append(Part(Kind.REST, at, len(data)) if self._is_lost else self._next_part(data, at))
            at = parts[-1].stop
        return parts

    # --- the opening handshake ----------------------------------------------------------------------------------------

    def _take_head(self, data: bytes) -> int:
        """Take what belongs to a head; how much that is."""
        assert self._head is not None, "there is a head to come"
        before = len(self._head)
        self._head += data
        begins_at = 0
        while (end := _BLANK_LINE.search(self._head, begins_at)) is not None:
            status = _STATUS.match(self._head, begins_at)
            if self._role is Role.CLIENT and status is not None and status[1] != b"101":
                if not status[1].startswith(b"1"):
                    self._is_lost = True  # a refusal: what follows is its body
                    break
                begins_at = end.end()
                continue
            break
        else:
            return len(data)
        self._head = None
        return end.end() - before

    # --- frames -------------------------------------------------------------------------------------------------------

    def _next_part(self, data: bytes, at: int) -> Part:
        if self._frame is None:
            return self._take_header(data, at)
        if self._frame.masked and len(self._key) < _KEY_SIZE:
            return self._take_key(data, at, self._frame)
        return self._take_payload(data, at, self._frame)

    def _take_header(self, data: bytes, at: int) -> Part:
        stop = min(at + self._header_size() - len(self._header), len(data))
        self._header += data[at:stop]
        frame: FrameHead | None = None
        if len(self._header) >= 2 and len(self._header) == self._header_size():
            frame = self._frame = self._read_header()
            self._header.clear()
            if not frame.masked and not frame.length:
                self._end_frame(frame)
        return Part(Kind.HEADER, at, stop, frame)

    def _header_size(self) -> int:
        """Without the key, as far as that can be known."""
        return 2 if len(self._header) < 2 else 2 + _EXTENDED(self._header[1] & _LENGTH, 0)

    def _read_header(self) -> FrameHead:
        first, second = self._header[:2]
        length = int.from_bytes(self._header[2:], "big") if len(self._header) > 2 else second & _LENGTH
        self._key.clear()
        self._offset = 0
        is_control = bool(first & _CONTROL)
        if first & 0x0F not in _KNOWN or (is_control and (length > MAX_CONTROL_PAYLOAD or not first & _FIN)):
            self._is_lost = True
        return FrameHead(first, bool(second & _MASKED), length)

    def _take_key(self, data: bytes, at: int, frame: FrameHead) -> Part:
        stop = min(at + _KEY_SIZE - len(self._key), len(data))
        self._key += data[at:stop]
        if len(self._key) == _KEY_SIZE and not frame.length:
            self._end_frame(frame)
        return Part(Kind.KEY, at, stop, frame)

    def _take_payload(self, data: bytes, at: int, frame: FrameHead) -> Part:
        stop = min(at + frame.length - self._offset, len(data))
        part = Part(Kind.PAYLOAD, at, stop, frame, self._offset, bytes(self._key))
        self._offset += stop - at
        if self._offset == frame.length:
            self._end_frame(frame)
        return part

    def _end_frame(self, frame: FrameHead) -> None:
        self._frame = None
        if frame.opcode == Opcode.CLOSE:
            self._is_lost = True
        elif not frame.first & _CONTROL:
            self._in_message = not frame.final


def frame_heads(data: bytes) -> Iterator[FrameHead]:
    """The headers in ``data``, which holds whole frames."""
    at = 0
    while at < len(data):
        first, second = data[at], data[at + 1]
        length, size = second & _LENGTH, _EXTENDED(second & _LENGTH, 0)
        at += 2 + size
        if size:
            length = int.from_bytes(data[at - size : at], "big")
        at += length + (_KEY_SIZE if second & _MASKED else 0)
        yield FrameHead(first, second >= _MASKED, length)
