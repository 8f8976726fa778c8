"""The hub itself: every command, and what comes of it.

The interface sorts as that of a connection does:

* **in, from the world:** :meth:`Hub.handle`, :meth:`Hub.handle_timeout`
* **out, to the world:** the effects that ``handle`` returns, :meth:`Hub.next_deadline`
* **facts:** ``limits``, ``statistics``

The laws:

* A command that is refused changes nothing, and whoever gave it is told why.
* Each member of a room is told of everything that happens in it, once and in the order in which it happened; nobody
  else is told.
* A command costs time by the room that it concerns. Only :class:`Broadcast` looks at all sessions, and
  :class:`Disconnect` at the rooms of the one.
* The same commands at the same times have the same effects.

There is no lock in it: one thread at a time, with a clock that is read by the same thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from .._types import Message
from .commands import (
    Broadcast,
    Command,
    Connect,
    Disconnect,
    Join,
    Leave,
    ListMembers,
    Position,
    Publish,
    Send,
    SetPresence,
)
from .effects import Deliver, Effect, Entered, Joined, Left, Members, PresenceChanged, Published, Refused
from .limits import HubLimits, check_size
from .reasons import Refusal
from .rooms import Room, Rooms
from .sessions import Session, Sessions
from .statistics import HubStatistics

__all__ = ["Hub"]

_DEFAULT_LIMITS: Final = HubLimits()


class Hub:
    """See the module's docstring."""

    def __init__(self, limits: HubLimits = _DEFAULT_LIMITS) -> None:
        #: What it may cost.
        self.limits = limits
        self._sessions = Sessions(limits)
        self._rooms = Rooms(limits)
        self._now = float("-inf")
        self._published = self._delivered = self._refused = 0

    # --- in, from the world -------------------------------------------------------------------------------------------

    def handle(self, command: Command, now: float) -> list[Effect]:
        """Obey ``command``, or refuse it; return what is to be told to whom, in order.

        Raises :exc:`TypeError` for anything else than a command, and :exc:`ValueError` if ``now`` goes back.
        """
        obey = self._OBEY.get(type(command))
        if obey is None:
            raise TypeError(f"command must be one of wsproto_core.hub, not {type(command).__name__}")
        self.handle_timeout(now)
        try:
            effects = obey(self, command, now)
        except Refusal as refusal:
            self._refused += 1
            return [Refused(command, refusal.reason, refusal.argument)]
        return [effect for effect in effects if effect.sessions]

    def handle_timeout(self, now: float) -> None:
        """Forget what is due to be forgotten. Harmless when nothing is. Raises :exc:`ValueError` if ``now`` goes
        back.
        """
        if not now >= self._now:
            raise ValueError(f"now must not go back: it was {self._now!r}, and is {now!r}")
        self._now = now
        self._rooms.forget_due(now)

    # --- out, to the world --------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`; ``None`` if there is nothing to wait for. Late is harmless."""
        return self._rooms.next_deadline()

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def statistics(self) -> HubStatistics:
        """The counts so far."""
        return HubStatistics(
            sessions=len(self._sessions),
            rooms=len(self._rooms),
            published=self._published,
            delivered=self._delivered,
            refused=self._refused,
        )

    # --- behind: sessions ---------------------------------------------------------------------------------------------

    def _connect(self, command: Connect, _now: float) -> list[Effect]:
        self._sessions.add(command.session)
        return []

    def _disconnect(self, command: Disconnect, now: float) -> list[Effect]:
        session = self._sessions.find(command.session)
        self._sessions.remove(session)
        return [self._depart(session, room, now) for room in tuple(session.rooms.values())]

    # --- behind: rooms ------------------------------------------------------------------------------------------------

    def _join(self, command: Join, now: float) -> list[Effect]:
        session = self._sessions.find(command.session)
        check_size("room", command.room, self.limits.room_name_size)
        check_size("presence", command.presence, self.limits.presence_size)
        session.check_may_join(command.room, self.limits)
        room = self._rooms.open(command.room, now)
        others = room.presence.sessions()
        member = room.presence.show(session.id, command.presence)
        session.rooms[room.name] = room
        return [*self._enter(session.id, room, command.since), Joined(others, room.name, member)]

    def _enter(self, session: str, room: Room, since: Position | None) -> list[Effect]:
        """Tell ``session`` where it is, and what it has missed."""
        missed = () if since is None else room.since(since)
        return [
            Entered((session,), room.name, room.presence.members(), room.position, has_gap=missed is None),
            *(self._deliver((session,), kept.sender, kept.message, room.name, kept.offset) for kept in missed or ()),
        ]

    def _leave(self, command: Leave, now: float) -> list[Effect]:
        session = self._sessions.find(command.session)
        room = session.room(command.room)
        everybody = room.presence.sessions()
        self._depart(session, room, now)
        return [Left(everybody, room.name, session.id)]

    def _depart(self, session: Session, room: Room, now: float) -> Left:
        """Take ``session`` out of ``room``; return what those are told who stay."""
        del session.rooms[room.name]
        room.presence.leave(session.id)
        self._rooms.was_left(room, now)
        return Left(room.presence.sessions(), room.name, session.id)

    def _set_presence(self, command: SetPresence, _now: float) -> list[Effect]:
        room = self._sessions.find(command.session).room(command.room)
        check_size("presence", command.presence, self.limits.presence_size)
        member = room.presence.show(command.session, command.presence)
        return [PresenceChanged(room.presence.sessions(), room.name, member)]

    def _list_members(self, command: ListMembers, _now: float) -> list[Effect]:
        room = self._sessions.find(command.session).room(command.room)
        return [Members((command.session,), room.name, room.presence.members())]

    # --- behind: messages ---------------------------------------------------------------------------------------------

    def _publish(self, command: Publish, _now: float) -> list[Effect]:
        author = command.session
        room = self._sessions.find(author).room(command.room)
        check_size("message", command.message, self.limits.message_size)
        offset = room.history.append(author, command.message)
        self._published += 1
        readers = _readers(room.presence.sessions(), author, echo=command.echo)
        told: list[Effect] = [self._deliver(readers, author, command.message, room.name, offset)]
        return told if command.echo else [*told, Published((author,), room.name, offset)]

    def _send(self, command: Send, _now: float) -> list[Effect]:
        self._sessions.find(command.session)
        self._sessions.find(command.to, "to")
        check_size("message", command.message, self.limits.message_size)
        return [self._deliver((command.to,), command.session, command.message)]

    def _broadcast(self, command: Broadcast, _now: float) -> list[Effect]:
        self._sessions.find(command.session)
        check_size("message", command.message, self.limits.message_size)
        readers = _readers(self._sessions.ids(), command.session, echo=command.echo)
        return [self._deliver(readers, command.session, command.message)]

    def _deliver(
        self,
        sessions: tuple[str, ...],
        sender: str,
        message: Message,
        room: str | None = None,
        offset: int | None = None,
    ) -> Deliver:
        self._delivered += len(sessions)
        return Deliver(sessions, sender, message, room, offset)

    #: The method of each command.
    _OBEY: ClassVar[Mapping[type[Command], Callable[[Hub, Any, float], list[Effect]]]] = MappingProxyType(
        {
            Connect: _connect,
            Disconnect: _disconnect,
            Join: _join,
            Leave: _leave,
            SetPresence: _set_presence,
            ListMembers: _list_members,
            Publish: _publish,
            Send: _send,
            Broadcast: _broadcast,
        }
    )


def _readers(sessions: tuple[str, ...], author: str, *, echo: bool) -> tuple[str, ...]:
    """Those to whom the author's message goes."""
    return sessions if echo else tuple(session for session in sessions if session != author)
