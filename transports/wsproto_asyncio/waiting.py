"""How a task waits for the next input, and goes on in the very call that brings it.

asyncio lets a task go on one turn of the loop after what it waits for: for a small message that turn costs more than
all the rest. And a future is good for one wait: what each leaves behind lives as long as the wait, and so the garbage
collector looks at it again and again. docs/decisions/0028-tasks-go-on-at-once.md and
docs/decisions/0032-one-pause-for-all-waits.md tell why a :class:`Pause` may do without either.
"""

from __future__ import annotations

import time
import types
from asyncio import AbstractEventLoop, BaseEventLoop, CancelledError, current_task, get_running_loop
from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, TypeVar

__all__ = ["Pause", "Waiters", "Waiting", "clock_of"]

_T = TypeVar("_T")


class Pause:
    """What one task waits for: as much of a future as a task asks of one, and good for one wait after the other.

    A task finds its loop in ``_loop``, as in any future without ``get_loop()``, and turns ``_asyncio_future_blocking``
    to false when it begins to wait.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_error", "_go_on", "_loop", "_waiters")

    def __init__(self, waiters: Waiting, loop: AbstractEventLoop) -> None:
        self._waiters = waiters
        self._loop = loop
        self._asyncio_future_blocking = True
        self._go_on: Callable[[Pause], object] = _nobody
        self._context: Context | None = None
        self._error: CancelledError | None = None

    # --- what a task calls --------------------------------------------------------------------------------------------

    def add_done_callback(self, fn: Callable[[Pause], object], /, *, context: Context) -> None:
        """``fn``, in its ``context``, is how the task goes on."""
        # The same task comes with another object every time, which is equal to the first: that one is kept, so that
        # nothing new lives as long as the wait.
        if fn != self._go_on:
            self._go_on, self._context = fn, context

    def cancel(self, msg: object = None) -> bool:
        """The task is cancelled; whether it was still waiting."""
        if not self._waiters.forget(self):
            return False
        self._error = CancelledError() if msg is None else CancelledError(msg)
        self.end_soon()
        return True

    def result(self) -> None:
        """The task goes on."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    # --- what wakes it ------------------------------------------------------------------------------------------------

    def end_at_once(self) -> None:
        """Let the task run, up to its next pause, within this call. No other task may be running."""
        if self._context is not None and not self._asyncio_future_blocking:
            self._asyncio_future_blocking = True  # for the next wait
            self._context.run(self._go_on, self)

    def end_soon(self) -> None:
        """Let the task run a turn of the loop later."""
        if not self._asyncio_future_blocking:  # else no task has come: it was one of another loop
            self._loop.call_soon(self._go_on, self, context=self._context)

    def forget_task(self) -> None:
        """The task may wait for something else now, or end: it is not kept alive."""
        self._go_on, self._context = _nobody, None


class Waiting:
    """Tasks that wait for something to happen. Every one checks its own predicate again.

    Who inherits from this has the attributes: a class in C, which is inherited from as well, leaves no place for them.
    """

    if not TYPE_CHECKING:  # which would miss them below
        __slots__ = ()

    _loop: AbstractEventLoop
    _waiters: list[Pause]
    # What a task has waited for that went on at once: it will be back, as a rule.
    _spare: Pause | None

    def pause(self) -> Pause:
        """What a task is to yield, so that it waits until it may look again."""
        pause, self._spare = self._spare or Pause(self, self._loop), None
        self._waiters.append(pause)
        return pause

    def forget(self, pause: Pause) -> bool:
        """Wake nobody by ``pause``; return whether there was anybody."""
        if pause not in self._waiters:
            return False
        self._waiters.remove(pause)
        return True

    def wake(self) -> None:
        """Let everybody look again, a turn of the loop later."""
        waiters, self._waiters, self._spare = self._waiters, [], None
        for pause in waiters:
            pause.end_soon()

    def wake_at_once(self) -> None:
        """Let everybody look again, one after the other, and do what they have to do until they wait for something
        else; a turn later where a task calls this.
        """
        if current_task(self._loop) is not None:
            self.wake()
            return
        left = len(self._waiters)
        while left and self._waiters:  # who has gone on may have cancelled the others
            left -= 1
            self._spare = pause = self._waiters.pop(0)
            pause.end_at_once()

    @types.coroutine
    def until(self, attempt: Callable[[], _T | None]) -> Generator[Pause, None, _T]:
        """The first result of ``attempt`` that is not ``None``: tried at once, and again after every input.

        Cancelling it loses nothing, because whatever ``attempt`` takes is returned without another chance to be
        cancelled.
        """
        while (result := attempt()) is None:
            pause = self.pause()
            yield pause
            pause.forget_task()
        return result


class Waiters(Waiting):
    """The same, alone."""

    __slots__ = ("_loop", "_spare", "_waiters")

    def __init__(self) -> None:
        self._loop = get_running_loop()
        self._waiters = []
        self._spare = None


def clock_of(loop: AbstractEventLoop) -> Callable[[], float]:
    """What tells the time of ``loop``: for asyncio's own loops what they ask, without asking them."""
    # Not by vars(): a loop whose dictionary somebody has looked at is slower from then on.
    is_own = getattr(loop.time, "__func__", None) is BaseEventLoop.time
    return time.monotonic if is_own else loop.time


def _nobody(_: Pause) -> None:
    """Who waits before anybody does."""
