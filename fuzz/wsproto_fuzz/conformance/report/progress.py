"""How far a run has come: a bar that is redrawn in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
from typing import TextIO

from ..verdict import Result, Verdict
from .matrix import SYMBOLS
from .text import shortened, visible

__all__ = ["ProgressBar"]

_BAR = 24
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ERASE = "\r\x1b[K"
#: Without a terminal: so many lines in all.
_PARTS = 10


class ProgressBar:
    """Call it with each result as it comes. Failed cases are told at once, in either form; and those that did not fail
    when they were played again.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._failed: set[str] = set()
        self._told = 0

    def __call__(self, result: Result, done: int, total: int) -> None:
        """One more case has its verdict: ``done`` of ``total``."""
        if result.verdict is Verdict.FAIL:
            self._failed.add(result.case)
            self._line(f"{SYMBOLS[Verdict.FAIL]} {result.case}  {visible(result.title)}: {visible(result.finding)}")
        elif result.case in self._failed:
            self._failed.remove(result.case)
            self._line(f"{SYMBOLS[result.verdict]} {result.case}  did not fail when it was played again, alone")
        counted = f"{done}/{total}" + (f", {len(self._failed)} failed" if self._failed else "")
        if self._is_terminal:
            self._draw(done / total, f"{counted}  {visible(result.group)}")
        elif (part := done * _PARTS // total) != self._told:
            self._told = part
            self._line(counted)

    def finish(self) -> None:
        """Take the bar away, and begin anew."""
        self._failed.clear()
        self._told = 0
        if self._is_terminal:
            self._write(_ERASE)

    def _draw(self, share: float, words: str) -> None:
        whole, eighths = divmod(int(_BAR * 8 * share), 8)
        bar = "█" * whole + (_EIGHTHS[eighths] if eighths else "")
        self._write(_ERASE + shortened(f"{bar:<{_BAR}} {words}", shutil.get_terminal_size().columns - 1))

    def _line(self, words: str) -> None:
        self._write(f"{_ERASE}{words}\n" if self._is_terminal else f"{words}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
