"""What a pool decides, in virtual time."""

from __future__ import annotations

import pytest

from tests.driver.pool_world import FORBIDDEN, REFUSED, Line, World, rested
from wsproto_core import (
    Backoff,
    CloseReport,
    ConnectionClosedError,
    ConnectionRefused,
    Initiator,
    LocalProtocolError,
    PoolClosed,
    PoolLimits,
    PoolTimeout,
    State,
)
from wsproto_core._driver.pool import PoolEngine

# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_size", -1),
        ("min_size", 11),
        ("max_size", 0),
        ("max_users", 0),
        ("idle_timeout", 0),
        ("max_lifetime", -1.0),
        ("acquire_timeout", float("inf")),
        ("health_interval", 0),
        ("health_timeout", float("nan")),
    ],
)
def test_a_limit_that_cannot_work_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        PoolLimits(**{name: value})  # type: ignore[arg-type]  # its name is checked


@pytest.mark.parametrize("name", ["min_size", "max_size", "max_users", "idle_timeout"])
def test_a_limit_of_the_wrong_kind_is_named(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        PoolLimits(**{name: "5"})  # type: ignore[arg-type]  # the wrong kind


def test_arguments_that_cannot_work_are_named() -> None:
    world = World.of()
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="timeout"):
            world.ask(bad)
        with pytest.raises(ValueError, match="grace_period"):
            world.engine.close(world.now, bad)
    assert world.engine.statistics.waiting == 0
    assert not world.engine.is_over


# --- who gets which ---------------------------------------------------------------------------------------------------


def test_none_is_opened_before_somebody_asks() -> None:
    world = World.of()
    assert not world.attempts
    assert world.engine.next_deadline() is None
    ticket = world.ask()
    assert len(world.attempts) == 1
    assert not ticket.is_settled
    slot = world.succeed()
    assert world.settled == [ticket]
    assert ticket.connection() is slot.connection


def test_one_that_was_given_back_is_used_again() -> None:
    world = World.of()
    first = world.use()
    world.give_back(first)
    assert world.use().slot is first.slot
    assert world.engine.statistics.opened == 1


def test_among_those_without_users_the_one_used_last_is_next() -> None:
    world = World.of()
    slots = rested(world, 3)
    assert [world.use().slot for _ in range(3)] == slots[::-1]


def test_the_one_with_the_fewest_users_is_next() -> None:
    world = World.of(max_size=2, max_users=3)
    first, second = world.use().slot, world.use().slot
    assert first is second  # there is only one yet
    other = world.succeed()
    assert first is not None
    users = []
    for _ in range(4):
        world.use()
        users.append((first.users, other.users))
    assert users[:2] == [(2, 1), (2, 2)]
    assert users[3] == (3, 3)
    assert not world.ask().is_settled


def test_who_shares_does_not_wait_for_the_connection_that_is_opened_for_the_next() -> None:
    world = World.of(max_size=2, max_users=2)
    first = world.use()
    second = world.ask()
    assert second.slot is first.slot
    assert len(world.attempts) == 1
    third = world.ask()
    assert not third.is_settled
    assert third not in world.settled
    assert world.succeed() is third.slot


def test_those_who_wait_are_served_in_the_order_of_asking() -> None:
    world = World.of(max_size=1)
    held = world.use()
    waiting = [world.ask() for _ in range(3)]
    for ticket in waiting:
        world.give_back(held)
        held = ticket
        assert ticket.is_settled
    assert world.settled[1:] == waiting


def test_nobody_passes_those_who_wait() -> None:
    world = World.of(max_size=1)
    held = world.use()
    first = world.ask()
    world.engine.release(held, world.now, is_fit=True)
    second = world.ask()
    assert first.is_settled
    assert not second.is_settled


def test_who_gives_up_waiting_is_passed_over() -> None:
    world = World.of(max_size=1)
    held = world.use()
    gone, staying = world.ask(), world.ask()
    world.engine.withdraw(gone, world.now)
    world.give_back(held)
    assert not gone.is_settled
    assert staying.slot is held.slot


