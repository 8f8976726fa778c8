"""What was said on a connection, as lines that a person can read: the evidence for a verdict.

One line is one frame, one opening handshake or one remark: the time, who spoke, what it means, and the bytes in hex,
long ones shortened in the middle. ``str(line)`` is the line as text, :func:`render` a whole transcript.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wsproto_core.frames import Frame, Opcode, describe_header

from .wire import FrameReader, RawFrame, frame_size, parse_close

__all__ = [
    "Direction",
    "Line",
    "Transcript",
    "describe",
    "describe_rest",
    "frame_line",
    "frame_lines",
    "in_bytes",
    "render",
    "shorten_hex",
]

_HEAD_SIZE: Final = 24
_TAIL_SIZE: Final = 8
_WORDS_SIZE: Final = 40
_FIRST_LINES: Final = 150
_LAST_LINES: Final = 50


class Direction(StrEnum):
    """Who speaks."""

    #: The tester.
    SENT = "->"
    #: The peer that is tested.
    RECEIVED = "<-"
    #: Nobody: a remark on what happens.
    REMARK = "--"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    direction: Direction
    #: Seconds since the beginning.
    at: float
    #: In words; several lines for a handshake.
    meaning: str
    #: The bytes, shortened: "81 85 37 fa 21 3d 7f 9f". Empty for a handshake and for a remark.
    hex: str = ""
    #: How many bytes there were.
    size: int = 0

    def __str__(self) -> str:
        meaning = self.meaning.replace("\n", "\n" + " " * 12)
        return f"{self.at:8.3f} {self.direction} {meaning}" + (f"  [{self.hex}]" if self.hex else "")


class Transcript:
    """Collects lines: all of them up to a bound, then the first and the last ones."""

    def __init__(self) -> None:
        self._first: list[Line] = []
        self._last: deque[Line] = deque(maxlen=_LAST_LINES)
        self._left_out = 0

    def add(self, line: Line) -> None:
        """Note ``line`` as the latest."""
        if len(self._first) < _FIRST_LINES:
            self._first.append(line)
            return
        if len(self._last) == _LAST_LINES:
            self._left_out += 1
        self._last.append(line)

    def lines(self) -> tuple[Line, ...]:
        """The lines in order; a remark stands for those that were left out."""
        if not self._left_out:
            return (*self._first, *self._last)
        gap = Line(Direction.REMARK, self._last[0].at, f"{self._left_out} lines left out")
        return (*self._first, gap, *self._last)


def render(lines: Iterable[Line]) -> str:
    """A transcript as text."""
    return "\n".join(map(str, lines))


def frame_lines(direction: Direction, at: float, data: bytes) -> list[Line]:
    """One line for each frame in ``data``, and one for what is left over."""
    reader = FrameReader()
    lines = [frame_line(direction, at, frame) for frame in reader.receive(data)]
    if reader.rest:
        lines.append(Line(direction, at, describe_rest(reader.rest), shorten_hex(reader.rest), len(reader.rest)))
    return lines


def frame_line(direction: Direction, at: float, frame: Frame) -> Line:
    """The line of a frame as it stands on the wire."""
    raw = bytes(frame)
    return Line(direction, at, describe(frame), shorten_hex(raw), len(raw))


def describe(frame: Frame, *, masked: bool | None = None) -> str:
    """A frame in words: ``TEXT fin masked 5 bytes 'hello'``, ``CLOSE fin 1002 'reason'``.

    ``masked`` tells how it is sent, if the frame itself does not.
    """
    is_masked = frame.mask is not None if masked is None else masked
    words = [describe_header(frame.opcode, final=frame.final, reserved=frame.reserved, masked=is_masked)]
    words += [f"length in {frame.length_size} bytes"] if frame.length_size is not None else []
    if isinstance(frame, RawFrame) and frame.claimed_size is not None:
        words.append(f"claiming {in_bytes(frame.claimed_size)}, with")
    return " ".join([*words, _contents(frame)])


def describe_rest(data: bytes) -> str:
    """The beginning of a frame in words."""
    size = frame_size(data)
    wanted = "the header is incomplete" if size is None else f"{len(data)} of {size} bytes"
    words = describe_header(data[0] & 15, final=data[0] >= 0x80, reserved=data[0] >> 4 & 7)
    return f"{words}, a part of it: {wanted}"


def in_bytes(size: int) -> str:
    """``1 byte``, ``5 bytes``."""
    return "1 byte" if size == 1 else f"{size} bytes"


def shorten_hex(data: bytes) -> str:
    """``data`` in hex, with its middle left out if it is long."""
    if len(data) <= _HEAD_SIZE + _TAIL_SIZE:
        return data.hex(" ")
    return f"{data[:_HEAD_SIZE].hex(' ')} … {data[-_TAIL_SIZE:].hex(' ')}"


def _contents(frame: Frame) -> str:
    size = in_bytes(len(frame.payload))
    if frame.opcode == Opcode.CLOSE and len(frame.payload) != 1:
        return str(parse_close(frame.payload))
    if not frame.payload or frame.reserved & 4:
        return size
    shown = frame.payload[:_WORDS_SIZE]
    dots = "…" if len(frame.payload) > _WORDS_SIZE else ""
    return f"{size} {_quote(frame.opcode, shown)}{dots}"


def _quote(opcode: int, data: bytes) -> str:
    if opcode == Opcode.BINARY:
        return repr(data)
    return repr(data.decode("utf-8", "backslashreplace"))
