"""What a receiver should have measured of a network that logs what it did."""

from __future__ import annotations

from dataclasses import dataclass

from wsproto_core.testing import DatagramLink


@dataclass
class Seen:
    """What a receiver should have measured, found out by the definitions."""

    duplicates: int = 0
    reordered: int = 0
    jitter: float = 0.0

    @classmethod
    def of(cls, link: DatagramLink) -> Seen:
        seen = cls()
        numbers: set[int] = set()
        transit: float | None = None
        for number, left, came in link.log:
            if number in numbers:
                seen.duplicates += 1
                continue
            seen.reordered += bool(numbers) and number < max(numbers)
            numbers.add(number)
            if transit is not None:
                seen.jitter += (abs(came - left - transit) - seen.jitter) / 16
            transit = came - left
        return seen