def test_who_gives_up_when_served_gives_it_to_the_next() -> None:
    world = World.of(max_size=1)
    held = world.use()
    gone, staying = world.ask(), world.ask()
    world.give_back(held)
    assert gone.is_settled
    world.engine.withdraw(gone, world.now)
    assert staying.slot is held.slot


def test_what_was_opened_for_one_who_gave_up_is_kept() -> None:
    world = World.of()
    ticket = world.ask()
    world.engine.withdraw(ticket, world.now)
    slot = world.succeed()
    assert world.use().slot is slot


def test_who_waits_too_long_is_refused() -> None:
    world = World.of(max_size=1, acquire_timeout=7.0)
    held = world.use()
    patient, short, never = world.ask(), world.ask(2.0), world.ask(0)
    with pytest.raises(PoolTimeout, match="within 0 seconds"):
        never.connection()
    assert not short.is_settled
    world.wait(2.0)
    with pytest.raises(PoolTimeout, match=r"within 2\.0 seconds"):
        short.connection()
    assert not patient.is_settled
    world.wait(4.9)
    assert not patient.is_settled
    world.wait(0.1)
    with pytest.raises(PoolTimeout, match=r"within 7\.0 seconds"):
        patient.connection()
    world.give_back(held)
    assert world.engine.statistics.timed_out == 3
    assert world.engine.next_deadline() is None


def test_without_a_time_limit_it_waits_for_ever() -> None:
    world = World.of(max_size=1, acquire_timeout=None)
    world.use()
    ticket = world.ask()
    world.wait(1e9)
    assert not ticket.is_settled


def test_the_reason_of_a_timeout_is_its_cause() -> None:
    world = World.of(acquire_timeout=1.0)
    ticket = world.ask()
    world.fail()
    world.wait(1.0)
    with pytest.raises(PoolTimeout) as caught:
        ticket.connection()
    assert caught.value.__cause__ is REFUSED
    assert caught.value.code == -602


# --- what is given back -----------------------------------------------------------------------------------------------


def test_one_that_is_given_back_unfit_is_closed_and_replaced() -> None:
    world = World.of(max_size=1)
    bad = world.use()
    waiting = world.ask()
    world.give_back(bad, is_fit=False)
    assert world.closes == [bad.slot]
    assert not world.attempts  # max_size counts it until its end
    assert bad.slot is not None
    world.end(bad.slot)
    world.succeed()
    assert waiting.is_settled
    assert waiting.slot is not bad.slot


def test_one_that_is_unfit_is_closed_when_its_other_users_are_done() -> None:
    world = World.of(max_size=1, max_users=2)
    bad, good = world.use(), world.use()
    waiting = world.ask()
    world.give_back(bad, is_fit=False)
    assert not world.closes
    assert not waiting.is_settled
    world.give_back(good)
    assert world.closes == [good.slot]


def test_one_that_ends_while_it_is_used_is_replaced_for_the_next() -> None:
    world = World.of(max_size=1)
    held = world.use()
    waiting = world.ask()
    assert held.slot is not None
    world.end(held.slot)
    assert world.succeed() is waiting.slot
    world.give_back(held, is_fit=False)
    assert not world.closes
    assert world.engine.statistics.open == 1


def test_one_that_is_closing_is_not_handed_out() -> None:
    world = World.of()
    (slot,) = rested(world, 1)
    slot.connection.state = State.CLOSING
    ticket = world.ask()
    assert world.closes == [slot]
    assert world.succeed() is ticket.slot
    world.end(slot)
    assert world.engine.statistics.open == 1


# --- how many, and for how long ---------------------------------------------------------------------------------------


def test_min_size_is_opened_at_once_and_kept() -> None:
    world = World.of(min_size=2, idle_timeout=10.0)
    assert len(world.attempts) == 2
    slots = [world.succeed(), world.succeed()]
    world.wait(1000.0)
    assert not world.closes
    world.end(slots[0])
    world.wait(0.5)
    assert len(world.attempts) == 1


