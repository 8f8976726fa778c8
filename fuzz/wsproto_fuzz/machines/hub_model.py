"""What a hub should do, as plainly as possible: everything is kept, and looked for when it is needed."""

from __future__ import annotations

from sys import getsizeof
from typing import Final

from wsproto_core import Message
from wsproto_core.hub import (
    Broadcast,
    Command,
    Connect,
    Deliver,
    Disconnect,
    Effect,
    Entered,
    HubLimits,
    HubStatistics,
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
    Published,
    Reason,
    Send,
    SetPresence,
)

__all__ = ["HubModel", "RoomModel"]

#: What a kept message costs besides itself, as ``HubLimits.history_size`` says.
_KEEPING: Final = 100


class RoomModel:
    """One life of a room: its members with what they show, and all that was ever said."""

    def __init__(self, name: str, epoch: float) -> None:
        self.name = name
        self.epoch = epoch
        self.members: dict[str, Message] = {}
        self.log: list[tuple[str, Message]] = []
        self.left_at: float = 0.0

    @property
    def position(self) -> Position:
        """Behind the last message."""
        return Position(self.epoch, len(self.log))

    def told(self) -> tuple[Member, ...]:
        """The members, as they are told of."""
        return tuple(Member(session, presence) for session, presence in self.members.items())

    def deliveries(self, to: str, since: Position, limits: HubLimits) -> list[Effect] | None:
        """What came behind ``since``, or ``None`` for a gap."""
        missed = self.log[max(since.offset, 0) :]
        is_kept = limits.max_history is None or len(missed) <= limits.max_history
        memory = sum(getsizeof(message) + _KEEPING for _, message in missed)
        is_small = limits.history_size is None or memory <= limits.history_size
        if since.epoch != self.epoch or not 0 <= since.offset <= len(self.log) or not (is_kept and is_small):
            return None
        return [
            Deliver((to,), sender, message, self.name, since.offset + number)
            for number, (sender, message) in enumerate(missed, 1)
        ]


