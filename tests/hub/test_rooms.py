"""Coming, going, coming back: who is told what, and when a room is forgotten."""

from __future__ import annotations

import pytest

from tests.hub.kit import all_effects, assert_refused, hub_with
from wsproto_core.hub import (
    Connect,
    Deliver,
    Disconnect,
    Effect,
    Entered,
    Hub,
    Join,
    Joined,
    Leave,
    Left,
    ListMembers,
    Member,
    Members,
    Position,
    PresenceChanged,
    Publish,
    Reason,
    SetPresence,
)


def test_who_enters_is_told_who_is_there_and_they_are_told_who_enters() -> None:
    hub = hub_with("ada", "bob")
    assert hub.handle(Join("ada", "lobby", "busy"), 1) == [
        Entered(("ada",), "lobby", (Member("ada", "busy"),), Position(1, 0), has_gap=False)
    ]
    assert hub.handle(Join("bob", "lobby", b"\x01"), 2) == [
        Entered(("bob",), "lobby", (Member("ada", "busy"), Member("bob", b"\x01")), Position(1, 0), has_gap=False),
        Joined(("ada",), "lobby", Member("bob", b"\x01")),
    ]


def test_who_leaves_is_told_like_those_who_stay() -> None:
    hub = hub_with("ada", "bob", room="lobby")
    assert hub.handle(Leave("ada", "lobby"), 0) == [Left(("ada", "bob"), "lobby", "ada")]
    assert hub.handle(Leave("bob", "lobby"), 0) == [Left(("bob",), "lobby", "bob")]


def test_who_disconnects_leaves_every_room() -> None:
    hub = hub_with("ada", "bob", "cyd", room="lobby")
    all_effects(hub, [Join("ada", "attic"), Join("ada", "cellar"), Join("bob", "cellar")])
    assert hub.handle(Disconnect("ada"), 0) == [Left(("bob", "cyd"), "lobby", "ada"), Left(("bob",), "cellar", "ada")]
    assert hub.statistics.sessions == 2
    assert_refused(hub, Disconnect("ada"), Reason.SESSION_NOT_FOUND, "session")
    hub.handle(Connect("ada"), 0)
    assert_refused(hub, Leave("ada", "lobby"), Reason.NOT_A_MEMBER, "room")


def test_a_session_connects_once() -> None:
    assert_refused(hub_with("ada"), Connect("ada"), Reason.SESSION_EXISTS, "session")


def test_presence_is_shown_to_all_members() -> None:
    hub = hub_with("ada", "bob", room="lobby")
    away = Member("ada", "away")
    assert hub.handle(SetPresence("ada", "lobby", "away"), 0) == [PresenceChanged(("ada", "bob"), "lobby", away)]
    assert hub.handle(ListMembers("bob", "lobby"), 0) == [Members(("bob",), "lobby", (away, Member("bob", "")))]


def test_a_room_is_entered_once() -> None:
    assert_refused(hub_with("ada", room="lobby"), Join("ada", "lobby"), Reason.ALREADY_A_MEMBER, "room")


@pytest.mark.parametrize(
    "command", [Leave("ada", "x"), SetPresence("ada", "x", ""), ListMembers("ada", "x"), Publish("ada", "x", "")]
)
def test_what_is_for_members_only(command: Leave | SetPresence | ListMembers | Publish) -> None:
    hub = hub_with("bob", room="x")
    assert_refused(hub, command, Reason.SESSION_NOT_FOUND, "session")
    hub.handle(Connect("ada"), 0)
    assert_refused(hub, command, Reason.NOT_A_MEMBER, "room")


def test_joining_takes_a_session() -> None:
    hub = hub_with()
    assert_refused(hub, Join("ada", "lobby"), Reason.SESSION_NOT_FOUND, "session")
    assert hub.statistics.rooms == 0


# --- coming back ------------------------------------------------------------------------------------------------------


def come_back(hub: Hub, since: Position, now: float = 1) -> tuple[Effect, list[object]]:
    """Cyd joins; what she is told, and the offsets and messages that she has missed."""
    hub.handle(Connect("cyd"), now)
    entered, *rest = hub.handle(Join("cyd", "lobby", since=since), now)
    return entered, [(item.offset, item.message) for item in rest if isinstance(item, Deliver)]