def test_those_to_spare_are_closed_when_they_have_rested_too_long() -> None:
    world = World.of(min_size=1, idle_timeout=10.0)
    slots = rested(world, 3)
    world.wait(8.0)
    world.give_back(world.use())
    assert world.closes == [slots[0]]  # the other two are younger
    world.wait(2.0)
    assert world.closes == slots[:2]
    world.wait(100.0)
    assert world.closes == slots[:2]
    assert world.engine.statistics.idle == 1


def test_those_that_have_rested_equally_long_do_not_all_leave() -> None:
    world = World.of(min_size=1, idle_timeout=10.0)
    tickets = [world.use(), world.use(), world.use()]
    for ticket in tickets:
        world.give_back(ticket)
    world.wait(10.0)
    assert world.closes == [ticket.slot for ticket in tickets[:2]]


def test_one_that_is_too_old_is_closed_as_soon_as_nobody_uses_it() -> None:
    world = World.of(max_lifetime=60.0)
    used = world.use()
    (rest,) = rested(world, 1)
    world.wait(60.0)
    assert world.closes == [rest]
    assert world.ask().slot is None
    world.give_back(used)
    assert world.closes == [rest, used.slot]


def test_one_that_leaves_makes_room_only_by_its_end() -> None:
    world = World.of(min_size=1, max_size=1, max_lifetime=60.0)
    slot = world.succeed()
    world.wait(60.0)
    assert world.closes == [slot]
    assert world.engine.next_deadline() is None
    assert not world.attempts
    world.end(slot)
    assert len(world.attempts) == 1  # its end was no surprise


# --- health -----------------------------------------------------------------------------------------------------------


def test_one_that_rests_is_checked_again_and_again() -> None:
    world = World.of(health_interval=20.0)
    (slot,) = rested(world, 1)
    for count in range(1, 4):
        world.wait(20.0)
        assert world.checks == [slot] * count
        world.engine.answered(slot, world.now)
    assert world.use().slot is slot
    world.wait(100.0)
    assert len(world.checks) == 3


def test_one_that_was_just_used_is_not_checked() -> None:
    world = World.of(health_interval=20.0)
    rested(world, 1)
    world.wait(15.0)
    world.give_back(world.use())
    world.wait(19.9)
    assert not world.checks
    world.wait(0.1)
    assert len(world.checks) == 1


def test_nobody_gets_one_that_is_being_checked() -> None:
    world = World.of(health_interval=20.0)
    (slot,) = rested(world, 1)
    world.wait(20.0)
    ticket = world.ask()
    assert not ticket.is_settled
    assert not world.attempts
    world.engine.answered(slot, world.now)
    assert ticket.slot is slot


def test_one_that_does_not_answer_is_dropped_and_replaced() -> None:
    world = World.of(health_interval=20.0, health_timeout=5.0)
    (slot,) = rested(world, 1)
    world.wait(20.0)
    ticket = world.ask()
    world.wait(5.0)
    assert world.aborts == [slot]
    world.engine.answered(slot, world.now)  # too late
    assert not ticket.is_settled
    assert world.succeed() is ticket.slot
    world.end(slot)
    assert world.engine.statistics.closed == 1


def test_without_a_time_limit_a_check_takes_as_long_as_it_takes() -> None:
    world = World.of(health_interval=20.0, health_timeout=None)
    rested(world, 1)
    world.wait(1000.0)
    assert len(world.checks) == 1
    assert not world.aborts


def test_one_that_ends_while_it_is_checked_is_replaced() -> None:
    world = World.of(min_size=1, health_interval=20.0)
    slot = world.succeed()
    world.wait(20.0)
    world.end(slot)
    assert not world.attempts
    world.wait(0.5)
    assert len(world.attempts) == 1


# --- failures ---------------------------------------------------------------------------------------------------------


