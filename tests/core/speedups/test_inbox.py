"""The inbox: order, memory, and its two marks."""

from __future__ import annotations

from sys import getsizeof

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.twins import Leaves, Twin, compiled, in_python
from wsproto_core import Event, Fragment, Ping
from wsproto_core._speedups import Inbox


@pytest.fixture(scope="module")
def inbox_type(twin: Twin) -> type[Inbox]:
    return twin.inbox


def test_items_leave_in_the_order_they_came(inbox_type: type[Inbox]) -> None:
    inbox = inbox_type(1000)
    assert inbox.gather(["a", b"b"]) == []
    assert inbox.gather([Fragment("c", final=True)]) == []
    assert len(inbox) == 3
    assert [inbox.take() for _ in range(4)] == ["a", b"b", Fragment("c", final=True), None]
    assert inbox.size == 0


@pytest.mark.parametrize("taken_between", [0, 1, 2, 3])
def test_order_and_memory_whatever_is_taken_meanwhile(inbox_type: type[Inbox], taken_between: int) -> None:
    """The places of what was taken become free: one by one, many at once, and all."""
    inbox = inbox_type(1_000_000)
    taken: list[object] = []
    for number in range(300):
        inbox.gather([f"{number} a", f"{number} b"])
        taken += [inbox.take() for _ in range(taken_between)]
    assert len(inbox) == max(0, 2 - taken_between) * 300
    taken += [inbox.take() for _ in range(len(inbox))]
    assert [item for item in taken if item] == [f"{number} {letter}" for number in range(300) for letter in "ab"]
    assert (len(inbox), inbox.size, inbox.take()) == (0, 0, None)


def test_what_is_no_message_is_returned_in_its_order(inbox_type: type[Inbox]) -> None:
    inbox = inbox_type(1000)
    assert inbox.gather([Ping(b"1"), "a", Ping(b"2"), b"b"]) == [Ping(b"1"), Ping(b"2")]
    assert [inbox.take(), inbox.take(), inbox.take()] == ["a", b"b", None]


def test_the_size_is_memory_so_that_tiny_messages_count(inbox_type: type[Inbox]) -> None:
    inbox = inbox_type(10_000)
    inbox.gather([b"", "x"])
    assert inbox.size == getsizeof(b"") + getsizeof("x")
    part = Fragment(b"xyz", final=False)
    inbox.gather([part])
    assert inbox.size == getsizeof(b"") + getsizeof("x") + getsizeof(b"xyz") + getsizeof(part)


@pytest.mark.parametrize("message", [b"", b"x" * 1000, "", "x", "x" * 1000, "\xe9", "é" * 99, "€" * 99, "😀" * 99])
def test_a_message_costs_what_its_object_does(leaves: Leaves, message: str | bytes) -> None:
    assert leaves.memory_of(message) == getsizeof(message)


def test_there_is_room_below_the_high_mark_and_again_at_half_of_it(inbox_type: type[Inbox]) -> None:
    piece = bytes(100 - getsizeof(b""))
    inbox = inbox_type(400)
    room = []
    for _ in range(5):
        inbox.gather([piece])
        room.append(inbox.has_room)
    for _ in range(5):
        inbox.take()
        room.append(inbox.has_room)
    assert room == [True, True, True, False, False, False, False, True, True, True]


def test_without_room_an_empty_batch_changes_nothing(inbox_type: type[Inbox]) -> None:
    inbox = inbox_type(10)
    inbox.gather([b"large"])
    inbox.gather([])
    assert not inbox.has_room


def test_nothing_is_at_hand_where_taking_it_lets_reading_go_on(inbox_type: type[Inbox]) -> None:
    inbox = inbox_type(100)
    assert inbox.at_hand() is None
    inbox.gather(["a"])
    assert inbox.at_hand() == "a"
    inbox.gather([b"x" * 100, "b"])
    assert inbox.at_hand() is None
    assert inbox.take() == b"x" * 100
    assert inbox.at_hand() == "b"


def test_whoever_took_a_message_may_answer_until_it_asks_for_more_than_there_is(inbox_type: type[Inbox]) -> None:
    inbox = inbox_type(1000)
    answering = [inbox.is_answering]
    inbox.gather(["a", "b"])
    for take in (inbox.take, inbox.take, inbox.take):
        take()
        answering.append(inbox.is_answering)
    assert answering == [False, True, True, False]
    inbox.gather(["c"])
    for answers in (True, False):
        inbox.at_hand()
        assert inbox.is_answering is answers


def test_a_sealed_inbox_gives_out_and_takes_nothing_in(inbox_type: type[Inbox]) -> None:
    inbox = inbox_type(1000)
    inbox.gather(["kept"])
    inbox.is_sealed = True
    assert inbox.gather(["dropped", Ping(b"")]) == [Ping(b"")]
    assert [inbox.take(), inbox.take()] == ["kept", None]


_EVENTS = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40),
    st.builds(Fragment, st.text(max_size=40), st.booleans()),
    st.builds(Ping, st.binary(max_size=4)),
)


@given(high=st.integers(1, 600), steps=st.lists(st.one_of(st.lists(_EVENTS, max_size=5), st.booleans()), max_size=30))
def test_both_twins_do_the_same(high: int, steps: list[list[Event] | bool]) -> None:
    ours, theirs = in_python().inbox(high), compiled().inbox(high)
    for step in steps:
        if isinstance(step, list):
            assert ours.gather(step) == theirs.gather(step)
        elif step:
            assert ours.take() == theirs.take()
        else:
            assert ours.at_hand() == theirs.at_hand()
        assert (len(ours), ours.size, ours.has_room, ours.is_answering) == (
            len(theirs),
            theirs.size,
            theirs.has_room,
            theirs.is_answering,
        )
