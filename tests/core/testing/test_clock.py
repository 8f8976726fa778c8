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
        self.looks = 0
        self.rouse = clock.join(self)

    def act(self) -> None:
        self.looks += 1
        while self.appointments and self.appointments[0] <= self.clock.now:
            self.kept.append(self.clock.now)
            del self.appointments[0]
            for other in self.rouses:
                other.appointments.insert(0, self.clock.now)
                other.rouse()

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


def test_whoever_is_roused_for_later_is_not_looked_at_before() -> None:
    clock = VirtualClock(0.0)
    other = Diary(clock)

    class Secretary(Diary):
        def act(self) -> None:
            if self.appointments and self.appointments[0] <= clock.now:
                other.appointments = [3.0]
                other.rouse(3.0)
            super().act()

    Secretary(clock, 1.0)
    clock.run(4.0)
    assert (other.kept, other.looks) == ([3.0], 2)


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
        def act(self) -> None:
            pass

        def next_time(self) -> float:
            return clock.now

    clock.join(Restless())
    with pytest.raises(BrokenContract, match="never comes to rest"):
        clock.settle()


def test_a_step_costs_those_nothing_who_have_nothing_to_do() -> None:
    clock = VirtualClock(0.0)
    busy, *idle = [Diary(clock, *range(1, 100)), Diary(clock, 50.0), Diary(clock)]
    clock.run(99.0)
    assert len(busy.kept) == 99
    assert [diary.looks for diary in idle] == [2, 1]


def test_whoever_may_have_touched_anybody_says_so_and_everybody_is_looked_at() -> None:
    clock = VirtualClock(0.0)

    class Meddler(Diary):
        def act(self) -> None:
            if self.appointments and self.appointments[0] <= clock.now:
                clock.turns += 1
            super().act()

    Meddler(clock, 1.0)
    other = Diary(clock)
    clock.run(2.0)
    assert other.looks == 2


def test_a_wish_that_changed_is_the_one_that_counts() -> None:
    clock = VirtualClock(0.0)
    diary = Diary(clock, 5.0)
    clock.run(1.0)
    diary.appointments = [3.0]
    assert clock.next_time() == 3.0
    diary.appointments = []
    assert clock.next_time() is None
    clock.run(9.0)
    assert diary.kept == []
