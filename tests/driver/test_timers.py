from __future__ import annotations

import pytest

from wsproto_core import Timer
from wsproto_core._driver.timers import Timers


def test_nothing_is_due_without_timers() -> None:
    timers = Timers()
    assert timers.next_deadline is None
    assert timers.pop_expired(1e9) is None


def test_the_earliest_is_next() -> None:
    timers = Timers()
    timers.set(Timer.PING, 100.0, 30.0)
    timers.set(Timer.PONG, 100.0, 20.0)
    assert timers.next_deadline == 120.0


def test_each_fires_once_and_in_order() -> None:
    timers = Timers()
    timers.set(Timer.PING, 100.0, 30.0)
    timers.set(Timer.PONG, 100.0, 20.0)
    assert timers.pop_expired(119.9) is None
    assert [timers.pop_expired(130.0) for _ in range(3)] == [Timer.PONG, Timer.PING, None]
    assert timers.next_deadline is None


def test_setting_again_replaces() -> None:
    timers = Timers()
    timers.set(Timer.IDLE, 0.0, 5.0)
    timers.set(Timer.IDLE, 0.0, 9.0)
    assert timers.next_deadline == 9.0


def test_without_a_timeout_it_is_cleared() -> None:
    timers = Timers()
    timers.set(Timer.IDLE, 0.0, 5.0)
    timers.set(Timer.IDLE, 1.0, None)
    assert not timers.is_set(Timer.IDLE)
    assert timers.next_deadline is None


def test_what_is_set_alone_keeps_its_deadline() -> None:
    timers = Timers()
    for timer in Timer:
        timers.set(timer, 0.0, 5.0)
    timers.set_alone(Timer.CLOSING, 2.0, 5.0)
    assert [timer for timer in Timer if timers.is_set(timer)] == [Timer.CLOSING]
    assert timers.next_deadline == 5.0
    timers.clear_all()
    assert not timers.is_set(Timer.CLOSING)
    assert timers.next_deadline is None


@pytest.mark.parametrize(("timeout", "deadline"), [(5.0, 7.0), (None, None)])
def test_what_is_set_alone_need_not_be_set_before(timeout: float | None, deadline: float | None) -> None:
    timers = Timers()
    timers.set(Timer.PING, 0.0, 5.0)
    timers.set_alone(Timer.CLOSING, 2.0, timeout)
    assert not timers.is_set(Timer.PING)
    assert timers.next_deadline == deadline


def test_clearing_what_is_not_set_is_harmless() -> None:
    timers = Timers()
    timers.clear(Timer.PING, Timer.PONG)
    assert timers.next_deadline is None
