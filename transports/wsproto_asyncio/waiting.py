"""How coroutines wait on asyncio, and what tells them the time."""

from __future__ import annotations

import time
import types
from asyncio import AbstractEventLoop, BaseEventLoop
from collections.abc import Callable, Generator
from typing import TypeVar

from ._speedups import Pause, Waiting

__all__ = ["Waiters", "clock_of"]

_T = TypeVar("_T")


class Waiters(Waiting):
    """Tasks that wait for an attempt to succeed."""

    __slots__ = ()

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


def clock_of(loop: AbstractEventLoop) -> Callable[[], float]:
    """What tells the time of ``loop``: for asyncio's own loops what they ask, without asking them."""
    # Not by vars(): a loop whose dictionary somebody has looked at is slower from then on.
    is_own = getattr(loop.time, "__func__", None) is BaseEventLoop.time
    return time.monotonic if is_own else loop.time
