"""How a task waits for the next input."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

__all__ = ["Waiters"]

_T = TypeVar("_T")


class Waiters:
    """Tasks that wait for something to happen. Every one checks its own predicate again."""

    def __init__(self) -> None:
        self._lot = trio.lowlevel.ParkingLot()

    def wake(self) -> None:
        """Let everybody look again."""
        self._lot.unpark_all()

    async def until(self, attempt: Callable[[], _T | None]) -> _T:
        """The first result of ``attempt`` that is not ``None``: tried at once, and again after every input. A
        checkpoint.

        Cancelling it loses nothing, because whatever ``attempt`` takes is returned without another chance to be
        cancelled.
        """
        await trio.lowlevel.checkpoint()
        while (result := attempt()) is None:
            await self._lot.park()
        return result
