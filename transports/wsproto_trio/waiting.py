"""How a task waits for the next input, and how long it goes on before others have their turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter
from typing import Final, TypeVar

import trio

__all__ = ["Waiters"]

_T = TypeVar("_T")

#: Seconds that a task may go on, verb after verb, until it gives way to others.
_TURN_TIME: Final = 0.001


class _Turn(threading.local):
    """The turn of the task that runs: trio runs one at a time in a thread."""

    def __init__(self) -> None:
        self.ends_at = 0.0

    def begin(self) -> None:
        self.ends_at = perf_counter() + _TURN_TIME


_turn: Final = _Turn()


class Waiters:
    """Tasks that wait for something to happen. Every one checks its own predicate again."""

    def __init__(self) -> None:
        self._lot = trio.lowlevel.ParkingLot()
        self._turn = _turn

    def wake(self) -> None:
        """Let everybody look again."""
        if self._lot:
            self._lot.unpark_all()

    async def until(self, attempt: Callable[[], _T | None]) -> _T:
        """The first result of ``attempt`` that is not ``None``: tried at once, and again after every input. A
        checkpoint, which gives way to others only where it waits or the task has had its turn.

        Cancelling it loses nothing, because whatever ``attempt`` takes is returned without another chance to be
        cancelled.
        """
        if perf_counter() < self._turn.ends_at:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()
            self._turn.begin()
        while (result := attempt()) is None:
            self.before_waiting()
            await self._lot.park()
            self._turn.begin()
        return result

    def before_waiting(self) -> None:
        """A task has done what it could, and waits."""
