"""The virtual clock: what happens when, and what is said when nothing does."""

from __future__ import annotations

import pytest

from wsproto_core.testing import BrokenContract, Standstill, VirtualClock


class Diary:
    """A participant that has appointments, and may rouse another one."""

    def __init__(self, clock: VirtualClock, *times: float) -> None:
        self.clock = clock
        self.appointments = sorted(times)
        self.kept: list[float] = []
        self.rouses: list[Diary] = []
        clock.join(self)

    def act(self) -> bool:
        if not self.appointments or self.appointments[0] > self.clock.now:
            return False
        self.kept.append(self.clock.now)
        del self.appointments[0]
        for other in self.rouses:
            other.appointments.insert(0, self.clock.now)
        return True

    def next_time(self) -> float | None:
        return self.appointments[0] if self.appointments else None


def test_the_clock_is_a_clock() -> None:
    assert VirtualClock()() == VirtualClock().now == 1000.0
    assert VirtualClock(5.0)() == 5.0


def test_time_passes_from_one_moment_to_the_next() -> None:
    clock = VirtualClock(0.0)
    one, two = Diary(clock, 1.0, 3.0, 9.0), Diary(clock, 2.0, 3.0)
    assert clock.next_time() == 1.0
    clock.run(8.0)
    assert (one.kept, two.kept) == ([1.0, 3.0], [2.0, 3.0])
    assert clock.now == 8.0
    assert clock.advance()
    assert (clock.now, one.kept[-1]) == (9.0, 9.0)
    assert not clock.advance()
    assert clock.next_time() is None


def test_what_is_overdue_happens_at_once() -> None:
    clock = VirtualClock(5.0)
    late = Diary(clock, 1.0)
    clock.settle()
    assert (late.kept, clock.now) == ([5.0], 5.0)
    late.appointments = [2.0]
    assert clock.advance()
    assert late.kept == [5.0, 5.0]


def test_whoever_is_roused_acts_at_the_same_instant() -> None:
    clock = VirtualClock(0.0)
    first, second = Diary(clock), Diary(clock, 1.0)
    second.rouses = [first]
    clock.run(2.0)
    assert (first.kept, second.kept) == ([1.0], [1.0])


def test_waiting_for_something() -> None:
    clock = VirtualClock(0.0)
    diary = Diary(clock, 1.0, 2.0, 3.0)
    clock.run_until(lambda: len(diary.kept) == 2)
    assert clock.now == 2.0
    clock.run_until(lambda: True, within=0.0)
    assert clock.now == 2.0
    with pytest.raises(Standstill, match=r"within 0\.5 seconds"):
        clock.run_until(lambda: len(diary.kept) == 3, within=0.5)
    with pytest.raises(Standstill, match="nothing will ever happen again"):
        clock.run_until(lambda: False)
    assert clock.now == 3.0


def test_an_endless_loop_is_found() -> None:
    clock = VirtualClock()

    class Restless:
        def act(self) -> bool:
            return True

        def next_time(self) -> None:
            return None

    clock.join(Restless())
    with pytest.raises(BrokenContract, match="never comes to rest"):
        clock.settle()
