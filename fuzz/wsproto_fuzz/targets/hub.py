"""The target of the hub: an input that says who asks for what, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from wsproto_core import Message
from wsproto_core.hub import (
    Broadcast,
    Command,
    Connect,
    Disconnect,
    Hub,
    HubLimits,
    Join,
    Leave,
    ListMembers,
    Position,
    Publish,
    Send,
    SetPresence,
)

from ..machines.hub_play import HubPlay
from ..oracles import rooms_apart, same_again
from .choices import Choices

__all__ = ["hub"]

_MOST_STEPS: Final = 200
_SESSIONS: Final = ("ada", "bob", "cyd", "")
_ROOMS: Final = ("x", "y", "é", "too long")
_CONTENTS: Final[tuple[Message, ...]] = ("", "hi", b"", b"\x00" * 50, "é" * 40, "\ud800", b"x" * 301)
_WAITS: Final = (0.0, 0.5, 10.0, 60.0)
_LIMITS: Final = (
    HubLimits(max_rooms=None, max_joined=None, max_history=2),
    HubLimits(max_rooms=None, max_joined=None, history_size=300, history_timeout=0.5),
    HubLimits(max_sessions=3, max_rooms=2, max_joined=2, max_members=2, room_name_size=2, message_size=60),
    HubLimits(max_rooms=1, presence_size=2, max_history=0, history_timeout=None),
)


def hub(data: bytes) -> object:
    """Some sessions ask a hub for what ``data`` says. Whatever it is: the hub does what its model does, the same again,
    and in each room the same as without the others, where no limit ties them together.
    """
    choices = Choices(data)
    limits = choices.choose(_LIMITS)
    play = HubPlay(Hub(limits))
    seen: list[object] = []
    for _ in range(_MOST_STEPS):
        if not choices.has_more:
            break
        play.wait(choices.choose(_WAITS) if choices.byte() > 0xC0 else 0.0)
        seen.append([type(effect).__name__ for effect in play.obey(choices.choose(_STEPS)(play, choices))])
        play.check()
    same_again(lambda: Hub(limits), play.steps)
    if limits.max_rooms is None and limits.max_joined is None:
        rooms_apart(lambda: Hub(limits), play.steps)
    return seen


def _connect(_: HubPlay, choices: Choices) -> Command:
    return Connect(choices.choose(_SESSIONS))


def _disconnect(_: HubPlay, choices: Choices) -> Command:
    return Disconnect(choices.choose(_SESSIONS))


def _join(_: HubPlay, choices: Choices) -> Command:
    return Join(choices.choose(_SESSIONS), choices.choose(_ROOMS), choices.choose(_CONTENTS))


def _come_back(play: HubPlay, choices: Choices) -> Command:
    """So many messages behind, in this life of the room or another."""
    session, room, back = choices.choose(_SESSIONS), choices.choose(_ROOMS), choices.byte()
    life = play.model.rooms.get(room)
    here = Position(play.now, 0) if life is None else life.position
    since = Position(here.epoch - (back & 0x80), here.offset - back % 8 + 1)
    return Join(session, room, since=since)


def _leave(_: HubPlay, choices: Choices) -> Command:
    return Leave(choices.choose(_SESSIONS), choices.choose(_ROOMS))


def _set_presence(_: HubPlay, choices: Choices) -> Command:
    return SetPresence(choices.choose(_SESSIONS), choices.choose(_ROOMS), choices.choose(_CONTENTS))


def _list_members(_: HubPlay, choices: Choices) -> Command:
    return ListMembers(choices.choose(_SESSIONS), choices.choose(_ROOMS))


def _publish(_: HubPlay, choices: Choices) -> Command:
    session, room, message = choices.choose(_SESSIONS), choices.choose(_ROOMS), choices.choose(_CONTENTS)
    return Publish(session, room, message, echo=choices.choose((True, False)))


def _send(_: HubPlay, choices: Choices) -> Command:
    return Send(choices.choose(_SESSIONS), choices.choose(_SESSIONS), choices.choose(_CONTENTS))


def _broadcast(_: HubPlay, choices: Choices) -> Command:
    return Broadcast(choices.choose(_SESSIONS), choices.choose(_CONTENTS), echo=choices.choose((True, False)))


_Step: TypeAlias = Callable[[HubPlay, Choices], Command]

#: What happens often stands there often.
_STEPS: Final[tuple[_Step, ...]] = (
    *(_publish,) * 4,
    *(_join,) * 3,
    *(_connect,) * 2,
    *(_come_back,) * 2,
    *(_leave,) * 2,
    _disconnect,
    _set_presence,
    _list_members,
    _send,
    _broadcast,
)
