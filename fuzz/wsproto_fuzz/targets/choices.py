"""An input as a list of decisions: a fuzzer knows bytes only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Choices"]

T = TypeVar("T")


class Choices:
    """Takes decisions from the front of ``data``; where it has run out, every decision is the first option."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def has_more(self) -> bool:
        """Whether there is anything left to decide by."""
        return self._at < len(self._data)

    def byte(self) -> int:
        """The next byte; 0 at the end."""
        byte = self._data[self._at] if self.has_more else 0
        self._at += 1
        return byte

    def choose(self, options: Sequence[T]) -> T:
        """One of up to 256 options."""
        return options[self.byte() % len(options)]

    def take(self, size: int) -> bytes:
        """The next bytes: ``size``, or as many as are left."""
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))
