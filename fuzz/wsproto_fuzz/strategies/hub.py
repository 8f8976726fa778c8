"""Commands for a hub of rooms: single ones, and whole talks of several sessions, with their times.

Sessions and rooms come from a few short names, so that they meet. A :class:`HubTalk` is plain data, for any hub that
takes the commands of ``wsproto_core.hub``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from hypothesis import strategies as st

from wsproto_core import Message
from wsproto_core.hub import (
    Broadcast,
    Command,
    Connect,
    Disconnect,
    Effect,
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

from .messages import messages
from .showing import Shown

__all__ = ["HUB_ROOMS", "HUB_SESSIONS", "HubTalk", "hub_commands", "hub_limits", "hub_messages", "hub_talks"]

#: Names of sessions that meet.
HUB_SESSIONS: Final[Sequence[str]] = ("ada", "bob", "cyd")
#: Names of rooms where they do.
HUB_ROOMS: Final[Sequence[str]] = ("x", "y", "lobby")

#: A talk makes times of these: the room began when it was joined for the first time, the second, …
_EPOCHS: Final = st.sampled_from([0, 0, 0, 1, 2])
_OFFSETS: Final = st.sampled_from([0, 0, 0, 1, 2, -1])
#: Whether a command comes whatever it needs.
_SUDDEN: Final = st.sampled_from([False, False, False, True])
_PAUSES: Final = st.sampled_from([0.0, 0.5, 10.0, 60.0])

#: What can be limited, down to what is reached at once.
_LIMITS: Final[Mapping[str, st.SearchStrategy[Any]]] = MappingProxyType(
    {
        "max_sessions": st.sampled_from([None, 2]),
        "max_rooms": st.sampled_from([2, 1]),
        "max_joined": st.just(1),
        "max_members": st.sampled_from([2, 1]),
        "room_name_size": st.just(2),
        "presence_size": st.just(3),
        "message_size": st.sampled_from([300, 3]),
        "max_history": st.sampled_from([2, 1, 0, None]),
        "history_size": st.sampled_from([400, 1, None]),
        "history_timeout": st.sampled_from([None, 0.5, 10.0]),
    }
)


@dataclass(frozen=True, slots=True)
class HubTalk(Shown):
    """What some sessions ask of a hub, and when. Times never go back."""

    steps: tuple[tuple[float, Command], ...] = ()

    def __repr__(self) -> str:
        return f"HubTalk({self.steps!r})"

    def __str__(self) -> str:
        return "\n".join(f"{now:8.3f} {command!r}" for now, command in self.steps) or "Nothing is asked."

    def shown(self) -> str:
        """How hypothesis prints a failing one: as Python, and line by line with what our hub makes of it."""
        lines = [repr(self)]
        for line, effects in zip(str(self).splitlines(), self.play(Hub()), strict=False):
            lines += [line, *(f"         -> {effect!r}" for effect in effects)]
        return "\n  # ".join(lines)

    def play(self, hub: Hub) -> list[list[Effect]]:
        """What comes of each step at ``hub``."""
        return [hub.handle(command, now) for now, command in self.steps]


def hub_limits() -> st.SearchStrategy[HubLimits]:
    """Limits of a hub, of which a talk may reach up to three. Shrinks towards none that ties rooms together."""
    return st.sets(st.sampled_from(sorted(_LIMITS)), max_size=3).flatmap(_limits)


def _limits(names: set[str]) -> st.SearchStrategy[HubLimits]:
    limits: dict[str, st.SearchStrategy[Any]] = {"max_rooms": st.none(), "max_joined": st.none()}
    return st.builds(HubLimits, **(limits | {name: _LIMITS[name] for name in sorted(names)}))


def hub_messages() -> st.SearchStrategy[Message]:
    """Messages, and what members show: short ones, half a character, which cannot be sent, and some bytes more than a
    limit of :func:`hub_limits`. Shrinks towards the empty text.
    """
    odd: st.SearchStrategy[Message] = st.sampled_from(["\ud800", b"x" * 301])
    return st.sampled_from(["", "hi"]) | messages(max_size=20) | odd


def hub_commands(
    *, sessions: Sequence[str] = HUB_SESSIONS, rooms: Sequence[str] = HUB_ROOMS
) -> st.SearchStrategy[Command]:
    """Any command of these sessions, in these rooms, in time or not: many are refused. The epochs of positions are
    small numbers. Shrinks towards the first session's connecting.
    """
    who, where, echo = st.sampled_from(sessions), st.sampled_from(rooms), st.sampled_from([True, False])
    contents = hub_messages()
    since = st.none() | st.builds(Position, _EPOCHS, _OFFSETS)
    publishing = [st.builds(Publish, who, where, contents, echo) for _ in range(4)]
    return st.one_of(
        st.builds(Connect, who),
        st.builds(Join, who, where),
        st.builds(ListMembers, who, where),
        st.builds(SetPresence, who, where, contents),
        st.builds(Send, who, who, contents),
        st.builds(Broadcast, who, contents, echo),
        st.builds(Join, who, where, contents, since),
        *publishing,  # what happens often stands there often, each by itself: of equals, hypothesis keeps one
        st.builds(Leave, who, where),
        st.tuples(who, where).map(lambda drawn: Disconnect(drawn[0])),  # drawn like Leave, to shrink into it
    )


def hub_talks(
    *, sessions: Sequence[str] = HUB_SESSIONS, rooms: Sequence[str] = HUB_ROOMS, max_steps: int = 30
) -> st.SearchStrategy[HubTalk]:
    """Talks of up to ``max_steps`` commands. In the place of most commands that come too early stands what they need:
    who would publish connects, then joins. Positions are such as sessions have seen, or nearly. Shrinks towards the
    fewest steps, without any pause.
    """
    step = st.tuples(_PAUSES, hub_commands(sessions=sessions, rooms=rooms), _SUDDEN)
    few = st.lists(step, max_size=max_steps)
    many = st.lists(step, min_size=max_steps // 2, max_size=max_steps)  # hypothesis makes lists of six, left to itself
    return (few | many).map(_talk)


def _talk(steps: list[tuple[float, Command, bool]]) -> HubTalk:
    """Add up the pauses, let needs come first, and make times of the epochs. What is drawn as one step is one step:
    else the fewest choices, which hypothesis looks for, were not the fewest steps.
    """
    now = 0.0
    joined: dict[str, set[str]] = {}
    joined_at: dict[str, list[float]] = {}
    timed: list[tuple[float, Command]] = []
    for pause, wanted, is_sudden in steps:
        now += pause
        command = wanted if is_sudden else _next(wanted, joined)
        _note(command, joined)
        if isinstance(command, Join):
            joined_at.setdefault(command.room, []).append(now)
        timed.append((now, _at_times(command, joined_at)))
    return HubTalk(tuple(timed))


def _next(wanted: Command, joined: Mapping[str, set[str]]) -> Command:
    """``wanted``, or what has to come first, so that it is obeyed."""
    involved = [wanted.session, *([wanted.to] if isinstance(wanted, Send) else [])]
    for session in involved:
        if session not in joined:
            return Connect(session)
    if isinstance(wanted, Connect | Disconnect | Send | Broadcast):
        return wanted
    is_member = wanted.room in joined[wanted.session]
    if isinstance(wanted, Join):
        return Leave(wanted.session, wanted.room) if is_member and wanted.since is not None else wanted
    return wanted if is_member else Join(wanted.session, wanted.room)


def _note(command: Command, joined: dict[str, set[str]]) -> None:
    """Who is where behind ``command``, if it is obeyed."""
    match command:
        case Connect(session):
            joined.setdefault(session, set())
        case Disconnect(session):
            joined.pop(session, None)
        case Join(session, room):
            joined.get(session, set[str]()).add(room)
        case Leave(session, room):
            joined.get(session, set[str]()).discard(room)
        case _:
            pass


def _at_times(command: Command, joined_at: Mapping[str, list[float]]) -> Command:
    """``command``, with an epoch that there may have been."""
    if not isinstance(command, Join) or command.since is None:
        return command
    times = joined_at[command.room]
    epoch = times[int(command.since.epoch) % len(times)]
    return replace(command, since=Position(epoch, command.since.offset))