def test_behind_a_failure_one_at_a_time_and_later_each_time() -> None:
    world = World.of(min_size=3, backoff=Backoff(initial=1.0, factor=2.0, cap=60.0), chance=0.5)
    assert len(world.attempts) == 3
    for _ in range(3):
        world.fail()  # they began together: one failure
    assert not world.attempts
    for pause in (0.5, 1.0, 2.0, 4.0):
        world.wait(pause - 0.01)
        assert not world.attempts
        world.wait(0.01)
        assert len(world.attempts) == 1
        world.fail()
    world.wait(8.0)
    world.succeed()
    assert len(world.attempts) == 2
    assert world.engine.statistics.failed == 7


def test_once_it_has_worked_for_a_while_the_count_starts_anew() -> None:
    world = World.of(backoff=Backoff(initial=1.0, stable_after=5.0), chance=0.5)
    world.ask()
    for pause in (0.5, 1.0):
        world.fail()
        world.wait(pause)
    world.succeed()
    world.wait(5.0)
    world.ask()
    world.fail()
    world.wait(0.5)
    assert len(world.attempts) == 1


def test_one_that_is_only_opened_to_be_dropped_does_not_start_the_count_anew() -> None:
    world = World.of(min_size=1, backoff=Backoff(initial=1.0, stable_after=5.0), chance=0.5)
    for pause in (0.5, 1.0, 2.0):
        world.end(world.succeed())
        world.wait(pause - 0.01)
        assert not world.attempts
        world.wait(0.01)
        assert len(world.attempts) == 1


def test_an_outage_long_ago_makes_no_pause_longer() -> None:
    world = World.of(backoff=Backoff(initial=1.0, stable_after=5.0), chance=0.5)
    first = world.ask()
    for pause in (0.5, 1.0, 2.0):
        world.fail()
        world.wait(pause)
    world.succeed()
    assert first.is_settled
    world.wait(100.0)
    (young,) = rested(world, 1)
    world.end(young)
    world.ask()
    world.wait(0.5)
    assert len(world.attempts) == 1


def test_those_lost_together_come_back_after_one_pause() -> None:
    world = World.of(min_size=3, backoff=Backoff(initial=1.0), chance=0.5)
    slots = [world.succeed() for _ in range(3)]
    world.wait(100.0)
    for slot in slots:
        world.end(slot)
    assert not world.attempts
    world.wait(0.5)
    assert len(world.attempts) == 3


def test_who_waits_is_told_of_a_failure_that_time_does_not_mend() -> None:
    world = World.of(min_size=1)
    tickets = [world.ask(), world.ask()]
    world.fail(FORBIDDEN)
    for ticket in tickets:
        with pytest.raises(ValueError, match="not like this"):
            ticket.connection()
    world.fail(FORBIDDEN)
    world.wait(1000.0)
    assert not world.attempts  # not for min_size alone
    ticket = world.ask()
    assert world.succeed() is ticket.slot  # but at once for whoever asks
    others = [world.ask(), world.ask()]
    assert len(world.attempts) == 2
    world.fail(FORBIDDEN)
    assert all(other.error is FORBIDDEN for other in others)
    assert ticket.error is None


def test_users_of_a_shared_connection_are_no_reason_to_repeat_what_cannot_work() -> None:
    world = World.of(max_users=3)
    world.use()
    world.use()
    world.fail(FORBIDDEN)
    world.wait(1000.0)
    assert not world.attempts


def test_attempts_that_are_exhausted_end_the_waiting() -> None:
    world = World.of(backoff=Backoff(initial=1.0, max_attempts=2))
    ticket = world.ask()
    world.fail()
    world.wait(1.0)
    assert not ticket.is_settled
    world.fail()
    with pytest.raises(ConnectionRefused):
        ticket.connection()
    tickets = [world.ask(), world.ask()]
    assert len(world.attempts) == 2
    world.fail()
    world.wait(1.0)
    assert not any(ticket.is_settled for ticket in tickets)  # who asks anew has as many attempts


def test_a_close_code_that_says_stay_away_is_heard() -> None:
    world = World.of(min_size=1)
    world.end(world.succeed(), CloseReport(initiator=Initiator.PEER, code=1008, received_code=1008))
    world.wait(1000.0)
    assert not world.attempts
    ticket = world.ask(1.0)
    assert len(world.attempts) == 1
    world.wait(1.0)
    with pytest.raises(PoolTimeout) as caught:
        ticket.connection()
    assert isinstance(caught.value.__cause__, ConnectionClosedError)


