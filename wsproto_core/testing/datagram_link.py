"""One direction of a network for datagrams: loss, delay, duplication and reordering from a seed, and a log of each."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

from .chance import Chance
from .link import check_range

__all__ = ["Arrival", "DatagramLink"]


class Arrival(NamedTuple):
    """One copy of a datagram has arrived."""

    #: Which one it is: datagrams are numbered from 0 in the order in which they were put.
    number: int
    #: When it left, and when it came, in seconds.
    left_at: float
    came_at: float


class DatagramLink:
    """What happens to datagrams on their way, and how often it did.

    ``loss``, ``duplication`` and ``reordering`` are chances, 0 to 1, for every datagram: to vanish, to arrive twice,
    and (for each copy) to be held back by ``held`` seconds. Every copy takes ``delay`` seconds, and evenly up to
    ``jitter`` more, so that datagrams which are closer together than that overtake one another. ``chance``:
    ``Chance(0)`` by default.

    All of them may be changed at any time. Raises :exc:`ValueError`, naming the argument.
    """

    def __init__(
        self,
        *,
        loss: float = 0.0,
        duplication: float = 0.0,
        reordering: float = 0.0,
        delay: float = 0.0,
        jitter: float = 0.0,
        held: float = 0.5,
        chance: Chance | None = None,
    ) -> None:
        check_range(1, loss=loss, duplication=duplication, reordering=reordering)
        check_range(delay=delay, jitter=jitter, held=held)
        self.loss: float = loss
        self.duplication: float = duplication
        self.reordering: float = reordering
        self.delay: float = delay
        self.jitter: float = jitter
        self.held: float = held
        #: How many datagrams were put, and the numbers of those that vanished.
        self.sent: int = 0
        self.lost: list[int] = []
        #: Every copy that was taken, in the order of arrival.
        self.log: list[Arrival] = []
        #: What decides.
        self.chance: Chance = chance if chance is not None else Chance(0)
        # Arrival, a number that decides between equals, which datagram it is, departure, and the datagram.
        self._flight: list[tuple[float, int, int, float, bytes]] = []
        self._copies = 0

    def put(self, datagram: bytes, now: float) -> None:
        """Send one off."""
        number = self.sent
        self.sent += 1
        if self.chance.happens(self.loss):
            self.lost.append(number)
            return
        for _ in range(2 if self.chance.happens(self.duplication) else 1):
            wait = self.delay + self.jitter * self.chance.fraction()
            wait += self.held if self.chance.happens(self.reordering) else 0.0
            self._copies += 1
            heappush(self._flight, (now + wait, self._copies, number, now, datagram))

    def take(self, now: float) -> bytes | None:
        """The next one that has arrived by ``now``; ``None`` if there is none."""
        if not self._flight or self._flight[0][0] > now:
            return None
        came_at, _, number, left_at, datagram = heappop(self._flight)
        self.log.append(Arrival(number, left_at, came_at))
        return datagram

    def next_time(self) -> float | None:
        """When the next one arrives; ``None`` while none is on its way."""
        return self._flight[0][0] if self._flight else None
