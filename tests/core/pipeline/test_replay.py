"""The two guards of counters, against a set that remembers everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core import RemoteProtocolError, Violation
from wsproto_core._pipeline.replay import InOrder, Window

COUNTERS = st.integers(0, 5000) | st.integers(0, 20) | st.sampled_from([1023, 1024, 1025, 2**63, 2**64 - 1])


def takes(guard: InOrder | Window, counter: int) -> bool:
    violation = None
    try:
        guard.take(counter)
    except RemoteProtocolError as error:
        violation = error.violation
    assert violation in (None, Violation.REPLAYED_MESSAGE)
    return violation is None


@given(st.lists(COUNTERS))
def test_a_window_takes_each_counter_once_unless_it_is_too_old(counters: list[int]) -> None:
    window, taken = Window(), set[int]()
    for counter in counters:
        expected = counter not in taken and counter > max(taken, default=-1) - 1024
        assert takes(window, counter) is expected
        if expected:
            taken.add(counter)


@pytest.mark.parametrize(("late", "is_taken"), [(1023, True), (1024, False)])
def test_the_edge_of_the_window(late: int, is_taken: bool) -> None:
    window = Window()
    assert takes(window, 5000)
    assert takes(window, 5000 - late) is is_taken


def test_a_window_remembers_no_more_than_it_needs() -> None:
    window = Window()
    for counter in range(3000):
        window.take(counter)
    assert window._seen.bit_length() == 1024


@given(st.lists(st.integers(0, 5)))
def test_in_order_takes_the_next_only(counters: list[int]) -> None:
    guard, following = InOrder(), 0
    for counter in counters:
        assert takes(guard, counter) is (counter == following)
        following += counter == following
