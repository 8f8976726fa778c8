"""Hubs with one fault each. The docstring says which; the machine of the hub must find every one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final

from wsproto_core import Message
from wsproto_core.hub import (
    Command,
    Deliver,
    Effect,
    Entered,
    Hub,
    HubLimits,
    HubStatistics,
    Join,
    Joined,
    Left,
    Position,
    PresenceChanged,
    Publish,
    Refused,
)
from wsproto_core.hub.history import History
from wsproto_core.hub.rooms import Room, Rooms
from wsproto_core.hub.sessions import Session

__all__ = ["MUTANTS", "HearsOthers", "LateTimersShow", "Moody"]


# --- who is told ------------------------------------------------------------------------------------------------------


class TellsEverybody(Hub):
    """What is said in a room is told to all sessions."""

    def _deliver(self, sessions: tuple[str, ...], *args: Any, **kwargs: Any) -> Deliver:
        return super()._deliver(self._sessions.ids() if len(args) == 4 else sessions, *args, **kwargs)


class MissesTheLast(Hub):
    """The last of several members is told nothing."""

    def _deliver(self, sessions: tuple[str, ...], *args: Any, **kwargs: Any) -> Deliver:
        return super()._deliver(sessions[:-1] if len(sessions) > 1 else sessions, *args, **kwargs)


class TellsTwice(Hub):
    """The first member is told twice."""

    def _deliver(self, sessions: tuple[str, ...], *args: Any, **kwargs: Any) -> Deliver:
        return super()._deliver(sessions + sessions[:1], *args, **kwargs)


class EchoesAlways(Hub):
    """``echo=False`` changes nothing."""

    def handle(self, command: Command, now: float) -> list[Effect]:
        return super().handle(replace(command, echo=True) if isinstance(command, Publish) else command, now)


class ForgetsTheLeaver(Hub):
    """Who leaves is not told so."""

    def handle(self, command: Command, now: float) -> list[Effect]:
        told = super().handle(command, now)
        return [effect for effect in told if not (isinstance(effect, Left) and effect.sessions == (effect.session,))]


class AnnouncesToItself(Hub):
    """Who joins is told that he has."""

    def handle(self, command: Command, now: float) -> list[Effect]:
        told = super().handle(command, now)
        return [
            replace(effect, sessions=(*effect.sessions, effect.member.session))
            if isinstance(effect, Joined)
            else effect
            for effect in told
        ]


class ChangesAndForgets(Hub):
    """A changed presence is told, and not kept."""

    def handle(self, command: Command, now: float) -> list[Effect]:
        told = super().handle(command, now)
        for effect in told:
            if isinstance(effect, PresenceChanged):
                self._sessions.find(effect.member.session).room(effect.room).presence.show(effect.member.session, "")
        return told


class LeavesGhosts(Hub):
    """Who disconnects stays in his rooms."""

    def _depart(self, session: Session, room: Room, now: float) -> Left:
        if session.id in self._sessions.ids():
            return super()._depart(session, room, now)
        return Left((), room.name, session.id)


# --- what was missed --------------------------------------------------------------------------------------------------


class SkipsOne(Hub):
    """Who comes back misses one message."""

    def _enter(self, session: str, room: Room, since: Position | None) -> list[Effect]:
        told = super()._enter(session, room, since)
        return [told[0], *told[2:]]


class RepeatsOne(Hub):
    """Who comes back gets the message again that he had last."""

    def _enter(self, session: str, room: Room, since: Position | None) -> list[Effect]:
        if since is not None and since.offset:
            since = replace(since, offset=since.offset - 1)
        return super()._enter(session, room, since)


class HidesGaps(Hub):
    """Who comes back too late gets what there is, and no word of the rest."""

    def _enter(self, session: str, room: Room, since: Position | None) -> list[Effect]:
        told = super()._enter(session, room, since)
        return [replace(effect, has_gap=False) if isinstance(effect, Entered) else effect for effect in told]


class AnyLife(Hub):
    """Every life of a room has the same epoch, so that positions of one are taken for those of another."""

    def __init__(self, limits: HubLimits) -> None:
        super().__init__(limits)

        class Timeless(Rooms):
            def open(self, name: str, now: float) -> Room:
                room = super().open(name, now)
                room.epoch = 0
                return room

        self._rooms = Timeless(limits)


class AnyPosition(Hub):
    """The epoch of a position is not looked at."""

    def _enter(self, session: str, room: Room, since: Position | None) -> list[Effect]:
        return super()._enter(session, room, None if since is None else replace(since, epoch=room.epoch))


class OneHistory(Hub):
    """All rooms have the same history."""

    def __init__(self, limits: HubLimits) -> None:
        super().__init__(limits)

        class Sharing(Rooms):
            history: ClassVar[History] = History(limits)

            def open(self, name: str, now: float) -> Room:
                room = super().open(name, now)
                room.history = self.history
                return room

        self._rooms = Sharing(limits)


class CountsFromZero(Hub):
    """The first message has the offset 0."""

    def _deliver(self, sessions: tuple[str, ...], *args: Any, **kwargs: Any) -> Deliver:
        told = super()._deliver(sessions, *args, **kwargs)
        return told if told.offset is None else replace(told, offset=told.offset - 1)


# --- limits and time --------------------------------------------------------------------------------------------------


class WithOtherLimits(Hub):
    """Base of those that do not keep a limit that they tell."""

    told: ClassVar[dict[str, Any]]

    def __init__(self, _: HubLimits) -> None:
        super().__init__(HubLimits(max_rooms=None, max_joined=None))
        self.limits = replace(self.limits, **self.told)


class KeepsTooMany(WithOtherLimits):
    """Histories are not limited by count."""

    told: ClassVar[dict[str, Any]] = {"max_history": 1}


class KeepsTooMuch(WithOtherLimits):
    """Histories are not limited in bytes."""

    told: ClassVar[dict[str, Any]] = {"history_size": 200}


class Overcrowded(WithOtherLimits):
    """Rooms take any number of members."""

    told: ClassVar[dict[str, Any]] = {"max_members": 1}


class Hospitable(WithOtherLimits):
    """There may be any number of sessions."""

    told: ClassVar[dict[str, Any]] = {"max_sessions": 1}


class Sprawling(WithOtherLimits):
    """There may be any number of rooms."""

    told: ClassVar[dict[str, Any]] = {"max_rooms": 1}


class CountsCharacters(Hub):
    """Messages are measured in characters."""

    def handle(self, command: Command, now: float) -> list[Effect]:
        told = super().handle(command, now)
        message: Message = getattr(command, "message", "")
        refused = [effect for effect in told if isinstance(effect, Refused) and effect.argument == "message"]
        most = self.limits.message_size
        return [] if refused and most is not None and len(message) <= most else told


class NeverForgets(Hub):
    """Rooms that nobody is in stay for ever."""

    def handle_timeout(self, now: float) -> None:
        self._now = now


class ForgetsAtOnce(Hub):
    """Rooms that nobody is in are forgotten before it is time."""

    def _depart(self, session: Session, room: Room, now: float) -> Left:
        left = super()._depart(session, room, now)
        self._rooms.forget_due(float("inf"))
        return left


class ForgetsTheLiving(Hub):
    """A room is forgotten although somebody has come back to it."""

    def __init__(self, limits: HubLimits) -> None:
        super().__init__(limits)

        class Careless(Rooms):
            def open(self, name: str, now: float) -> Room:
                left_at = dict(self._left_at)
                room = super().open(name, now)
                self._left_at.update((name, at) for name, at in left_at.items() if name in self._rooms)
                return room

        self._rooms = Careless(limits)


# --- refusals and counts ----------------------------------------------------------------------------------------------


class SaysNothing(Hub):
    """A refusal is not told."""

    def handle(self, command: Command, now: float) -> list[Effect]:
        return [effect for effect in super().handle(command, now) if not isinstance(effect, Refused)]


class RefusesTooLate(Hub):
    """A room that may not be joined comes to be all the same."""

    def handle(self, command: Command, now: float) -> list[Effect]:
        told = super().handle(command, now)
        if isinstance(command, Join) and isinstance(told[0], Refused):
            self._rooms._rooms["ghost"] = Room("ghost", self.limits, now)
        return told


class Miscounts(Hub):
    """A message counts once, however many it is delivered to."""

    @property
    def statistics(self) -> HubStatistics:
        statistics = super().statistics
        return replace(statistics, delivered=min(statistics.delivered, statistics.published))


# --- only to be seen twice --------------------------------------------------------------------------------------------


class Moody(Hub):
    """Every second hub lists members in another order."""

    made: ClassVar[list[int]] = []

    def __init__(self, limits: HubLimits) -> None:
        super().__init__(limits)
        self.made.append(0)
        self._order = 1 if len(self.made) % 2 else -1

    def _enter(self, session: str, room: Room, since: Position | None) -> list[Effect]:
        entered, *missed = super()._enter(session, room, since)
        assert isinstance(entered, Entered)
        return [replace(entered, members=entered.members[:: self._order]), *missed]


class LateTimersShow(Hub):
    """What is due is forgotten by the timer only, and not before a command."""

    _forgets = True

    def handle(self, command: Command, now: float) -> list[Effect]:
        forgetting, self._forgets = self._forgets, False
        told = super().handle(command, now)
        self._forgets = forgetting
        return told

    def handle_timeout(self, now: float) -> None:
        if self._forgets:
            super().handle_timeout(now)


class HearsOthers(Hub):
    """What a room remembers depends on what is said in others."""

    def _enter(self, session: str, room: Room, since: Position | None) -> list[Effect]:
        return super()._enter(session, room, since if self._published <= room.history.offset else None)


#: Those that the machine must find.
MUTANTS: Final[tuple[type[Hub], ...]] = (
    TellsEverybody,
    MissesTheLast,
    TellsTwice,
    EchoesAlways,
    ForgetsTheLeaver,
    AnnouncesToItself,
    ChangesAndForgets,
    LeavesGhosts,
    SkipsOne,
    RepeatsOne,
    HidesGaps,
    AnyLife,
    AnyPosition,
    OneHistory,
    CountsFromZero,
    KeepsTooMany,
    KeepsTooMuch,
    Overcrowded,
    Hospitable,
    Sprawling,
    CountsCharacters,
    NeverForgets,
    ForgetsAtOnce,
    ForgetsTheLiving,
    SaysNothing,
    RefusesTooLate,
    Miscounts,
    HearsOthers,
)
