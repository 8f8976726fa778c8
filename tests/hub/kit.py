"""What the tests of the hub share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wsproto_core.hub import Command, Connect, Effect, Hub, HubLimits, Join, Reason, Refused


def hub_with(*sessions: str, room: str = "", **limits: Any) -> Hub:
    """A hub with these sessions, all of them in ``room`` if it is given."""
    hub = Hub(HubLimits(**limits))
    for session in sessions:
        hub.handle(Connect(session), 0)
        if room:
            hub.handle(Join(session, room), 0)
    return hub


def all_effects(hub: Hub, commands: Iterable[Command], now: float = 0) -> list[Effect]:
    """What comes of these commands, one after the other."""
    return [effect for command in commands for effect in hub.handle(command, now)]


def assert_refused(hub: Hub, command: Command, reason: Reason, argument: str, now: float = 0) -> None:
    """``command`` is refused for that reason, and counted."""
    before = hub.statistics
    assert hub.handle(command, now) == [Refused(command, reason, argument)]
    assert hub.statistics.refused == before.refused + 1
    assert (hub.statistics.sessions, hub.statistics.rooms) == (before.sessions, before.rooms)
