"""How a task waits for the next input, and goes on in the very call that brings it.

asyncio lets a task go on one turn of the loop after what it waits for: for a small message that turn costs more than
all the rest. docs/decisions/0028-tasks-go-on-at-once.md tells why a :class:`_Pause` may do without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVar

__all__ = ["Waiters"]

_T = TypeVar("_T")


class _Pause(asyncio.Future[None]):
    """What one task waits for. It can end like any other future, and at once."""

    __slots__ = ("_context", "_go_on")

    _go_on: Callable[[_Pause], object]
    _context: Context

    def add_done_callback(self, fn: Callable[[_Pause], object], /, *, context: Any = None) -> None:
        """Called once, by the task that begins to wait: how it wants to be told."""
        self._go_on, self._context = fn, context
        super().add_done_callback(fn, context=context)

    def end_at_once(self) -> None:
        """Let the task run, up to its next pause, within this call. No other task may be running."""
        self.remove_done_callback(self._go_on)
        self.set_result(None)
        self._context.run(self._go_on, self)


class Waiters:
    """Tasks that wait for something to happen. Every one checks its own predicate again."""

    __slots__ = ("_loop", "_waiters")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiters: list[_Pause] = []

    def wake(self) -> None:
        """Let everybody look again, a turn of the loop later."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def wake_at_once(self) -> None:
        """Let everybody look again, one after the other, and do what they have to do until they wait for something
        else; a turn later where a task calls this.
        """
        if asyncio.current_task(self._loop) is not None:
            self.wake()
            return
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.end_at_once()

    async def until(self, attempt: Callable[[], _T | None]) -> _T:
        """The first result of ``attempt`` that is not ``None``: tried at once, and again after every input.

        Cancelling it loses nothing, because whatever ``attempt`` takes is returned without another chance to be
        cancelled.
        """
        while (result := attempt()) is None:
            waiter = _Pause(loop=self._loop)
            self._waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                raise
        return result
