"""Is the peer still there? Pings on silence, and what counts as a sign of life (RFC 6455 §5.5.2, §5.5.3).

Any inbound byte is life, and so are bytes that leave while others wait behind them: a large transfer never dies of a
late pong, in either direction.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from .statistics import Latency, RoundTrips

__all__ = ["Keepalive"]

#: Pings whose answer is awaited at the same time.
_MAX_OUTSTANDING: Final = 64


class Keepalive:
    """Pings that wait for their pong."""

    __slots__ = ("_count", "_outstanding", "_round_trips", "asked_at", "last_pong")

    def __init__(self, now: float) -> None:
        #: When silence was last broken by a ping.
        self.asked_at = now
        #: When the last pong came; ``None`` before the first.
        self.last_pong: float | None = None
        self._round_trips: RoundTrips | None = None
        self._count = 0
        self._outstanding: OrderedDict[bytes, float] | None = None

    def is_answered(self, last_life: float) -> bool:
        """Whether there was a sign of life, the latest at ``last_life``, since silence was broken."""
        return last_life >= self.asked_at

    @property
    def is_waiting_for_many(self) -> bool:
        """Whether so many pings are unanswered that no other can be kept in mind."""
        return self._outstanding is not None and len(self._outstanding) >= _MAX_OUTSTANDING

    def next_payload(self) -> bytes:
        """A ping payload that no other ping of this connection has had."""
        self._count += 1
        return self._count.to_bytes(4, "big")

    def ping_sent(self, payload: bytes, now: float) -> None:
        """A ping was queued at ``now``."""
        if self._outstanding is None:
            self._outstanding = OrderedDict()
        if not self.is_waiting_for_many:
            self._outstanding.setdefault(payload, now)

    def pong_received(self, payload: bytes, now: float) -> float | None:
        """The round trip that ``payload`` ends, in seconds; ``None`` if no ping had it.

        A pong answers the pings before its own as well, because a peer need only answer the latest (RFC 6455 §5.5.3).
        """
        self.last_pong = now
        if self._outstanding is None or payload not in self._outstanding:
            return None
        sent = self._outstanding[payload]
        while self._outstanding.popitem(last=False)[0] != payload:
            pass
        self.round_trip_took(now - sent)
        return now - sent

    def round_trip_took(self, seconds: float) -> None:
        """A pong has come back after ``seconds``."""
        if self._round_trips is None:
            self._round_trips = RoundTrips()
        self._round_trips.add(seconds)

    @property
    def latency(self) -> Latency | None:
        """The round trips so far; ``None`` before the first."""
        return None if self._round_trips is None else self._round_trips.summary()

    def awaits(self, payload: bytes) -> bool:
        """Whether a ping with ``payload`` is still unanswered."""
        return self._outstanding is not None and payload in self._outstanding
