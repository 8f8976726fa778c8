"""Work that somebody else may do: what takes long, and touches nothing but its own piece of a connection.

The engine knows no thread. It hands out what would hold up whoever drives it, and goes on with everything else; see
``docs/decisions/0033-work-as-data.md``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Final

__all__ = ["WORK_SIZE", "Work"]

#: From how many bytes on it is worth it: they take 0.7 ms to compress, and a way to a thread and back 0.05 ms.
WORK_SIZE: Final = 32 * 1024


class Work(ABC):
    """A large message, or a part of one, to be compressed or inflated.

    Call it once, without arguments, in whatever thread; it returns nothing and raises no :exc:`Exception`. What came of
    it goes to the engine by ``work_done()``.
    """

    __slots__ = ("_error", "_is_done", "is_taken")

    #: Whether it is for what is sent; else it is for what was received.
    is_outgoing: ClassVar[bool]

    def __init__(self) -> None:
        self._is_done = False
        self._error: Exception | None = None
        #: Whether somebody has it already.
        self.is_taken: bool = False

    def __call__(self) -> None:
        try:
            self._do()
        except Exception as error:
            self._error = error
        self._is_done = True

    def check(self) -> None:
        """Raise what doing it has raised, or :exc:`ValueError` if it was not done."""
        if not self._is_done:
            raise ValueError("work: it was not done")
        if self._error is not None:
            raise self._error

    @abstractmethod
    def _do(self) -> None:
        """Do it, and keep what comes of it."""
