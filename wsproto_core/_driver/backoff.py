"""When to try again: exponential backoff with full jitter, as data, and the machine that decides by it.

Time, chance and the failure are arguments, so that every schedule can be played through without waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from .._errors import ConnectionClosed
from .._events import CloseReport
from .._types import Initiator
from .advice import CLOSE_CODE_ADVICE, Advice, advise

__all__ = ["Backoff", "Comeback"]

_NO_ADVICE: Final[Mapping[int, Advice]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before each new attempt.

    The wait before attempt ``n`` (from 0) is drawn evenly between nothing and ``initial * factor ** n`` seconds, or
    ``cap`` if that is less: full jitter, so that a thousand clients of a restarted server do not return in one wave.
    ``max_attempts`` in a row without success end it (``None``: never). Success is a connection that was open for
    ``stable_after`` seconds, or that this side closed: one that is only opened to be dropped again does not start the
    count anew. Raises :exc:`ValueError`, naming the argument.
    """

    initial: float = 0.5
    factor: float = 2.0
    cap: float = 60.0
    max_attempts: int | None = None
    stable_after: float = 5.0

    def __post_init__(self) -> None:
        if not self.initial > 0:
            raise ValueError(f"initial must be positive, not {self.initial!r}")
        if not self.factor >= 1:
            raise ValueError(f"factor must be at least 1, not {self.factor!r}")
        if not self.cap >= self.initial:
            raise ValueError(f"cap must not be less than initial, not {self.cap!r}")
        if self.max_attempts is not None and self.max_attempts < 1:
            raise ValueError(f"max_attempts must be positive or None, not {self.max_attempts!r}")
        if not self.stable_after >= 0:
            raise ValueError(f"stable_after must not be negative, not {self.stable_after!r}")

    def ceiling(self, attempt: int) -> float:
        """The most seconds to wait before ``attempt`` (from 0)."""
        try:
            return min(self.cap, self.initial * self.factor**attempt)
        except OverflowError:
            return self.cap

    def delay(self, attempt: int, chance: float) -> float:
        """Seconds to wait before ``attempt`` (from 0); ``chance`` is a random number in [0, 1)."""
        return chance * self.ceiling(attempt)

    def is_exhausted(self, attempt: int) -> bool:
        """Whether ``attempt`` attempts in a row are enough."""
        return self.max_attempts is not None and attempt >= self.max_attempts


class Comeback:
    """What next, after every failure and every end: the one decision behind ``reconnect()`` of every runtime.

    ``advice``, by close code, is put on top of :data:`CLOSE_CODE_ADVICE`. ``retry(error)`` has the last word on what is
    worth another attempt: of a :exc:`ConnectionFailed`, where none came about, as of the :exc:`ConnectionClosed` that a
    connection ended with.
    """

    def __init__(
        self,
        backoff: Backoff,
        *,
        advice: Mapping[int, Advice] = _NO_ADVICE,
        retry: Callable[[BaseException], bool] | None = None,
    ) -> None:
        self._backoff = backoff
        self._advice: Mapping[int, Advice] = {**CLOSE_CODE_ADVICE, **advice}
        self._retry = retry
        self._opened_at = 0.0
        # In a row without success: waits, and what failed.
        self._waits = 0
        self._failures = 0
        #: How many connections have opened so far.
        self.count: int = 0
        #: How the latest of them ended.
        self.last_report: CloseReport | None = None

    def opened(self, now: float) -> None:
        """A connection is open, and ready for the application, at ``now`` by the clock of its engine."""
        self._opened_at = now
        self.count += 1

    def ended(self, report: CloseReport, chance: float) -> float:
        """The connection has ended: the seconds to wait before the next attempt. ``chance`` is a random number in
        [0, 1). Raises the :exc:`ConnectionClosed` that fits ``report`` if there is to be no other attempt.
        """
        self.last_report = report
        if report.at - self._opened_at >= self._backoff.stable_after or _is_own(report):
            self._waits = self._failures = 0
        else:
            self._failures += 1
        return self._next(ConnectionClosed.from_report(report), chance)

    def failed(self, error: Exception, chance: float) -> float:
        """An attempt ended by ``error``: the seconds to wait before the next one. ``chance`` is a random number in
        [0, 1). Raises ``error`` if there is to be no other attempt.
        """
        self._failures += 1
        return self._next(error, chance)

    def _next(self, error: Exception, chance: float) -> float:
        advice = advise(error, self._advice)
        returns = advice.returns if self._retry is None else self._retry(error)
        if not returns or self._backoff.is_exhausted(self._failures):
            raise error
        wait = self._draw(advice, chance)
        self._waits += 1
        return wait

    def _draw(self, advice: Advice, chance: float) -> float:
        cap = self._backoff.cap
        # Advice that lies beyond the cap becomes the upper half of it, so that the jitter stays.
        earliest = advice.earliest if advice.earliest <= cap else cap / 2
        latest = earliest + self._backoff.ceiling(self._waits) if advice.latest is None else advice.latest
        latest = min(latest, cap)
        return min(latest, earliest + chance * (latest - earliest))


def _is_own(report: CloseReport) -> bool:
    """Whether the application closed the connection, and nothing was wrong with it."""
    return report.initiator is Initiator.LOCAL and report.timer is None and report.violation is None
