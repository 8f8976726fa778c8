"""Time that passes only when somebody lets it."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final, Protocol

from .contract import BrokenContract

__all__ = ["Participant", "Standstill", "Timed", "VirtualClock", "earliest"]

#: More rounds than this at one instant, for each participant, are an endless loop.
_ENDLESS: Final = 10_000


class Standstill(AssertionError):
    """What was waited for never happens: nobody has anything left to do, or the time allowed is over."""


class Participant(Protocol):
    """Something that lives by a :class:`VirtualClock`: a wire, or a simulation of your own."""

    def act(self) -> None:
        """Do whatever can be done without time passing. What that means for others, they are told by what
        :meth:`VirtualClock.join` gave for them, or everybody is by :attr:`VirtualClock.turns`.
        """
        ...

    def next_time(self) -> float | None:
        """When there will be something to do by itself, in seconds of the clock; ``None`` for never. May be in the
        past: at once.
        """
        ...


class VirtualClock:
    """The time that every participant sees, in seconds. Calling the clock tells it, as :func:`time.monotonic` does.

    A step of time costs nothing for those who have nothing to do then, however many they are. ``start`` is not zero by
    default: a clock that starts at zero hides time that was never given.
    """

    def __init__(self, start: float = 1000.0) -> None:
        #: The time.
        self.now: float = start
        #: Grows whenever code has had its turn that may have called any engine: everybody is looked at then.
        self.turns: int = 0
        self._participants: list[Participant] = []
        # When each of them wants to act next, and all that in order, where what has changed since is passed over.
        self._wishes: list[float | None] = []
        self._agenda: list[tuple[float, int]] = []
        # The turn at which everybody was last looked at.
        self._looked_at = -1

    def __call__(self) -> float:
        return self.now

    def join(self, participant: Participant) -> Callable[..., None]:
        """Let ``participant`` live by this clock. Call what this returns when there may be something for it to do now,
        or with the time at which there will be.
        """
        index = len(self._participants)
        self._participants.append(participant)
        self._wishes.append(None)
        self.turns += 1

        def rouse(at: float | None = None) -> None:
            self._wish(index, self.now if at is None else at)

        return rouse

    def next_time(self) -> float | None:
        """When something will happen by itself; ``None`` for never."""
        for index, participant in enumerate(self._participants):
            self._wish(index, participant.next_time())
        return self._next_wish()

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
        self.turns += 1
        time = self._settle()
        while time is not None and time <= until:
            time = self._go_to(time)
        self.now = until

    def run_until(self, condition: Callable[[], bool], *, within: float | None = None) -> None:
        """Let time pass until ``condition`` holds. Raises :exc:`Standstill` if nothing happens any more, or once
        ``within`` seconds are not enough.
        """
        until = None if within is None else self.now + within
        self.turns += 1
        time = self._settle()
        while not condition():
            if time is None:
                raise Standstill(f"at {self.now}: nothing will ever happen again")
            if until is not None and time > until:
                raise Standstill(f"at {self.now}: it does not happen within {within} seconds")
            time = self._go_to(time)

    def _go_to(self, time: float) -> float | None:
        self.now = max(self.now, time)
        return self._settle()

    def _settle(self) -> float | None:
        """Look at everybody if anybody may have been touched, else at those whose time has come, until all rest; return
        when somebody wants to act next.
        """
        for _ in range(_ENDLESS * (1 + len(self._participants))):
            time = self._next_wish()
            if self._looked_at != self.turns:
                self._look_at_everybody()
            elif time is not None and time <= self.now:
                self._let_act(self._agenda[0][1])
            else:
                return time
        raise BrokenContract(f"at {self.now}: it never comes to rest")

    def _look_at_everybody(self) -> None:
        self._looked_at = self.turns
        for index in range(len(self._participants)):
            self._let_act(index)
        if len(self._participants) == 1:
            self._looked_at = self.turns  # nobody else can have been touched since

    def _let_act(self, index: int) -> None:
        participant = self._participants[index]
        participant.act()
        self._wish(index, participant.next_time())

    def _wish(self, index: int, time: float | None) -> None:
        """One of them wants to act at ``time``."""
        if time != self._wishes[index]:
            self._wishes[index] = time
            if time is not None:
                heappush(self._agenda, (time, index))

    def _next_wish(self) -> float | None:
        """The earliest of the wishes that hold."""
        agenda, wishes = self._agenda, self._wishes
        while agenda:
            time, index = agenda[0]
            if wishes[index] == time:
                return time
            heappop(agenda)
        return None


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
