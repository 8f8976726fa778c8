"""Who is connected, and the rooms that each is in."""

from __future__ import annotations

from .limits import HubLimits, exceeds
from .reasons import Reason, Refusal
from .rooms import Room

__all__ = ["Session", "Sessions"]


class Session:
    """One that is connected, and its rooms in the order of joining."""

    __slots__ = ("id", "rooms")

    def __init__(self, id: str) -> None:
        self.id: str = id
        self.rooms: dict[str, Room] = {}

    def room(self, name: str) -> Room:
        """The room of this name, which it is in. May refuse."""
        room = self.rooms.get(name)
        if room is None:
            raise Refusal(Reason.NOT_A_MEMBER, "room")
        return room

    def check_may_join(self, name: str, limits: HubLimits) -> None:
        """Refuse to join twice, or too many rooms."""
        if name in self.rooms:
            raise Refusal(Reason.ALREADY_A_MEMBER, "room")
        if exceeds(len(self.rooms) + 1, limits.max_joined):
            raise Refusal(Reason.TOO_MANY_JOINED, "session")


class Sessions:
    """All sessions by id."""

    def __init__(self, limits: HubLimits) -> None:
        self._limits = limits
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, id: str) -> None:
        """Somebody connects. May refuse."""
        if id in self._sessions:
            raise Refusal(Reason.SESSION_EXISTS, "session")
        if exceeds(len(self._sessions) + 1, self._limits.max_sessions):
            raise Refusal(Reason.TOO_MANY_SESSIONS, "session")
        self._sessions[id] = Session(id)

    def find(self, id: str, argument: str = "session") -> Session:
        """The session of this id. May refuse."""
        session = self._sessions.get(id)
        if session is None:
            raise Refusal(Reason.SESSION_NOT_FOUND, argument)
        return session

    def remove(self, session: Session) -> None:
        """Somebody is gone."""
        del self._sessions[session.id]

    def ids(self) -> tuple[str, ...]:
        """All ids, in the order of connecting."""
        return tuple(self._sessions)
