"""A hub beside its model: every command is given to both, and what they say is compared."""

from __future__ import annotations

from dataclasses import replace

from wsproto_core.hub import (
    Command,
    Deliver,
    Disconnect,
    Effect,
    Entered,
    Hub,
    HubStatistics,
    Join,
    Leave,
    ListMembers,
    Members,
    Published,
    Refused,
)

from .hub_model import HubModel

__all__ = ["HubPlay"]


class HubPlay:
    """Plays commands, and asserts. ``steps`` are those so far, with their times."""

    def __init__(self, hub: Hub, now: float = 0.0) -> None:
        self.hub = hub
        self.model: HubModel = HubModel(hub.limits)
        self.now: float = now
        self.steps: list[tuple[float, Command]] = []
        # The offset that each member of a room was told last.
        self._heard: dict[tuple[str, str], int] = {}
        self._epochs: set[tuple[str, float]] = set()

    def obey(self, command: Command) -> list[Effect]:
        """Give ``command`` to both, and return what comes of it: exactly what the model says, or a refusal for a reason
        that it knows.
        """
        self.steps.append((self.now, command))
        objections = self.model.objections(command)
        before = self._facts()
        effects = self.hub.handle(command, self.now)
        if objections:
            self.model.refused += 1
            refusals = [[Refused(command, *objection)] for objection in objections]
            assert effects in refusals, f"{command} at {self.now}: {effects}, and not one of {refusals}"
            assert self._facts() == before, f"{command} was refused and has changed something"
            return effects
        expected = self.model.obey(command, self.now, self._epoch_of(command, effects))
        assert effects == expected, f"{command} at {self.now}: {effects}, and not {expected}"
        self._hear(command, effects)
        return effects

    def wait(self, seconds: float) -> None:
        """Let time pass, and forget what is due."""
        self.now += seconds
        self.hub.handle_timeout(self.now)
        self.model.pass_time(self.now)

    # --- what always holds --------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Everything below."""
        self.check_deadline()
        self.check_counts()
        self.check_members()
        self.check_messages()

    def check_deadline(self) -> None:
        """What is due next is due in the future."""
        deadline = self.hub.next_deadline()
        assert deadline is None or deadline > self.now
        assert deadline == self.model.deadline()

    def check_counts(self) -> None:
        """There are as many sessions and rooms as there should be, and no more than there may be."""
        statistics, limits = self.hub.statistics, self.hub.limits
        assert statistics == self.model.statistics
        assert limits.max_sessions is None or statistics.sessions <= limits.max_sessions
        assert limits.max_rooms is None or statistics.rooms <= limits.max_rooms

    def check_members(self) -> None:
        """Whoever is in a room is told who is."""
        for name, room in self.model.rooms.items():
            most = self.hub.limits.max_members
            assert most is None or len(room.members) <= most
            for session in room.members:
                asked = self.hub.handle(ListMembers(session, name), self.now)
                assert asked == [Members((session,), name, room.told())]

    def check_messages(self) -> None:
        """Every member has been told of every message of its room since it came: up to the last."""
        members = {(session, name) for name, room in self.model.rooms.items() for session in room.members}
        assert self._heard.keys() == members
        for (_, name), offset in self._heard.items():
            assert offset == len(self.model.rooms[name].log)

    # --- behind -------------------------------------------------------------------------------------------------------

    def _facts(self) -> tuple[HubStatistics, float | None]:
        """What a refusal must not change."""
        return replace(self.hub.statistics, refused=0), self.hub.next_deadline()

    def _epoch_of(self, command: Command, effects: list[Effect]) -> float:
        """The epoch that a hub gives to a room that begins: one that this room never had."""
        if not isinstance(command, Join) or command.room in self.model.rooms:
            return self.now
        entered = next(effect for effect in effects if isinstance(effect, Entered))
        life = (command.room, entered.position.epoch)
        assert life not in self._epochs, "the positions of an earlier life are taken for its own"
        self._epochs.add(life)
        return entered.position.epoch

    def _hear(self, command: Command, effects: list[Effect]) -> None:
        """Each member is told of each message once, in order, and nobody else is."""
        if isinstance(command, Leave):
            del self._heard[command.session, command.room]
        if isinstance(command, Disconnect):
            self._heard = {key: offset for key, offset in self._heard.items() if key[0] != command.session}
        for effect in effects:
            assert effect.sessions
            assert len(set(effect.sessions)) == len(effect.sessions)
            if isinstance(effect, Entered) and isinstance(command, Join):
                is_anew = command.since is None or effect.has_gap
                start = effect.position if is_anew or command.since is None else command.since
                self._heard[command.session, command.room] = start.offset
            elif isinstance(effect, Deliver | Published) and effect.room is not None:
                for session in effect.sessions:
                    self._heard[session, effect.room] += 1  # a KeyError: who is not in the room has no key
                    assert self._heard[session, effect.room] == effect.offset
