"""When a pool may open connections: as fast as they are wanted, but behind a failure one at a time, and later."""

from __future__ import annotations

from collections.abc import Callable

from .._events import CloseReport
from .backoff import Backoff, Comeback

__all__ = ["Attempts"]


class Attempts:
    """The attempts of one pool. ``backoff`` and ``retry`` are those of :class:`Comeback`; ``chance`` draws from
    [0, 1).
    """

    def __init__(
        self, backoff: Backoff, retry: Callable[[BaseException], bool] | None, chance: Callable[[], float]
    ) -> None:
        self._backoff = backoff
        self._retry = retry
        self._chance = chance
        self._comeback = Comeback(backoff, retry=retry)
        self._is_failing = False
        # When the first connection since the latest setback was opened.
        self._works_since: float | None = None
        #: No attempt begins earlier.
        self.next_at: float = float("-inf")
        #: Attempts of one round began without knowing of one another's outcome: only the first failure counts.
        self.round: int = 0
        #: The latest failure; ``None`` behind a success.
        self.error: Exception | None = None
        #: Whether connections are opened that nobody waits for. Not behind a failure that time does not mend.
        self.are_unasked: bool = True

    def allowed(self, wanted: int, under_way: int, now: float) -> int:
        """How many may begin, where ``wanted`` more are."""
        if now < self.next_at:
            return 0
        return min(wanted, 1 - under_way) if self._is_failing else wanted

    def succeeded(self, now: float) -> None:
        """One has led to an open connection."""
        self.round += 1
        self.error = None
        self.are_unasked = True
        self._is_failing = False
        if self._works_since is None:
            self._works_since = now

    def failed(self, error: Exception, of_round: int, now: float) -> Exception | None:
        """One that began in ``of_round`` has failed. Returns what to tell those who wait, if waiting is no use."""
        self.error = error
        if of_round != self.round:
            return None
        self.round += 1
        self._is_failing = True
        self._start_anew_if_stable(now)
        return self._pause(lambda: self._comeback.failed(error, self._chance()), now)

    def lost(self, report: CloseReport, opened_at: float, now: float) -> None:
        """A connection that nobody used has ended by itself: it may have been the server, for all its clients."""
        if now < self.next_at:
            return
        self._start_anew_if_stable(now)
        self._comeback.opened(opened_at)
        self._pause(lambda: self._comeback.ended(report, self._chance()), now)

    def _start_anew_if_stable(self, now: float) -> None:
        if self._works_since is not None and now - self._works_since >= self._backoff.stable_after:
            self._comeback = Comeback(self._backoff, retry=self._retry)
        self._works_since = None

    def _pause(self, draw: Callable[[], float], now: float) -> Exception | None:
        """Let no attempt begin for as long as ``draw`` says. Returns what it raises instead: then time mends nothing,
        and whoever asks next has an attempt at once.
        """
        try:
            self.next_at = now + draw()
        except Exception as final:
            self._comeback = Comeback(self._backoff, retry=self._retry)
            self._is_failing = False
            self.are_unasked = False
            self.error = final
            return final
        return None
