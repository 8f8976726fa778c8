"""A network for datagrams, under virtual time: seeded loss, delay, duplication and reordering, and a log of each.

A :class:`Link` is one direction. :func:`run` lets two peers talk over two of them: after every input it flushes, and
nothing happens between two moments that somebody asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any

from wsproto_core._packets.datagram import DatagramPeer


@dataclass
class Link:
    """What happens to datagrams on their way, with which chance, and how often it did.

    ``delay`` and ``spread`` in seconds: each datagram takes ``delay`` and evenly up to ``spread`` more; those held back
    take ``held`` more.
    """

    seed: int = 0
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    delay: float = 0.05
    spread: float = 0.0
    held: float = 0.5
    #: Numbers of the datagrams lost, and of every one that arrived, in order of arrival, with when it left and came.
    lost: list[int] = field(default_factory=list)
    log: list[tuple[int, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._flight: list[tuple[float, int, int, float, bytes]] = []
        self._count = self._copies = 0

    def put(self, datagram: bytes, now: float) -> None:
        number, self._count = self._count, self._count + 1
        if self._chance(self.loss):
            self.lost.append(number)
            return
        for _ in range(2 if self._chance(self.duplication) else 1):
            wait = self.delay + self.spread * self._random.random()
            wait += self.held if self._chance(self.reordering) else 0.0
            self._copies += 1
            heappush(self._flight, (now + wait, self._copies, number, now, datagram))

    def take(self, now: float) -> bytes | None:
        """The next datagram that has arrived by ``now``."""
        if not self._flight or self._flight[0][0] > now:
            return None
        came, _, number, left, datagram = heappop(self._flight)
        self.log.append((number, left, came))
        return datagram

    @property
    def next_arrival(self) -> float:
        return self._flight[0][0] if self._flight else float("inf")

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability


@dataclass
class Seen:
    """What a receiver should have measured, found out by the definitions."""

    duplicates: int = 0
    reordered: int = 0
    jitter: float = 0.0

    @classmethod
    def of(cls, link: Link) -> Seen:
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


def run(
    left: DatagramPeer, right: DatagramPeer, there: Link, back: Link, start: float, until: float
) -> list[list[Any]]:
    """Let both live from ``start`` to ``until``; return the events of each."""
    events: list[list[Any]] = [[], []]
    now = start
    sides = ((left, back, there), (right, there, back))
    while now <= until:
        for index, (peer, incoming, _) in enumerate(sides):
            while (datagram := incoming.take(now)) is not None:
                events[index] += peer.receive_data(datagram, now)
            if (deadline := peer.next_deadline()) is not None and deadline <= now:
                events[index] += peer.handle_timeout(now)
        for peer, _, outgoing in sides:
            for datagram in peer.data_to_send(now):
                outgoing.put(datagram, now)
        moments = [peer.next_deadline() or float("inf") for peer in (left, right)]
        now = min(there.next_arrival, back.next_arrival, *moments)
    return events
