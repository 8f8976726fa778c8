"""Limits are checked when they are made, and each of them holds to the last unit."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from tests.hub.kit import assert_refused, hub_with
from wsproto_core.hub import (
    Broadcast,
    Command,
    Connect,
    Deliver,
    Disconnect,
    Entered,
    HubLimits,
    Join,
    Leave,
    PresenceChanged,
    Publish,
    Reason,
    Send,
    SetPresence,
)

COUNTS = [item.name for item in fields(HubLimits) if item.name != "history_timeout"]


def test_the_defaults_are_bounded() -> None:
    limits = HubLimits()
    assert [item.name for item in fields(HubLimits) if getattr(limits, item.name) is None] == []
    assert limits.message_size == 512 * 1024


@pytest.mark.parametrize("name", COUNTS)
def test_a_limit_is_a_positive_integer_or_none(name: str) -> None:
    for right in (1, None):
        assert getattr(HubLimits(**{name: right}), name) == right
    for value in (-1,) if name == "max_history" else (0, -1):
        with pytest.raises(ValueError, match=f"^{name} must be positive, not {value}"):
            HubLimits(**{name: value})
    wrong: dict[str, Any] = {name: 1.5}
    with pytest.raises(TypeError, match=f"^{name} must be an integer or None"):
        HubLimits(**wrong)


def test_a_history_of_nothing_can_be_wanted() -> None:
    assert HubLimits(max_history=0).max_history == 0


def test_the_history_timeout_is_a_duration() -> None:
    assert HubLimits(history_timeout=None).history_timeout is None
    with pytest.raises(ValueError, match=r"^history_timeout must be positive and finite"):
        HubLimits(history_timeout=0)


def test_sessions_are_limited() -> None:
    hub = hub_with("ada", "bob", max_sessions=2)
    assert_refused(hub, Connect("cyd"), Reason.TOO_MANY_SESSIONS, "session")
    hub.handle(Disconnect("ada"), 0)
    assert hub.handle(Connect("cyd"), 0) == []


def test_rooms_of_a_session_are_limited() -> None:
    hub = hub_with("ada", room="one", max_joined=1)
    assert_refused(hub, Join("ada", "two"), Reason.TOO_MANY_JOINED, "session")
    hub.handle(Leave("ada", "one"), 0)
    assert isinstance(hub.handle(Join("ada", "two"), 0)[0], Entered)


def test_members_of_a_room_are_limited() -> None:
    hub = hub_with("ada", "bob", room="lobby", max_members=2)
    hub.handle(Connect("cyd"), 0)
    assert_refused(hub, Join("cyd", "lobby"), Reason.ROOM_FULL, "room")
    hub.handle(Leave("ada", "lobby"), 0)
    assert isinstance(hub.handle(Join("cyd", "lobby"), 0)[0], Entered)


def test_rooms_are_limited_and_those_that_nobody_is_in_make_way() -> None:
    hub = hub_with("ada", "bob", room="lobby", max_rooms=2)
    hub.handle(Join("ada", "attic"), 0)
    assert_refused(hub, Join("bob", "cellar"), Reason.TOO_MANY_ROOMS, "room")
    hub.handle(Leave("ada", "attic"), 0)
    assert isinstance(hub.handle(Join("bob", "cellar"), 0)[0], Entered)
    assert hub.statistics.rooms == 2


TEXT_OR_BYTES: list[Any] = ["é" * 4, b"12345678"]


@pytest.mark.parametrize("content", TEXT_OR_BYTES)
def test_messages_and_presence_are_limited_in_bytes(content: Any) -> None:
    hub = hub_with("ada", room="lobby", message_size=8, presence_size=8)
    more = content + content[:1]
    right: list[tuple[Command, type[Any]]] = [
        (Publish("ada", "lobby", content), Deliver),
        (Send("ada", "ada", content), Deliver),
        (Broadcast("ada", content), Deliver),
        (SetPresence("ada", "lobby", content), PresenceChanged),
        (Join("ada", "attic", content), Entered),
    ]
    assert [type(hub.handle(command, 0)[0]) for command, _ in right] == [effect for _, effect in right]
    assert_refused(hub, Publish("ada", "lobby", more), Reason.TOO_LARGE, "message")
    assert_refused(hub, Send("ada", "ada", more), Reason.TOO_LARGE, "message")
    assert_refused(hub, Broadcast("ada", more), Reason.TOO_LARGE, "message")
    assert_refused(hub, SetPresence("ada", "lobby", more), Reason.TOO_LARGE, "presence")
    assert_refused(hub, Join("ada", "cellar", more), Reason.TOO_LARGE, "presence")


def test_names_of_rooms_are_limited_in_bytes() -> None:
    hub = hub_with("ada", room_name_size=2)
    assert isinstance(hub.handle(Join("ada", "é"), 0)[0], Entered)
    assert_refused(hub, Join("ada", "éa"), Reason.TOO_LARGE, "room")


def test_text_that_cannot_be_sent_is_refused() -> None:
    hub = hub_with("ada", room="lobby")
    half = "\ud800"
    assert_refused(hub, Join("ada", half), Reason.NOT_TEXT, "room")
    assert_refused(hub, Join("ada", "attic", half), Reason.NOT_TEXT, "presence")
    assert_refused(hub, Publish("ada", "lobby", half), Reason.NOT_TEXT, "message")


def test_no_limit_is_no_limit() -> None:
    hub = hub_with("ada", "bob", room="lobby", **dict.fromkeys(COUNTS))
    for number in range(300):
        hub.handle(Join("ada", f"room {number}" + "x" * 1000, "y" * 10_000), 0)
    hub.handle(Publish("ada", "lobby", b"z" * 1_000_000), 0)
    assert hub.statistics.rooms == 301
    assert hub.statistics.refused == 0
