"""What a connection counts: messages, bytes, control frames and round trips."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil
from typing import Final

from .histogram import Histogram

__all__ = ["Latency", "RoundTrips", "Statistics", "include"]

#: Percentiles look at this many of the latest round trips.
_WINDOW: Final = 256


class _Sample:
    """Holds what is no figure, and so no field: ``asdict()`` of the figures is plain JSON."""

    __slots__ = ("histogram",)

    #: All durations, for figures over several connections.
    histogram: Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency(_Sample):
    """Durations in seconds: round trips of pings, or waits for a connection of a pool. ``p50`` and ``p99`` look at the
    latest 256, the others at all.
    """

    count: int
    last: float
    min: float
    mean: float
    max: float
    p50: float
    p99: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "histogram", Histogram())


@dataclass(slots=True, kw_only=True)
class Statistics:
    """Counts since the connection was made. Bytes are those on the wire, handshake included."""

    messages_received: int = 0
    messages_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    pings_received: int = 0
    pings_sent: int = 0
    pongs_received: int = 0
    pongs_sent: int = 0


def include(total: Statistics, more: Statistics) -> None:
    """Add ``more`` to ``total``; a loop over the names takes twice as long."""
    total.messages_received += more.messages_received
    total.messages_sent += more.messages_sent
    total.bytes_received += more.bytes_received
    total.bytes_sent += more.bytes_sent
    total.pings_received += more.pings_received
    total.pings_sent += more.pings_sent
    total.pongs_received += more.pongs_received
    total.pongs_sent += more.pongs_sent


class RoundTrips:
    """Gathers round trips; costs nothing until the first one."""

    __slots__ = ("_count", "_histogram", "_latest", "_max", "_min", "_total")

    def __init__(self) -> None:
        self._latest: deque[float] | None = None
        self._histogram: Histogram | None = None
        self._count = 0
        self._total = self._max = 0.0
        self._min = float("inf")

    def add(self, seconds: float) -> None:
        if self._latest is None or self._histogram is None:
            self._latest, self._histogram = deque(maxlen=_WINDOW), Histogram()
        self._latest.append(seconds)
        self._histogram.add(seconds)
        self._count += 1
        self._total += seconds
        self._min = min(self._min, seconds)
        self._max = max(self._max, seconds)

    def summary(self) -> Latency | None:
        """The figures so far; ``None`` before the first round trip."""
        if self._latest is None or self._histogram is None:
            return None
        ranked = sorted(self._latest)
        latency = Latency(
            count=self._count,
            last=self._latest[-1],
            min=self._min,
            mean=self._total / self._count,
            max=self._max,
            p50=_percentile(ranked, 0.50),
            p99=_percentile(ranked, 0.99),
        )
        latency.histogram.include(self._histogram)
        return latency


def _percentile(ranked: list[float], fraction: float) -> float:
    """The nearest-rank percentile."""
    return ranked[ceil(fraction * len(ranked)) - 1]
