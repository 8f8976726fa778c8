"""The hub as a machine: what it takes, and what it costs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.hub.kit import all_effects, hub_with
from wsproto_core.hub import (
    Broadcast,
    Command,
    Connect,
    Disconnect,
    Hub,
    HubLimits,
    HubStatistics,
    Join,
    Leave,
    ListMembers,
    Publish,
    Reason,
    Refused,
    Send,
    SetPresence,
)


def test_what_is_no_command_is_an_error() -> None:
    nonsense: Any = "join"
    with pytest.raises(TypeError, match=r"^command must be one of wsproto_core\.hub, not str$"):
        Hub().handle(nonsense, 0)


@pytest.mark.parametrize("now", [4.9, -1, math.nan])
def test_time_never_goes_back(now: float) -> None:
    hub = Hub()
    hub.handle_timeout(5)
    with pytest.raises(ValueError, match=r"^now must not go back: it was 5, and is "):
        hub.handle(Connect("ada"), now)
    with pytest.raises(ValueError, match=r"^now must not go back"):
        hub.handle_timeout(now)
    assert hub.statistics.sessions == 0
    assert hub.handle(Connect("ada"), 5) == []


def test_statistics() -> None:
    hub = hub_with("ada", "bob", room="lobby")
    all_effects(hub, [Publish("ada", "lobby", "hi"), Send("ada", "bob", "hi"), Leave("bob", "attic")])
    assert hub.statistics == HubStatistics(sessions=2, rooms=1, published=1, delivered=3, refused=1)
    assert hub.limits == HubLimits()


def test_a_refusal_says_what_and_why() -> None:
    (refused,) = Hub().handle(Disconnect("ada"), 0)
    assert isinstance(refused, Refused)
    assert refused.sessions == ("ada",)
    assert (refused.reason.code, str(refused.reason)) == (-620, "no session of this id is connected")


def test_codes_of_reasons_are_all_different() -> None:
    assert len({reason.code for reason in Reason}) == len(Reason)
    assert all(reason.code < -600 and reason.words for reason in Reason)


# --- what a command costs ---------------------------------------------------------------------------------------------


class Unwalkable(dict[str, Any]):
    """Can be asked for one, and never for all."""

    def walk(self) -> Any:
        raise AssertionError("somebody looks at all of them")

    __iter__ = keys = values = items = walk


def unwalkable() -> Hub:
    """Ada and bob in the lobby, and a failure wherever the hub looks at all sessions or at all rooms."""
    hub = hub_with("ada", "bob", room="lobby")
    inside: Any = hub
    for part, name in ((inside._sessions, "_sessions"), (inside._rooms, "_rooms")):
        setattr(part, name, Unwalkable(getattr(part, name)))
    return hub


COMMANDS: list[Command] = [
    Publish("ada", "lobby", "hi", echo=False),
    SetPresence("ada", "lobby", "away"),
    ListMembers("ada", "lobby"),
    Send("ada", "bob", "hi"),
    Leave("ada", "lobby"),
    Join("ada", "lobby"),
    Disconnect("ada"),
    Connect("ada"),
]


def test_a_command_never_looks_at_all_sessions_or_rooms() -> None:
    hub = unwalkable()
    for command in COMMANDS:
        hub.handle(command, 0)
    assert hub.statistics.refused == 0
    hub.handle(Disconnect("bob"), 1)
    hub.handle_timeout(100)
    assert hub.statistics.rooms == 0


def test_but_a_broadcast_does() -> None:
    with pytest.raises(AssertionError, match="all of them"):
        unwalkable().handle(Broadcast("ada", "news"), 0)
