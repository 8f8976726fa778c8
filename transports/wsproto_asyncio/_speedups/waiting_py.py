"""How a task waits for the next input, and goes on in the very call that brings it.

asyncio lets a task go on one turn of the loop after what it waits for: for a small message that turn costs more than
all the rest. And a future is good for one wait: what each leaves behind lives as long as the wait, and so the garbage
collector looks at it again and again. docs/decisions/0028-tasks-go-on-at-once.md and
docs/decisions/0032-one-pause-for-all-waits.md tell why a :class:`Pause` may do without either.

This file runs in Python and, compiled with the C types of ``waiting_c.pxd``, as ``waiting_c``.

What lives here: the way from a pause to the next one. What must not: what anybody waits for.
"""

from __future__ import annotations

import sys
from asyncio import CancelledError, Future, get_running_loop
from typing import TYPE_CHECKING, Any, Final

from wsproto_core import WaitersBase

if sys.version_info >= (3, 12):
    from asyncio import current_task
else:
    from asyncio import tasks

    current_task = vars(tasks)["_current_tasks"].get  # which its function in Python looks up, and no more

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable
    from contextvars import Context

__all__ = ["Pause", "Waiting"]


class Pause:
    """What one task waits for: as much of a future as a task asks of one, and good for one wait after the other.

    A task finds its loop in ``_loop``, as in any future without ``get_loop()``, and turns ``_asyncio_future_blocking``
    to false when it begins to wait.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_error", "_go_on", "_loop", "_waiting")

    def __init__(self, waiting: Waiting, loop: AbstractEventLoop) -> None:
        self._waiting = waiting
        self._loop = loop
        self._asyncio_future_blocking: bool = True
        # How the task goes on, and in what context; ``None`` before one has come.
        self._go_on: Any = None
        self._context: Context | None = None
        self._error: CancelledError | None = None

    # --- what a task calls --------------------------------------------------------------------------------------------

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context) -> None:
        """``fn``, in its ``context``, is how the task goes on."""
        # The same task comes with another object every time, which is equal to the first: that one is kept, so that
        # nothing new lives as long as the wait.
        if fn != self._go_on:
            self._go_on, self._context = fn, context

    def cancel(self, msg: object = None) -> bool:
        """The task is cancelled; whether it was still waiting."""
        if not self._waiting.forget(self):
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
        """Let the task run, up to its next pause, within this call, if that can be. No other task may be running."""
        context = self._context
        if context is not None and not self._asyncio_future_blocking:
            self._asyncio_future_blocking = True  # for the next wait
            try:
                context.run(self._go_on, self._waiting.over)
            except RuntimeError:  # whoever calls this runs in the very context of the task: nobody enters one twice
                self._asyncio_future_blocking = False
                self._waiting.keep_no_spare()
                self.end_soon()

    def end_soon(self) -> None:
        """Let the task run a turn of the loop later."""
        if not self._asyncio_future_blocking:  # else no task has come: it was one of another loop
            self._loop.call_soon(self._go_on, self, context=self._context)

    def forget_task(self) -> None:
        """The task may wait for something else now, or end: it is not kept alive."""
        self._go_on = self._context = None


class Waiting(WaitersBase):
    """Tasks that wait for something to happen. Every one checks its own predicate again."""

    __slots__ = ("_current_task", "_loop", "_pauses", "_spare", "over")

    def __init__(self) -> None:
        self._loop: AbstractEventLoop = get_running_loop()
        # What an object holds is found sooner than what a module does, where this is compiled.
        self._current_task = current_task
        self.over: Future[None] = _OVER
        self._pauses: list[Pause] = []
        # What a task has waited for that went on at once: it will be back, as a rule.
        self._spare: Pause | None = None

    def pause(self) -> Pause:
        """What a task is to yield, so that it waits until it may look again."""
        pause, self._spare = self._spare, None
        if pause is None:
            pause = Pause(self, self._loop)
        self._pauses.append(pause)
        return pause

    def rouse(self) -> None:
        if self._pauses:
            Waiting.wake_at_once(self)  # by its class: compiled, nothing is looked up

    def place(self) -> Pause:
        return Waiting.pause(self)

    def forget(self, pause: Pause) -> bool:
        """Wake nobody by ``pause``; return whether there was anybody."""
        if pause not in self._pauses:
            return False
        self._pauses.remove(pause)
        return True

    def keep_no_spare(self) -> None:
        """Who went on last has not done with its pause."""
        self._spare = None

    def wake(self) -> None:
        """Let everybody look again, a turn of the loop later."""
        pauses, self._pauses, self._spare = self._pauses, [], None
        for pause in pauses:
            pause.end_soon()

    def wake_at_once(self) -> None:
        """Let everybody look again, one after the other, and do what they have to do until they wait for something
        else; a turn later where a task calls this.
        """
        if self._current_task(self._loop) is not None:
            self.wake()
            return
        left = len(self._pauses)
        while left and self._pauses:  # who has gone on may have cancelled the others
            left -= 1
            pause = self._pauses[0]
            del self._pauses[0]  # which C does without a call, unlike pop()
            self._spare = pause
            pause.end_at_once()


class _NoLoop:
    """The loop of a future that nobody waits for."""

    def get_debug(self) -> bool:
        return False


def _future_that_is_over() -> Future[None]:
    future: Future[None] = Future(loop=_NoLoop())  # type: ignore[arg-type]  # it asks for nothing else
    future.set_result(None)
    return future


#: What a task is told by that goes on at once. Of a future of asyncio's own it asks in C how that ended.
_OVER: Final = _future_that_is_over()
