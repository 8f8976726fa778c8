"""How often which duration was seen: exact enough for percentiles, and small however many there are."""

from __future__ import annotations

from math import ceil

__all__ = ["Histogram"]

_NANO = 1_000_000_000
#: A duration of this many bits, in nanoseconds, still has a bucket for itself.
_EXACT_BITS = 6
_HALF = 1 << (_EXACT_BITS - 1)


class Histogram:
    """Counts durations in buckets that grow with them: 32 for every doubling, so that each is known within 2 %.

    A duration costs one more bucket at the most, and there are about 1000 between a microsecond and an hour.
    """

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many durations were seen."""
        return sum(self._buckets.values())

    def add(self, seconds: float) -> None:
        """A duration was seen. What is below zero counts as zero."""
        bucket = _bucket(seconds)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def include(self, other: Histogram) -> None:
        """Add all that ``other`` has seen."""
        for bucket, count in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count

    def copy(self) -> Histogram:
        """The same, from now on on its own."""
        copy = Histogram()
        copy._buckets = self._buckets.copy()
        return copy

    def percentile(self, fraction: float) -> float:
        """The duration in seconds that ``fraction`` (0 to 1) of all do not exceed, by nearest rank; 0 if there is
        none.
        """
        rank = max(1, ceil(fraction * self.count))
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return _middle(bucket)
        return 0.0


def _bucket(seconds: float) -> int:
    nanoseconds = max(0, int(seconds * _NANO))
    shift = max(0, nanoseconds.bit_length() - _EXACT_BITS)
    return shift * _HALF + (nanoseconds >> shift)


def _middle(bucket: int) -> float:
    shift = max(0, bucket // _HALF - 1)
    lowest = (bucket - shift * _HALF) << shift
    return (lowest + ((1 << shift) - 1) / 2) / _NANO
