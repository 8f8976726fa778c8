"""A bounded queue of messages, and what it gives up."""

from __future__ import annotations

from sys import getsizeof

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core import Drop
from wsproto_core._driver.waiting import WaitingMessages

EMPTY = getsizeof(b"")
MESSAGES = [bytes([number]) * (100 - EMPTY) for number in range(6)]  # 100 bytes of memory each


def drain(waiting: WaitingMessages) -> list[str | bytes]:
    taken = []
    while (message := waiting.take()) is not None:
        taken.append(message)
    return taken


@pytest.mark.parametrize(
    ("drop", "size", "max_messages", "kept"),
    [
        (Drop.OLDEST, 1000, None, MESSAGES),
        (Drop.NEWEST, 1000, None, MESSAGES),
        (Drop.OLDEST, 300, None, MESSAGES[3:]),
        (Drop.NEWEST, 300, None, MESSAGES[:3]),
        (Drop.OLDEST, 399, None, MESSAGES[3:]),
        (Drop.NEWEST, 399, None, MESSAGES[:3]),
        (Drop.OLDEST, 1, None, MESSAGES[5:]),
        (Drop.NEWEST, 1, None, MESSAGES[:1]),
        (Drop.OLDEST, 1000, 2, MESSAGES[4:]),
        (Drop.NEWEST, 1000, 2, MESSAGES[:2]),
    ],
)
def test_policies(drop: Drop, size: int, max_messages: int | None, kept: list[bytes]) -> None:
    waiting = WaitingMessages(size, drop, max_messages)
    assert waiting.put(MESSAGES) == [message for message in MESSAGES if message not in kept]
    assert waiting.dropped == 6 - len(kept)
    assert waiting.messages == tuple(kept)
    assert drain(waiting) == kept
    assert waiting.put(["again"]) == []
    assert drain(waiting) == ["again"]


def test_a_message_put_back_is_the_next_one_again_even_without_room() -> None:
    waiting = WaitingMessages(100, Drop.OLDEST)
    waiting.put(MESSAGES[:1])
    taken = waiting.take()
    assert taken is not None
    waiting.put(MESSAGES[1:2])
    waiting.put_back(taken)
    assert waiting.messages == (MESSAGES[0], MESSAGES[1])
    assert waiting.put(MESSAGES[2:3]) == MESSAGES[:2]


@given(
    st.sampled_from(Drop),
    st.integers(1, 500),
    st.none() | st.integers(1, 5),
    st.lists(st.binary(max_size=300)),
)
def test_everything_is_kept_or_given_up_and_the_bounds_hold(
    drop: Drop, size: int, max_messages: int | None, messages: list[bytes]
) -> None:
    waiting = WaitingMessages(size, drop, max_messages)
    given_up = []
    for message in messages:
        given_up += waiting.put([message])
        assert len(waiting) == 1 or sum(map(getsizeof, waiting.messages)) <= size
        assert max_messages is None or len(waiting) <= max_messages
    assert sorted([*given_up, *drain(waiting)]) == sorted(messages)
    assert waiting.dropped == len(given_up)