def lobby(**limits: int) -> Hub:
    """Ada and bob are in the lobby since 0, and ada has said a, b, c."""
    hub = hub_with("ada", "bob", room="lobby", **limits)
    all_effects(hub, [Publish("ada", "lobby", message) for message in "abc"])
    return hub


EVERYBODY = (Member("ada", ""), Member("bob", ""), Member("cyd", ""))


def test_what_was_missed_is_delivered_behind_the_welcome() -> None:
    hub = lobby()
    hub.handle(Connect("cyd"), 0)
    assert hub.handle(Join("cyd", "lobby", since=Position(0, 1)), 1) == [
        Entered(("cyd",), "lobby", EVERYBODY, Position(0, 3), has_gap=False),
        Deliver(("cyd",), "ada", "b", "lobby", 2),
        Deliver(("cyd",), "ada", "c", "lobby", 3),
        Joined(("ada", "bob"), "lobby", Member("cyd", "")),
    ]
    assert hub.statistics.delivered == 3 * 2 + 2


@pytest.mark.parametrize("since", [Position(0, 0), Position(0, 4), Position(0, -1), Position(0.5, 3)])
def test_a_gap_is_told_and_nothing_is_delivered(since: Position) -> None:
    entered = Entered(("cyd",), "lobby", EVERYBODY, Position(0, 3), has_gap=True)
    assert come_back(lobby(max_history=2), since) == (entered, [])


def test_who_has_missed_nothing_is_told_so() -> None:
    assert come_back(lobby(max_history=0), Position(0, 3)) == (
        Entered(("cyd",), "lobby", EVERYBODY, Position(0, 3), has_gap=False),
        [],
    )


# --- being forgotten --------------------------------------------------------------------------------------------------


def test_a_room_outlives_its_last_member_for_a_while() -> None:
    hub = lobby()
    all_effects(hub, [Leave("ada", "lobby"), Disconnect("bob")], 5)
    assert hub.next_deadline() == 65
    hub.handle_timeout(64.9)
    assert hub.statistics.rooms == 1
    assert come_back(hub, Position(0, 2), 64.9)[1] == [(3, "c")]
    assert hub.next_deadline() is None


def test_then_it_is_forgotten() -> None:
    hub = lobby()
    all_effects(hub, [Leave("ada", "lobby"), Leave("bob", "lobby")], 5)
    hub.handle_timeout(65)
    assert (hub.statistics.rooms, hub.next_deadline()) == (0, None)
    entered, missed = come_back(hub, Position(0, 2), 66)
    assert entered == Entered(("cyd",), "lobby", (Member("cyd", ""),), Position(66, 0), has_gap=True)
    assert missed == []


def test_a_timer_that_comes_late_changes_nothing() -> None:
    hub = lobby()
    all_effects(hub, [Disconnect("ada"), Disconnect("bob")], 5)
    assert come_back(hub, Position(0, 2), 65)[1] == []
    assert hub.statistics.rooms == 1


def test_rooms_are_forgotten_in_the_order_of_being_left() -> None:
    hub = hub_with("ada", room="one")
    hub.handle(Join("ada", "two"), 1)
    hub.handle(Leave("ada", "two"), 2)
    hub.handle(Leave("ada", "one"), 3)
    assert hub.next_deadline() == 62
    hub.handle_timeout(62)
    assert hub.next_deadline() == 63


def test_rooms_may_be_remembered_until_their_place_is_needed() -> None:
    hub = hub_with("ada", room="one", history_timeout=None, max_rooms=2)
    hub.handle(Leave("ada", "one"), 1)
    assert hub.next_deadline() is None
    hub.handle_timeout(1e9)
    assert hub.statistics.rooms == 1
    all_effects(hub, [Join("ada", "two"), Leave("ada", "two"), Join("ada", "three")], 1e9)
    assert hub.statistics.rooms == 2
    (entered,) = hub.handle(Join("ada", "two"), 1e9)
    assert entered.sessions == ("ada",)


def test_a_position_is_never_one_of_two_lives() -> None:
    """Even when a room is forgotten and comes back at the same time."""
    hub = hub_with("ada", room="lobby", max_rooms=1)
    epochs = set[float]()
    for _ in range(3):
        all_effects(hub, [Leave("ada", "lobby"), Join("ada", "other"), Leave("ada", "other")])
        (entered,) = hub.handle(Join("ada", "lobby"), 0)
        assert isinstance(entered, Entered)
        epochs.add(entered.position.epoch)
    assert len(epochs) == 3
    assert 0 not in epochs
