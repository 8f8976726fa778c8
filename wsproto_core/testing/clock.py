"""Time that passes only when somebody lets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from .contract import BrokenContract

__all__ = ["Participant", "Standstill", "Timed", "VirtualClock", "earliest"]

#: More rounds than this at one instant are an endless loop.
_ENDLESS: Final = 100_000


class Standstill(AssertionError):
    """What was waited for never happens: nobody has anything left to do, or the time allowed is over."""


class Participant(Protocol):
    """Something that lives by a :class:`VirtualClock`: a wire, or a simulation of your own."""

    def act(self) -> bool:
        """Do whatever can be done without time passing; tell whether anything was."""
        ...

    def next_time(self) -> float | None:
        """When there will be something to do by itself, in seconds of the clock; ``None`` for never. May be in the
        past: at once.
        """
        ...


class VirtualClock:
    """The time that every participant sees, in seconds. Calling the clock tells it, as :func:`time.monotonic` does.

    ``start`` is not zero by default: a clock that starts at zero hides time that was never given.
    """

    def __init__(self, start: float = 1000.0) -> None:
        #: The time.
        self.now: float = start
        #: Grows whenever code that is no participant's has had its turn, and may have called any engine: who has looked
        #: at an engine since need not look again.
        self.turns: int = 0
        self._participants: list[Participant] = []

    def __call__(self) -> float:
        return self.now

    def join(self, participant: Participant) -> None:
        """Let ``participant`` live by this clock."""
        self._participants.append(participant)

    def next_time(self) -> float | None:
        """When something will happen by itself; ``None`` for never."""
        return earliest(*[participant.next_time() for participant in self._participants])

    def settle(self) -> None:
        """Let everything happen that happens without time passing. Raises :exc:`BrokenContract` if that never ends."""
        self.turns += 1
        self._settle()

    def advance(self) -> bool:
        """Run to the next moment at which something happens, and let it; tell whether there is one."""
        self.turns += 1
        time = self.next_time()
        if time is not None:
            self._go_to(time)
        return time is not None

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass, and everything happen in its time."""
        until = self.now + seconds
        self.settle()
        while (time := self.next_time()) is not None and time <= until:
            self._go_to(time)
        self.now = until

    def run_until(self, condition: Callable[[], bool], *, within: float | None = None) -> None:
        """Let time pass until ``condition`` holds. Raises :exc:`Standstill` if nothing happens any more, or once
        ``within`` seconds are not enough.
        """
        until = None if within is None else self.now + within
        self.settle()
        while not condition():
            time = self.next_time()
            if time is None:
                raise Standstill(f"at {self.now}: nothing will ever happen again")
            if until is not None and time > until:
                raise Standstill(f"at {self.now}: it does not happen within {within} seconds")
            self._go_to(time)

    def _go_to(self, time: float) -> None:
        self.now = max(self.now, time)
        self._settle()

    def _settle(self) -> None:
        for _ in range(_ENDLESS):
            acted = False
            for participant in self._participants:
                acted |= participant.act()
            if not acted:
                return
        raise BrokenContract(f"at {self.now}: it never comes to rest")


class Timed:
    """What lives by a clock, and lets it run."""

    def __init__(self, clock: VirtualClock | None) -> None:
        #: The time of all that belongs to it.
        self.clock: VirtualClock = clock if clock is not None else VirtualClock()

    @property
    def now(self) -> float:
        """The time, in seconds."""
        return self.clock.now

    def settle(self) -> None:
        """Let everything happen that happens without time passing."""
        self.clock.settle()

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass, and everything happen in its time."""
        self.clock.run(seconds)


def earliest(*times: float | None) -> float | None:
    """The first of ``times``; ``None`` where all of them are never."""
    first: float | None = None
    for time in times:
        if time is not None and (first is None or time < first):
            first = time
    return first
