"""One direction of a stream of bytes: what a writer writes, on its way to a reader."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final, TypeAlias

from .._types import Buffer
from .chance import Chance
from .contract import BrokenContract

__all__ = ["Chunks", "Link", "check_range"]

#: How much of what has arrived is read at once: everything, so many bytes, or what chance says.
Chunks: TypeAlias = int | Chance | None

#: A line with a bandwidth moves this many seconds' worth of bytes at a time.
_SLICE: Final = 0.1


class Link:
    """The writer's buffer, the line, and the reader's buffer. Bytes neither vanish nor overtake one another.

    ``latency``: seconds on the line. ``jitter``: up to so many more, by ``chance`` (``Chance(0)`` by default).
    ``bandwidth``: bytes a second, ``None`` for an instant. ``capacity``: bytes that each of the two buffers holds,
    ``None`` for any number. All of them may be changed at any time. Raises :exc:`ValueError`, naming the argument.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        jitter: float = 0.0,
        bandwidth: float | None = None,
        capacity: int | None = None,
        chance: Chance | None = None,
    ) -> None:
        check_range(latency=latency, jitter=jitter)
        for name, value in (("bandwidth", bandwidth), ("capacity", capacity)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive or None, not {value!r}")
        self.latency: float = latency
        self.jitter: float = jitter
        self.bandwidth: float | None = bandwidth
        self.capacity: int | None = capacity
        #: While true, nothing leaves the writer's buffer.
        self.stalled: bool = False
        #: The writer will write no more.
        self.is_shut: bool = False
        #: Everything that was ever written.
        self.log: bytearray = bytearray()
        #: The reader's buffer.
        self.arrived: bytearray = bytearray()
        #: Whether the end has arrived behind it.
        self.has_ended: bool = False
        #: What decides.
        self.chance: Chance = chance if chance is not None else Chance(0)
        self._written = bytearray()
        # What is on the line, with when it arrives, and how many bytes that are; the end is None.
        self._flight: deque[tuple[float, bytes | None]] = deque()
        self._flight_size = 0
        # From when the line takes more, and until when what it took last is on it.
        self._free_at = self._last_at = 0.0
        self._end_has_left = False
        self._is_broken = False

    # --- the writer ---------------------------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether the writer's buffer takes more."""
        return self.capacity is None or len(self._written) < self.capacity

    @property
    def is_empty(self) -> bool:
        """Whether everything written has left the writer's buffer."""
        return not self._written

    @property
    def is_loaded(self) -> bool:
        """Whether anything, be it the end, has not left yet."""
        return bool(self._written) or (self.is_shut and not self._end_has_left)

    def write(self, data: Buffer) -> None:
        """Put ``data`` into the writer's buffer, whatever its capacity. Raises :exc:`BrokenContract` after the end."""
        if self.is_shut:
            raise BrokenContract(f"{len(data)} bytes are written after the end")
        self.log += data
        self._written += data

    def drop(self, now: float) -> None:
        """The writer is gone: what the line still takes arrives, and then the end; the rest vanishes."""
        self.move(now)
        self._written.clear()
        self.is_shut = True

    # --- the line -----------------------------------------------------------------------------------------------------

    def move(self, now: float) -> int:
        """Let bytes travel as far as they get by ``now``; return how many left the writer's buffer."""
        moved, written, flight = 0, self._written, self._flight
        while written and (self.bandwidth is None or self._free_at <= now) and (size := self._movable()):
            self._depart(bytes(written[:size]), now)
            del written[:size]
            moved += size
        if self.is_shut and not self._end_has_left and not written and not self.stalled:
            self._end_has_left = True
            self._depart(None, now)
        while flight and flight[0][0] <= now:
            self._arrive(flight.popleft()[1])
        return moved

    def next_time(self) -> float | None:
        """When something will move by itself; ``None`` for never."""
        arrival = self._flight[0][0] if self._flight else None
        if self.bandwidth is None or not self._written or not self._movable():
            return arrival
        return self._free_at if arrival is None else min(arrival, self._free_at)

    def discard(self) -> None:
        """The reader is gone, or the line is cut: whatever is on its way, or will be written, vanishes."""
        self._is_broken = True
        self._written.clear()
        self._flight.clear()
        self._flight_size = 0
        self.arrived.clear()

    # --- the reader ---------------------------------------------------------------------------------------------------

    def read(self, chunks: Chunks = None) -> bytes:
        """Take what has arrived, or as much of it as ``chunks`` says."""
        arrived = self.arrived
        size = len(arrived) if chunks is None else chunks if isinstance(chunks, int) else _some_of(arrived, chunks)
        piece = bytes(arrived) if size >= len(arrived) else bytes(arrived[:size])
        del arrived[:size]
        return piece

    # --- behind the face ----------------------------------------------------------------------------------------------

    def _movable(self) -> int:
        """How many bytes the line takes next."""
        if self.stalled:
            return 0
        size = len(self._written)
        if self.bandwidth is not None:
            size = min(size, max(1, int(self.bandwidth * _SLICE)))
        if self.capacity is not None:
            size = min(size, max(0, self.capacity - len(self.arrived) - self._flight_size))
        return size

    def _depart(self, piece: bytes | None, now: float) -> None:
        size = 0 if piece is None else len(piece)
        at = now
        if self.bandwidth is not None:
            at = self._free_at = max(self._free_at, now + size / self.bandwidth)
        at += self.latency
        if self.jitter:
            at += self.jitter * self.chance.fraction()
        at = self._last_at = max(self._last_at, at)
        self._flight_size += size
        self._flight.append((at, piece))

    def _arrive(self, piece: bytes | None) -> None:
        if piece is None:
            self.has_ended = True
            return
        self._flight_size -= len(piece)
        if not self._is_broken:
            self.arrived += piece


def check_range(highest: float = inf, **arguments: float) -> None:
    """Raise :exc:`ValueError`, naming the argument, unless each is from 0 to ``highest``."""
    for name, value in arguments.items():
        if not 0 <= value <= highest:
            raise ValueError(f"{name} must be from 0 to {highest}, not {value!r}")


def _some_of(arrived: bytearray, chance: Chance) -> int:
    """From one byte to half of it: what comes together is read in several pieces."""
    return 1 + chance.below(1 + len(arrived) // 2)
