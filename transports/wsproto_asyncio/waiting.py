"""How a task waits for the next input."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Waiters"]

_T = TypeVar("_T")


class Waiters:
    """Tasks that wait for something to happen. Every one checks its own predicate again."""

    __slots__ = ("_loop", "_waiters")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiters: list[asyncio.Future[None]] = []

    def wake(self) -> None:
        """Let everybody look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, attempt: Callable[[], _T | None]) -> _T:
        """The first result of ``attempt`` that is not ``None``: tried at once, and again after every input.

        Cancelling it loses nothing, because whatever ``attempt`` takes is returned without another chance to be
        cancelled.
        """
        while (result := attempt()) is None:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                raise
        return result
