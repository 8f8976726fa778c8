"""The head of an HTTP message, gathered line by line within the limits.

What lives here counts bytes and lines and stops at the first one too many; it knows nothing of their meaning, which is
h11's part in ``http11``. It also keeps control characters away from h11, whose pattern for a header line takes
quadratic time over blanks that end in one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .._errors import RemoteProtocolError
from .._violations import Violation

__all__ = ["HeadOffences", "HeadReader"]

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOffences:
    """What each offence is called on this side."""

    malformed: Violation
    first_line_too_long: Violation
    too_big: Violation
    too_many_lines: Violation


class HeadReader:
    """Gathers one head after the other; all of them together hold at most ``size`` bytes.

    Every offence is found at the byte that commits it, however the bytes are cut into pieces. ``max_empty_lines``
    that come before a first line are ignored.
    """

    __slots__ = (
        "_check_first_line",
        "_empty_lines_left",
        "_first_line_size",
        "_lines",
        "_max_headers",
        "_offences",
        "_partial",
        "_room",
    )

    def __init__(
        self,
        *,
        size: int,
        first_line_size: int,
        max_headers: int,
        offences: HeadOffences,
        check_first_line: Callable[[bytes], None],
        max_empty_lines: int = 0,
    ) -> None:
        self._room = size
        self._first_line_size = first_line_size
        self._max_headers = max_headers
        self._offences = offences
        self._check_first_line = check_first_line
        self._empty_lines_left = max_empty_lines
        self._lines: list[bytes] = []
        self._partial = b""

    @property
    def pending(self) -> bool:
        """Whether an incomplete head is waiting for more."""
        return bool(self._lines or self._partial)

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes; what follows the head once its blank line has come, ``None`` before.

        Raises :exc:`RemoteProtocolError`; not to be fed again afterwards.
        """
        fresh = data[: self._room]
        flaw = _CONTROL.search(fresh)
        usable = fresh[: flaw.start()] if flaw else fresh
        end = self._take_lines(usable)
        if end is not None:
            self._room -= end
            return data[end:]
        self._room -= len(usable)
        self._check_partial()
        if flaw:
            raise RemoteProtocolError(self._offences.malformed, "a control character in the head")
        return None

    def take(self) -> list[bytes]:
        """The lines of the complete head, without their ends, which leaves room for the next one."""
        lines, self._lines = self._lines, []
        return lines

    def _take_lines(self, data: bytes) -> int | None:
        """Take every complete line; where the head ends in ``data``, if it does."""
        *complete, partial = data.split(b"\n")
        end = 0
        for ending in complete:
            end += len(ending) + 1
            line = self._partial + ending if self._partial else ending
            self._partial = b""
            if not self._lines:
                self._check_first_size(line)
            if line.endswith(b"\r"):
                line = line[:-1]
            if b"\r" in line:  # RFC 9112 §2.2
                raise RemoteProtocolError(self._offences.malformed, "a bare CR in the head")
            if not self._lines:
                if not line and self._empty_lines_left:
                    self._empty_lines_left -= 1
                    continue
                self._check_first_line(line)
            elif not line:
                return end
            elif len(self._lines) > self._max_headers:
                raise RemoteProtocolError(self._offences.too_many_lines, f"more than {self._max_headers}")
            self._lines.append(line)
        self._partial += partial
        return None

    def _check_partial(self) -> None:
        if not self._lines:
            self._check_first_size(self._partial)
        if not self._room:
            offences = self._offences
            raise RemoteProtocolError(offences.too_big if self._lines else offences.first_line_too_long)

    def _check_first_size(self, line: bytes) -> None:
        if len(line) > self._first_line_size:
            raise RemoteProtocolError(self._offences.first_line_too_long)
