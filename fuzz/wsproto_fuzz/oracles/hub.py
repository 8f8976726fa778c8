"""One hub against another that is asked the same, or a part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from wsproto_core.hub import Command, Effect, Hub, Refused

from .disagreement import Disagreement

__all__ = ["HubSteps", "rooms_apart", "same_again"]

#: Commands with their times, which never go back.
HubSteps: TypeAlias = Sequence[tuple[float, Command]]


def same_again(make_hub: Callable[[], Hub], steps: HubSteps) -> list[list[Effect]]:
    """Ask three hubs the same, and one of them to forget in time what is due: all must say the same, which is returned.
    Raises :exc:`Disagreement`.
    """
    first = [effects for _, effects in _play(make_hub(), steps, is_punctual=False)]
    for is_punctual in (False, True):
        for number, (command, effects) in enumerate(_play(make_hub(), steps, is_punctual=is_punctual)):
            if effects != first[number]:
                raise Disagreement(f"{command}, step {number}: {effects}, and the first time {first[number]}")
    return first


def rooms_apart(make_hub: Callable[[], Hub], steps: HubSteps) -> None:
    """Ask a hub everything, and others for one room each: what is told of a room must be the same. Raises
    :exc:`Disagreement`, and :exc:`ValueError` for a hub with ``max_rooms`` or ``max_joined``, which tie rooms together.
    """
    limits = make_hub().limits
    if limits.max_rooms is not None or limits.max_joined is not None:
        raise ValueError("make_hub must make hubs without max_rooms and max_joined")
    everything = list(_play(make_hub(), steps, is_punctual=False))
    for room in sorted({room for _, command in steps if (room := _room_of(command)) is not None}):
        among_others = _told_of(room, everything)
        part = [step for step in steps if _room_of(step[1]) in (room, None)]
        alone = _told_of(room, _play(make_hub(), part, is_punctual=False))
        if among_others != alone:
            raise Disagreement(f"of {room!r} among others {among_others} is told, and alone {alone}")


def _play(hub: Hub, steps: HubSteps, *, is_punctual: bool) -> Iterable[tuple[Command, list[Effect]]]:
    for now, command in steps:
        while is_punctual and (deadline := hub.next_deadline()) is not None and deadline <= now:
            hub.handle_timeout(deadline)
        yield command, hub.handle(command, now)


def _told_of(room: str, played: Iterable[tuple[Command, list[Effect]]]) -> list[Effect]:
    return [effect for _, effects in played for effect in effects if _room_of(effect) == room]


def _room_of(what: Command | Effect) -> str | None:
    """The room that it is about, if it is about one."""
    return getattr(what.command if isinstance(what, Refused) else what, "room", None)
