"""Any commands, in any order, at any time: a hub of rooms beside a model that keeps everything."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wsproto_core import Message
from wsproto_core.hub import (
    Command,
    Connect,
    Disconnect,
    Hub,
    HubLimits,
    Join,
    Leave,
    Position,
    Publish,
    SetPresence,
)

from ..oracles import rooms_apart, same_again
from ..strategies import HUB_ROOMS, HUB_SESSIONS, hub_commands, hub_limits, hub_messages
from .hub_play import HubPlay

__all__ = ["HubMachine"]

_WHERE: Final = st.sampled_from(HUB_ROOMS)
_ARRIVALS: Final = st.lists(st.tuples(st.sampled_from(HUB_SESSIONS), _WHERE), max_size=6, unique=True)


class HubMachine(RuleBasedStateMachine):
    """A hub, asked by a few sessions. Override :meth:`make_hub` for another one.

    What always holds:

    * What comes of a command is what the model says; it is refused exactly where the model objects, for a reason that
      the model has, and then nothing has changed.
    * Each member of a room is told of each of its messages once, in order of their offsets, and nobody else is. Who
      comes back gets all that he has missed, or is told of a gap: he gets nothing that is not there, and nothing that
      the limits do not let the hub keep.
    * Members see all members, and no others.
    * Sessions, rooms and members stay within the limits; the counts are right.
    * What is due next lies ahead.

    In the end: the same commands have the same effects again, whether rooms are forgotten in time or late; and if no
    limit ties rooms together, what happens in each of them is what happens where there is no other.
    """

    def make_hub(self, limits: HubLimits) -> Hub:
        """A hub that nobody has asked for anything."""
        return Hub(limits)

    @initialize(limits=hub_limits(), arrivals=_ARRIVALS)
    def begin(self, limits: HubLimits, arrivals: list[tuple[str, str]]) -> None:
        """Make a hub, with somebody in it."""
        self.limits = limits
        self.play: HubPlay = HubPlay(self.make_hub(limits))
        for session in dict(arrivals):
            self.play.obey(Connect(session))
        for session, room in arrivals:
            self.play.obey(Join(session, room))

    # --- what is asked, mostly in order -------------------------------------------------------------------------------

    @rule(session=st.sampled_from(HUB_SESSIONS))
    def connect(self, session: str) -> None:
        """A session begins."""
        self.play.obey(Connect(session))

    @precondition(lambda self: self.connected())
    @rule(data=st.data(), room=_WHERE, presence=hub_messages())
    def join(self, data: st.DataObject, room: str, presence: Message) -> None:
        """Enter a room."""
        self.play.obey(Join(self.draw_session(data), room, presence))

    @precondition(lambda self: self.absences())
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        """Enter a room that there is, having read some of it; or what it never said."""
        session, room = self.draw_absence(data)
        here = self.play.model.rooms[room].position
        offset = data.draw(st.integers(0, here.offset) | st.sampled_from([-1, here.offset + 1]), label="offset")
        self.play.obey(Join(session, room, since=Position(here.epoch, offset)))

    @precondition(lambda self: self.absences())
    @rule(data=st.data(), since=st.builds(Position, st.sampled_from([0.0, 0.5]), st.integers(0, 3)))
    def come_from_another_life(self, data: st.DataObject, since: Position) -> None:
        """Enter a room, having read some of the one that had its name before."""
        self.play.obey(Join(*self.draw_absence(data), since=since))

    @precondition(lambda self: self.memberships())
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Leave a room."""
        self.play.obey(Leave(*self.draw_membership(data)))

    @precondition(lambda self: self.memberships())
    @rule(data=st.data(), presence=hub_messages())
    def set_presence(self, data: st.DataObject, presence: Message) -> None:
        """Show something else."""
        self.play.obey(SetPresence(*self.draw_membership(data), presence))

    @precondition(lambda self: self.memberships())
    @rule(data=st.data(), messages=st.lists(hub_messages(), min_size=1, max_size=4), echo=st.booleans())
    def publish(self, data: st.DataObject, messages: list[Message], echo: bool) -> None:
        """Say something in a room, and perhaps more."""
        session, room = self.draw_membership(data)
        for message in messages:
            self.play.obey(Publish(session, room, message, echo))

    @precondition(lambda self: self.connected())
    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        """A session ends."""
        self.play.obey(Disconnect(self.draw_session(data)))

    @rule(command=hub_commands())
    def ask(self, command: Command) -> None:
        """Anything else, by anybody."""
        self.play.obey(command)

    def connected(self) -> list[str]:
        """The sessions that are there."""
        return list(self.play.model.sessions)

    def memberships(self) -> list[tuple[str, str]]:
        """The sessions that are in a room, each with the room."""
        return [(session, room) for session, rooms in self.play.model.sessions.items() for room in rooms]

    def absences(self) -> list[tuple[str, str]]:
        """The sessions that are not in a room, each with the room."""
        rooms = self.play.model.rooms.values()
        return [(session, room.name) for session in self.connected() for room in rooms if session not in room.members]

    def draw_session(self, data: st.DataObject) -> str:
        """One of them."""
        return data.draw(st.sampled_from(self.connected()), label="session")

    def draw_absence(self, data: st.DataObject) -> tuple[str, str]:
        """One of them."""
        return data.draw(st.sampled_from(self.absences()), label="who is not in it")

    def draw_membership(self, data: st.DataObject) -> tuple[str, str]:
        """One of them."""
        return data.draw(st.sampled_from(self.memberships()), label="member")

    # --- time ---------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 0.5, 10.0, 60.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.play.wait(seconds)

    @rule()
    def wait_for_deadline(self) -> None:
        """Let time pass until something is due, if anything is."""
        deadline = self.play.hub.next_deadline()
        if deadline is not None:
            self.play.wait(deadline - self.play.now)

    # --- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def what_is_due_lies_ahead(self) -> None:
        """No deadline is left in the past."""
        self.play.check_deadline()

    @invariant()
    def limits_hold(self) -> None:
        """Of sessions and of rooms."""
        self.play.check_counts()

    @invariant()
    def members_are_who_has_joined(self) -> None:
        """And nobody else."""
        self.play.check_members()

    @invariant()
    def members_have_heard_everything(self) -> None:
        """Since they came."""
        self.play.check_messages()

    def teardown(self) -> None:
        """Ask the same again, and each room for itself."""
        if not hasattr(self, "play"):
            return
        same_again(lambda: self.make_hub(self.limits), self.play.steps)
        limits = self.play.hub.limits
        if limits.max_rooms is None and limits.max_joined is None:
            rooms_apart(lambda: self.make_hub(self.limits), self.play.steps)
