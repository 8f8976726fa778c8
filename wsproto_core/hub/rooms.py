"""The rooms of a hub: when one comes to be, and when it is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nextafter

from .commands import Position
from .history import History, Kept
from .limits import HubLimits, exceeds
from .presence import Presence
from .reasons import Reason, Refusal

__all__ = ["Room", "Rooms"]


class Room:
    """One life of a room, from the first member to its being forgotten."""

    __slots__ = ("epoch", "history", "name", "presence")

    def __init__(self, name: str, limits: HubLimits, epoch: float) -> None:
        self.name: str = name
        self.epoch: float = epoch
        self.presence: Presence = Presence()
        self.history: History = History(limits)

    @property
    def position(self) -> Position:
        """Behind the latest message."""
        return Position(self.epoch, self.history.offset)

    def since(self, position: Position) -> Sequence[Kept] | None:
        """What was published behind ``position``, in order; ``None`` if that is of another life, or too far back."""
        return self.history.since(position.offset) if position.epoch == self.epoch else None


class Rooms:
    """All rooms by name. Those that nobody is in wait to be forgotten, the one first that was left first."""

    def __init__(self, limits: HubLimits) -> None:
        self._limits = limits
        self._rooms: dict[str, Room] = {}
        # When each room was left that nobody is in, in order of leaving.
        self._left_at: dict[str, float] = {}
        # The latest of all rooms that were forgotten: no position may be one of two lives.
        self._past_epoch = float("-inf")

    def __len__(self) -> int:
        return len(self._rooms)

    def open(self, name: str, now: float) -> Room:
        """The room of this name, for one more member; a new one if there is none. May refuse."""
        room = self._rooms.get(name)
        if room is None:
            self._make_way()
            room = self._rooms[name] = Room(name, self._limits, max(now, nextafter(self._past_epoch, inf)))
        elif exceeds(len(room.presence) + 1, self._limits.max_members):
            raise Refusal(Reason.ROOM_FULL, "room")
        self._left_at.pop(name, None)
        return room

    def was_left(self, room: Room, now: float) -> None:
        """Somebody has left ``room``, and perhaps nobody is in it any more."""
        if not len(room.presence):
            self._left_at[room.name] = now

    def forget_due(self, now: float) -> None:
        """Forget what nobody came back to in time."""
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            self._forget_first()

    def next_deadline(self) -> float | None:
        """When the first room is to be forgotten."""
        timeout = self._limits.history_timeout
        if timeout is None or not self._left_at:
            return None
        return next(iter(self._left_at.values())) + timeout

    def _make_way(self) -> None:
        """See to it that there may be one more."""
        if not exceeds(len(self._rooms) + 1, self._limits.max_rooms):
            return
        if not self._left_at:
            raise Refusal(Reason.TOO_MANY_ROOMS, "room")
        self._forget_first()

    def _forget_first(self) -> None:
        name = next(iter(self._left_at))
        del self._left_at[name]
        self._past_epoch = max(self._past_epoch, self._rooms.pop(name).epoch)
