"""A pool through whatever happens, in whatever order."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.driver.pool_world import FORBIDDEN, REFUSED, Line, World
from wsproto_core import (
    Backoff,
    PoolSlot,
    PoolTicket,
    State,
)
from wsproto_core._driver.pool_parts import Stage


def is_open(slot: PoolSlot[Line]) -> bool:
    return slot.connection.state is State.OPEN


class AnyOrder(RuleBasedStateMachine):
    """A pool and a model of those who use it."""

    @initialize(
        min_size=st.integers(0, 2),
        max_size=st.integers(2, 4),
        max_users=st.integers(1, 3),
        idle_timeout=st.sampled_from([None, 3.0]),
        max_lifetime=st.sampled_from([None, 5.0]),
        health_interval=st.sampled_from([None, 2.0]),
        acquire_timeout=st.sampled_from([None, 4.0]),
        chance=st.sampled_from([0.0, 0.5, 0.999]),
    )
    def begin(self, chance: float, **limits: Any) -> None:
        self.world = World.of(chance=chance, backoff=Backoff(initial=1.0, cap=4.0), **limits)
        self.limits = self.world.engine.limits
        self.waiting: list[PoolTicket[Line]] = []
        self.held: list[PoolTicket[Line]] = []
        self.open: list[PoolSlot[Line]] = []
        self.granted: list[PoolTicket[Line]] = []
        self.is_closing = False
        self.note()

    def note(self) -> None:
        """Learn who was settled, and check that they were in order."""
        settled, self.world.settled = self.world.settled, []
        for ticket in settled:
            if ticket.slot is not None:
                earlier = self.waiting[: self.waiting.index(ticket)]
                assert all(other.error is not None for other in earlier), "somebody was passed over"
                self.held.append(ticket)
            self.waiting.remove(ticket)

    def pick(self, data: st.DataObject, items: list[Any]) -> Any:
        return items[data.draw(st.integers(0, len(items) - 1))]

    @precondition(lambda self: not self.is_closing)
    @rule(timeout=st.sampled_from([None, 0.0, 1.0]))
    def ask(self, timeout: float | None) -> None:
        ticket = self.world.engine.acquire(self.world.now, timeout)
        self.waiting.append(ticket)
        self.world.look()
        self.note()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        ticket = self.pick(data, self.waiting)
        self.world.engine.withdraw(ticket, self.world.now)
        self.waiting.remove(ticket)
        self.world.look()
        self.note()

    @precondition(lambda self: self.held)
    @rule(data=st.data(), way=st.sampled_from(["fit", "unfit", "unused"]))
    def give_back(self, data: st.DataObject, way: str) -> None:
        ticket = self.pick(data, self.held)
        self.held.remove(ticket)
        if way == "unused":
            self.world.engine.withdraw(ticket, self.world.now)
        else:
            self.world.engine.release(ticket, self.world.now, is_fit=way == "fit")
        self.world.look()
        self.note()

    @precondition(lambda self: self.world.attempts)
    @rule()
    def succeed(self) -> None:
        self.open.append(self.world.succeed())
        self.note()

    @precondition(lambda self: self.world.attempts)
    @rule(error=st.sampled_from([REFUSED, FORBIDDEN]))
    def fail(self, error: Exception) -> None:
        self.world.fail(error)
        self.note()

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        slot = self.pick(data, self.open)
        self.open.remove(slot)
        self.world.end(slot)
        self.note()

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def begin_to_end(self, data: st.DataObject) -> None:
        self.pick(data, self.open).connection.state = State.CLOSING

    @precondition(lambda self: self.world.checks)
    @rule()
    def answer(self) -> None:
        self.world.engine.answered(self.world.checks.pop(0), self.world.now)
        self.world.look()
        self.note()

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.5, 6.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)
        self.note()

    @rule(grace_period=st.sampled_from([0.0, 2.0]))
    def close(self, grace_period: float) -> None:
        self.world.engine.close(self.world.now, grace_period)
        self.is_closing = True
        self.world.look()
        self.note()

    @invariant()
    def never_more_than_the_limits(self) -> None:
        assert len(self.open) + len(self.world.attempts) <= self.limits.max_size
        assert all(0 <= slot.users <= self.limits.max_users for slot in self.open)
        assert sum(slot.users for slot in self.open) <= len(self.held)

    @invariant()
    def the_books_are_right(self) -> None:
        now = self.world.engine.statistics
        assert now.waiting == len(self.waiting)
        assert now.open == len(self.open) == now.opened - now.closed
        assert now.opening == len(self.world.attempts)
        assert now.users == sum(ticket.slot in self.open for ticket in self.held)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """Who waits does so for a user, a check, an attempt, an end, or a time that comes."""
        if not self.waiting:
            return
        for slot in self.open:
            assert slot.stage is not Stage.READY or slot.users == self.limits.max_users or not is_open(slot)
        if not self.open and not self.world.attempts:
            assert self.world.engine.next_deadline() is not None

    def teardown(self) -> None:
        """However it was left, everybody who still waits is served once the world is kind; then it closes."""
        if not hasattr(self, "world"):
            return
        for _ in range(100):
            self.be_kind()
            if not self.waiting:
                break
        assert not self.waiting
        self.close(5.0)
        for _ in range(10):
            self.be_kind()
        assert self.world.engine.is_over
        assert not self.open

    def be_kind(self) -> None:
        """Users leave, attempts succeed, checks are answered, what is closed or dropped ends, and time passes."""
        while self.held:
            self.world.engine.release(self.held.pop(), self.world.now, is_fit=True)
            self.world.look()
            self.note()
        while self.world.attempts:
            self.succeed()
        while self.world.checks:
            self.answer()
        over = set(self.world.closes + self.world.aborts)
        for slot in [slot for slot in self.open if slot in over or not is_open(slot)]:
            self.open.remove(slot)
            self.world.end(slot)
            self.note()
        self.wait(1.0)


AnyOrder.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestAnyOrder = AnyOrder.TestCase
