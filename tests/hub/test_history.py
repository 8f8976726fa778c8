"""What is kept of a room, for those who come back."""

from __future__ import annotations

from sys import getsizeof
from typing import Any

import pytest

from wsproto_core.hub.history import History
from wsproto_core.hub.limits import HubLimits


def filled(*messages: str, **limits: Any) -> History:
    history = History(HubLimits(**limits))
    assert [history.append("ada", message) for message in messages] == list(range(1, len(messages) + 1))
    return history


def since(history: History, offset: int) -> list[Any] | None:
    kept = history.since(offset)
    return None if kept is None else [(item.offset, item.message) for item in kept]


def test_what_came_behind_an_offset() -> None:
    history = filled("a", "b", "c")
    assert since(history, 0) == [(1, "a"), (2, "b"), (3, "c")]
    assert since(history, 2) == [(3, "c")]
    assert since(history, 3) == []


@pytest.mark.parametrize("offset", [-1, 4])
def test_an_offset_that_never_was(offset: int) -> None:
    assert since(filled("a", "b", "c"), offset) is None


def test_it_is_bounded_by_count() -> None:
    history = filled("a", "b", "c", max_history=2)
    assert since(history, 0) is None
    assert since(history, 1) == [(2, "b"), (3, "c")]


def test_it_is_bounded_by_memory() -> None:
    history = filled("a", "b", "c", max_history=None, history_size=2 * (getsizeof("a") + 100))
    assert since(history, 0) is None
    assert since(history, 1) == [(2, "b"), (3, "c")]


def test_empty_messages_cost_memory_too() -> None:
    history = filled(*[""] * 1000, max_history=None, history_size=1000)
    assert since(history, 990) is None


def test_a_message_that_is_too_large_to_be_kept_leaves_nothing() -> None:
    history = filled("a", "b" * 1000, history_size=500)
    assert since(history, 1) is None
    assert since(history, 2) == []
    assert history.append("ada", "c") == 3
    assert since(history, 2) == [(3, "c")]


def test_nothing_is_kept_where_nothing_is_wanted() -> None:
    history = filled("a", "b", max_history=0)
    assert since(history, 1) is None
    assert since(history, 2) == []


def test_no_limit() -> None:
    history = filled(*"abcdefghijkl" * 20, max_history=None, history_size=None)
    assert len(since(history, 0) or ()) == 240
