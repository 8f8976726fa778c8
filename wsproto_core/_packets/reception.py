"""What sequence numbers and timestamps tell of a network: loss, duplicates, reordering and jitter (RFC 3550 §6.4)."""

from __future__ import annotations

from typing import Final

from .packet import microseconds

__all__ = ["Reception", "signed"]

#: Duplicates are known among this many of the latest numbers; what comes later than that is stale.
_WINDOW: Final = 1024
_MASK: Final = (1 << _WINDOW) - 1
#: A number this far off is no loss: the peer counts anew, if the next one confirms it (RFC 3550 A.1).
_FAR: Final = 1 << 16


class Reception:
    """The numbers of one peer's messages as they came. Sequence numbers are those of the wire, modulo 2**32."""

    __slots__ = (
        "_candidate",
        "_earlier_loss",
        "_earlier_received",
        "_first",
        "_highest",
        "_received",
        "_seen",
        "_transit",
        "duplicates",
        "jitter",
        "reordered",
        "stale",
    )

    def __init__(self) -> None:
        #: Messages that came more than once; each further one counts.
        self.duplicates = 0
        #: Messages that came after one with a higher number, or after a datagram that was sent later.
        self.reordered = 0
        #: Messages too late, or too far off, to be judged.
        self.stale = 0
        #: The mean deviation of transit times, smoothed, in seconds (RFC 3550 §6.4.1).
        self.jitter = 0.0
        # Numbers without end, where those of the wire begin again: those of the first and the latest message.
        self._first = 0
        self._highest: int | None = None
        # Bit ``n`` is set if message ``_highest - n`` has come.
        self._seen = 0
        self._received = 0
        # Of the counts before the present one.
        self._earlier_loss = 0
        self._earlier_received = 0
        self._candidate: int | None = None
        self._transit: int | None = None

    @property
    def lost(self) -> int:
        """Messages that have not come, though a later one, or a datagram that announced later ones, has."""
        return self._earlier_loss + self._missing()

    @property
    def expected(self) -> int:
        """Different messages that have come, or should have."""
        return self.lost + self._earlier_received + self._received

    def begin(self, sequence: int) -> None:
        """The peer says that ``sequence`` is the number of its next message. Where that is far off, it counts anew."""
        if self._highest is None or abs(self._ahead(sequence)) > _FAR:
            self._earlier_loss += self._missing()
            self._earlier_received += self._received
            self._first = sequence
            self._highest = sequence - 1
            self._seen = self._received = 0
            self._candidate = self._transit = None

    def announced(self, sequence: int) -> None:
        """Another datagram says that every message below ``sequence`` was sent before it."""
        if self._highest is None:
            self.begin(sequence)
        ahead = self._ahead(sequence) - 1
        if 0 < ahead <= _FAR:
            self._advance(ahead)

    def arrived(self, sequence: int, timestamp: int, now: float) -> bool:
        """Message ``sequence`` has come; return whether it should be delivered: it is new."""
        if self._highest is None:
            self.begin(sequence)
        ahead = self._ahead(sequence)
        if abs(ahead) > _FAR and sequence == self._candidate:
            self.begin(sequence)
            ahead = 1
        if ahead > _FAR or ahead <= -_WINDOW:
            self._candidate = (sequence + 1) & 0xFFFF_FFFF
            self.stale += 1
            return False
        if not self._is_new(ahead):
            self.duplicates += 1
            return False
        self._received += 1
        self._measure(timestamp, now)
        return True

    def _missing(self) -> int:
        return 0 if self._highest is None else self._highest - self._first + 1 - self._received

    def _ahead(self, sequence: int) -> int:
        """How far ``sequence`` is ahead of the latest."""
        assert self._highest is not None, "counting has begun"
        return signed(sequence - self._highest)

    def _advance(self, ahead: int) -> None:
        assert self._highest is not None, "counting has begun"
        self._highest += ahead
        self._seen = (self._seen << ahead) & _MASK if ahead < _WINDOW else 0

    def _is_new(self, ahead: int) -> bool:
        """Note that the message ``ahead`` of the latest has come; return whether it had not before."""
        if ahead > 0:
            self._advance(ahead)
            self._seen |= 1
            return True
        bit = 1 << -ahead
        if self._seen & bit:
            return False
        self._seen |= bit
        self.reordered += 1
        assert self._highest is not None, "counting has begun"
        self._first = min(self._first, self._highest + ahead)
        return True

    def _measure(self, timestamp: int, now: float) -> None:
        transit = microseconds(now) - timestamp
        if self._transit is not None:
            deviation = abs(signed(transit - self._transit)) / 1_000_000
            self.jitter += (deviation - self.jitter) / 16  # RFC 3550 §6.4.1
        self._transit = transit


def signed(difference: int) -> int:
    """A difference of 32-bit counters that may have begun again between the two."""
    return ((difference + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