# --- the end ----------------------------------------------------------------------------------------------------------


def test_one_that_is_being_closed_gives_nothing_more() -> None:
    world = World.of(max_size=1)
    world.use()
    waiting = world.ask()
    world.engine.close(world.now, 10.0)
    with pytest.raises(PoolClosed):
        waiting.connection()
    with pytest.raises(PoolClosed, match="closed"):
        world.ask()
    world.look()
    assert world.settled[-1] is waiting
    assert not world.closes
    assert not world.aborts
    assert not world.engine.is_over


def test_those_nobody_uses_are_closed_at_once_and_the_others_when_given_back() -> None:
    world = World.of()
    (rest,) = rested(world, 1)
    used, other = world.use(), world.use()
    world.give_back(other)
    assert other.slot is not None
    assert used.slot is rest
    world.engine.close(world.now, 10.0)
    world.look()
    assert world.closes == [other.slot]
    world.give_back(used)
    assert world.closes == [other.slot, rest]
    for slot in world.closes:
        assert not world.engine.is_over
        world.end(slot)
    assert world.engine.is_over
    assert world.engine.next_deadline() is None


def test_behind_the_grace_period_the_rest_is_dropped() -> None:
    world = World.of()
    used = world.use()
    world.engine.close(world.now, 10.0)
    world.wait(9.9)
    assert not world.aborts
    world.wait(0.1)
    assert world.aborts == [used.slot]
    world.give_back(used)
    assert not world.closes
    assert used.slot is not None
    world.end(used.slot)
    assert world.engine.is_over


def test_closing_again_can_only_be_sooner() -> None:
    world = World.of()
    used = world.use()
    world.engine.close(world.now, 10.0)
    world.engine.close(world.now, 20.0)
    assert world.engine.next_deadline() == world.now + 10.0
    world.engine.close(world.now, 0)
    world.look()
    assert world.aborts == [used.slot]


def test_what_is_opened_after_all_is_closed_again() -> None:
    world = World.of(min_size=2)
    world.engine.close(world.now, 10.0)
    assert world.engine.is_over  # what is not open need not be waited for
    late = world.succeed()
    assert world.closes == [late]
    world.wait(10.0)
    assert world.aborts == [late]
    world.end(late)
    world.fail()
    assert world.engine.is_over
    assert world.engine.statistics.opening == 0
    assert not world.attempts


def test_it_is_opened_once() -> None:
    world = World.of()
    with pytest.raises(LocalProtocolError, match="once"):
        world.engine.open(world.now)
    world.engine.close(world.now, 0)
    with pytest.raises(LocalProtocolError, match="once"):
        world.engine.open(world.now)


def test_it_must_be_opened_first() -> None:
    engine = PoolEngine[Line](PoolLimits(min_size=1), backoff=Backoff(), retry=None, chance=lambda: 0.0)
    with pytest.raises(PoolClosed, match="never entered"):
        engine.acquire(0.0)
    assert engine.actions() == []
    assert not engine.is_over


# --- statistics -------------------------------------------------------------------------------------------------------


def test_statistics() -> None:
    world = World.of(max_size=3, max_users=2)
    assert world.engine.statistics.wait_times is None
    first = world.ask()
    world.now += 2.0
    world.succeed()
    world.ask()
    now = world.engine.statistics
    assert (now.opening, now.open, now.in_use, now.idle, now.users, now.waiting) == (1, 1, 1, 0, 2, 0)
    assert now.wait_times is not None
    assert (now.wait_times.count, now.wait_times.max, now.wait_times.min) == (2, 2.0, 0.0)
    world.succeed()
    world.give_back(first)  # which the second user has still
    now = world.engine.statistics
    assert (now.opening, now.open, now.in_use, now.idle, now.users) == (0, 2, 1, 1, 1)
    assert (now.opened, now.closed, now.failed, now.acquired, now.timed_out) == (2, 0, 0, 2, 0)