class HubModel:
    """The reference: says why a command must be refused, or what must come of it."""

    def __init__(self, limits: HubLimits) -> None:
        self.limits = limits
        #: Each with the names of its rooms, in the order of joining.
        self.sessions: dict[str, list[str]] = {}
        self.rooms: dict[str, RoomModel] = {}
        #: The names of rooms that nobody is in, in the order of leaving.
        self.left: list[str] = []
        self.published: int = 0
        self.delivered: int = 0
        self.refused: int = 0

    @property
    def statistics(self) -> HubStatistics:
        """The counts so far."""
        return HubStatistics(
            sessions=len(self.sessions),
            rooms=len(self.rooms),
            published=self.published,
            delivered=self.delivered,
            refused=self.refused,
        )

    # --- time ---------------------------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When the next room is forgotten."""
        timeout = self.limits.history_timeout
        if timeout is None:
            return None
        return min((self.rooms[name].left_at + timeout for name in self.left), default=None)

    def pass_time(self, now: float) -> None:
        """Forget what is due."""
        while (deadline := self.deadline()) is not None and deadline <= now:
            self._forget_one()

    def _forget_one(self) -> None:
        del self.rooms[self.left.pop(0)]

    # --- refusals -----------------------------------------------------------------------------------------------------

    def objections(self, command: Command) -> set[tuple[Reason, str]]:
        """Every reason to refuse ``command``, with the argument at fault. A hub may name any of them."""
        rules = {
            (Reason.SESSION_EXISTS, "session"): isinstance(command, Connect) and command.session in self.sessions,
            (Reason.TOO_MANY_SESSIONS, "session"): isinstance(command, Connect)
            and _exceeds(len(self.sessions) + 1, self.limits.max_sessions),
            (Reason.SESSION_NOT_FOUND, "session"): not isinstance(command, Connect)
            and command.session not in self.sessions,
            (Reason.SESSION_NOT_FOUND, "to"): isinstance(command, Send) and command.to not in self.sessions,
            (Reason.NOT_A_MEMBER, "room"): isinstance(command, Leave | SetPresence | Publish | ListMembers)
            and command.session not in self._members(command.room),
        }
        found = {objection for objection, holds in rules.items() if holds}
        if isinstance(command, Join):
            found |= self._objections_to_joining(command)
        return found | self._objections_to_sizes(command)

    def _objections_to_joining(self, command: Join) -> set[tuple[Reason, str]]:
        members = self._members(command.room)
        rules = {
            (Reason.ALREADY_A_MEMBER, "room"): command.session in members,
            (Reason.TOO_MANY_JOINED, "session"): _exceeds(
                len(self.sessions.get(command.session, ())) + 1, self.limits.max_joined
            ),
            (Reason.ROOM_FULL, "room"): _exceeds(len(members) + 1, self.limits.max_members),
            (Reason.TOO_MANY_ROOMS, "room"): command.room not in self.rooms
            and _exceeds(len(self.rooms) + 1, self.limits.max_rooms)
            and not self.left,
        }
        return {objection for objection, holds in rules.items() if holds}

    def _objections_to_sizes(self, command: Command) -> set[tuple[Reason, str]]:
        limits = {"message": self.limits.message_size, "presence": self.limits.presence_size}
        if isinstance(command, Join):
            limits["room"] = self.limits.room_name_size
        found: set[tuple[Reason, str]] = set()
        for argument, limit in limits.items():
            content: Message = getattr(command, argument, "")
            size = _size(content)
            if size is None:
                found.add((Reason.NOT_TEXT, argument))
            elif _exceeds(size, limit):
                found.add((Reason.TOO_LARGE, argument))
        return found

    # --- what comes of it ---------------------------------------------------------------------------------------------

    def obey(self, command: Command, now: float, epoch: float) -> list[Effect]:
        """What must be told for a command without objections; ``epoch`` is that of a room that begins."""
        match command:
            case Connect(session):
                self.sessions[session] = []
                return []
            case Disconnect(session):
                left = [self._leave(session, name, now) for name in self.sessions.pop(session)]
                return [effect for effect in left if effect.sessions]
            case Join():
                return self._join(command, epoch)
            case Leave(session, name):
                everybody = tuple(self.rooms[name].members)
                self.sessions[session].remove(name)
                self._leave(session, name, now)
                return [Left(everybody, name, session)]
            case SetPresence(session, name, presence):
                room = self.rooms[name]
                room.members[session] = presence
                return [PresenceChanged(tuple(room.members), name, Member(session, presence))]
            case ListMembers(session, name):
                return [Members((session,), name, self.rooms[name].told())]
            case Publish() | Send() | Broadcast():
                return self._say(command)

    def _join(self, command: Join, epoch: float) -> list[Effect]:
        if command.room not in self.rooms and _exceeds(len(self.rooms) + 1, self.limits.max_rooms):
            self._forget_one()
        room = self.rooms.setdefault(command.room, RoomModel(command.room, epoch))
        others = tuple(room.members)
        room.members[command.session] = command.presence
        self.sessions[command.session].append(room.name)
        if room.name in self.left:
            self.left.remove(room.name)
        missed = [] if command.since is None else room.deliveries(command.session, command.since, self.limits)
        self.delivered += len(missed or ())
        told: list[Effect] = [
            Entered((command.session,), room.name, room.told(), room.position, has_gap=missed is None),
            *(missed or ()),
        ]
        return [*told, Joined(others, room.name, Member(command.session, command.presence))] if others else told

    def _leave(self, session: str, name: str, now: float) -> Left:
        room = self.rooms[name]
        del room.members[session]
        if not room.members:
            room.left_at = now
            self.left.append(name)
        return Left(tuple(room.members), name, session)

    def _say(self, command: Publish | Send | Broadcast) -> list[Effect]:
        match command:
            case Publish(author, room, message, echo):
                self.rooms[room].log.append((author, message))
                self.published += 1
                offset = len(self.rooms[room].log)
                told = self._deliver(list(self._members(room)), author, message, echo, room, offset)
                return told if echo else [*told, Published((author,), room, offset)]
            case Send(author, to, message):
                return self._deliver([to], author, message, True)
            case Broadcast(author, message, echo):
                return self._deliver(list(self.sessions), author, message, echo)

    def _deliver(
        self,
        readers: list[str],
        author: str,
        message: Message,
        echo: bool,
        room: str | None = None,
        offset: int | None = None,
    ) -> list[Effect]:
        if not echo:
            readers.remove(author)
        self.delivered += len(readers)
        return [Deliver(tuple(readers), author, message, room, offset)] if readers else []

    def _members(self, name: str) -> dict[str, Message]:
        return self.rooms[name].members if name in self.rooms else {}


def _exceeds(amount: int, limit: int | None) -> bool:
    return limit is not None and amount > limit


def _size(content: Message) -> int | None:
    """Bytes, or ``None`` for text that cannot be sent."""
    try:
        return len(content.encode() if isinstance(content, str) else content)
    except UnicodeEncodeError:
        return None
