"""How a task waits for something to happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import Event as Flag

__all__ = ["Signal", "Waiters"]

_T = TypeVar("_T")


class Signal:
    """Wakes everybody who waits for it at that moment. Who is cancelled while waiting leaves nothing behind."""

    __slots__ = ("_flag",)

    def __init__(self) -> None:
        self._flag: Flag | None = None

    @property
    def is_awaited(self) -> bool:
        return self._flag is not None

    def wake(self) -> None:
        flag, self._flag = self._flag, None
        if flag is not None:
            flag.set()

    async def wait(self) -> None:
        if self._flag is None:
            self._flag = Flag()
        await self._flag.wait()


class Waiters:
    """Tasks that wait for something to happen. Every one checks its own predicate again."""

    def __init__(self) -> None:
        self._changed = Signal()

    def wake(self) -> None:
        """Let everybody look again."""
        self._changed.wake()

    async def until(self, attempt: Callable[[], _T | None]) -> _T:
        """The first result of ``attempt`` that is not ``None``: tried at once, and again after every input.

        Cancelling it loses nothing, because whatever ``attempt`` takes is returned without another chance to be
        cancelled.
        """
        while (result := attempt()) is None:
            self.before_waiting()
            await self._changed.wait()
        return result

    def before_waiting(self) -> None:
        """A task has done what it could, and waits."""
