"""Deadlines as data: which timer is set, and when the next one is due."""

from __future__ import annotations

from .._speedups import Timing
from .._types import Timer

__all__ = ["Timers"]


class Timers(Timing):
    """The deadlines of one connection, in monotonic seconds."""

    __slots__ = ("_deadlines",)

    def __init__(self) -> None:
        self._deadlines: dict[Timer, float] = {}
        self.next_deadline = None

    def set(self, timer: Timer, now: float, timeout: float | None) -> None:
        """Let ``timer`` fire ``timeout`` seconds after ``now``; ``None`` clears it."""
        deadlines = self._deadlines
        if timeout is not None:
            deadlines[timer] = deadline = now + timeout
            self.next_deadline = deadline if len(deadlines) == 1 else min(deadlines.values())
        elif timer in deadlines:
            self.clear(timer)

    def clear(self, *timers: Timer) -> None:
        """Forget ``timers``, set or not."""
        deadlines = self._deadlines
        for timer in timers:
            deadlines.pop(timer, None)
        self.next_deadline = min(deadlines.values()) if deadlines else None

    def set_alone(self, timer: Timer, now: float, timeout: float | None) -> None:
        """Forget every other timer, and let ``timer`` fire as :meth:`set` says, unless it is set already."""
        deadline = self._deadlines.get(timer)
        self._deadlines.clear()
        self.next_deadline = deadline
        if deadline is None:
            self.set(timer, now, timeout)
        else:
            self._deadlines[timer] = deadline

    def clear_all(self) -> None:
        self._deadlines.clear()
        self.next_deadline = None

    def is_set(self, timer: Timer) -> bool:
        return timer in self._deadlines

    def pop_expired(self, now: float) -> Timer | None:
        """Take the earliest timer that is due at ``now``."""
        if self.next_deadline is None or self.next_deadline > now:
            return None
        timer = min(self._deadlines, key=self._deadlines.__getitem__)
        self.clear(timer)
        return timer
