"""The hub of rooms: it passes its machine, faults of hubs are found, and talks are what they promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import hypothesis
import pytest
from hypothesis import Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fuzz.hub_mutants import MUTANTS, HearsOthers, LateTimersShow, Moody
from tests.fuzz.kit import SEARCH, find
from tests.fuzz.test_machines import HUNT, USUAL, steps_to
from wsproto_core.hub import (
    Broadcast,
    Command,
    Connect,
    Deliver,
    Disconnect,
    Effect,
    Entered,
    Hub,
    HubLimits,
    Join,
    Leave,
    Left,
    ListMembers,
    Member,
    Members,
    Position,
    PresenceChanged,
    Publish,
    Published,
    Send,
    SetPresence,
)
from wsproto_fuzz.machines import HubMachine
from wsproto_fuzz.oracles import Disagreement, rooms_apart, same_again
from wsproto_fuzz.strategies import HubTalk, hub_commands, hub_limits, hub_talks

TestHub = HubMachine.TestCase
TestHub.settings = USUAL

#: A fault need only be found; what it shrinks to is tested for a few.
FIND = settings(HUNT, stateful_step_count=40, phases=(Phase.generate,))


def machine_of(make_hub: Callable[[HubLimits], Hub]) -> type[HubMachine]:
    class Machine(HubMachine):
        def make_hub(self, limits: HubLimits) -> Hub:
            return make_hub(limits)

    return Machine


# --- the machine bites ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_machine_finds_a_fault(mutant: type[Hub]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine_of(mutant), settings=FIND)


def test_a_hub_without_fault_passes_in_their_place() -> None:
    run_state_machine_as_test(machine_of(Hub), settings=settings(FIND, max_examples=50))


def test_there_are_enough_mutants() -> None:
    assert len(MUTANTS) >= 25
    assert all(mutant.__doc__ for mutant in MUTANTS)


@pytest.mark.parametrize(("name", "most"), [("TellsTwice", 2), ("LeavesGhosts", 2)])
def test_a_fault_shrinks_to_a_few_steps(name: str, most: int) -> None:
    (mutant,) = (mutant for mutant in MUTANTS if mutant.__name__ == name)
    assert len(steps_to(machine_of(mutant))) <= most


# --- oracles ----------------------------------------------------------------------------------------------------------

FREE = HubLimits(max_rooms=None, max_joined=None)
MEETING: list[tuple[float, Command]] = [(0, Connect("ada")), (0, Connect("bob")), (0, Join("ada", "x"))]


@given(talk=hub_talks(), limits=hub_limits())
def test_a_hub_agrees_with_itself(talk: HubTalk, limits: HubLimits) -> None:
    assert same_again(lambda: Hub(limits), talk.steps) == talk.play(Hub(limits))
    free = replace(limits, max_rooms=None, max_joined=None)
    rooms_apart(lambda: Hub(free), talk.steps)


def test_another_answer_to_the_same_is_found() -> None:
    with pytest.raises(Disagreement, match=r"step \d: .* and the first time"):
        same_again(lambda: Moody(FREE), [*MEETING, (0, Join("bob", "x"))])


def test_a_late_timer_that_shows_is_found() -> None:
    steps = [*MEETING, (1, Leave("ada", "x")), (100, Join("ada", "x"))]
    same_again(lambda: Hub(FREE), steps)
    with pytest.raises(Disagreement, match="step 4: "):
        same_again(lambda: LateTimersShow(FREE), steps)


def test_rooms_that_are_not_apart_are_found() -> None:
    steps = [
        *MEETING,
        (0, Join("ada", "y")),
        (0, Publish("ada", "y", "hi")),
        (0, Join("bob", "x", since=Position(0, 1))),
    ]
    rooms_apart(lambda: Hub(FREE), steps)
    with pytest.raises(Disagreement, match=r"^of 'x' among others "):
        rooms_apart(lambda: HearsOthers(FREE), steps)


@pytest.mark.parametrize("limits", [replace(FREE, max_rooms=2), replace(FREE, max_joined=2)])
def test_rooms_can_only_be_apart_where_nothing_ties_them(limits: HubLimits) -> None:
    with pytest.raises(ValueError, match=r"^make_hub must make hubs without max_rooms and max_joined$"):
        rooms_apart(lambda: Hub(limits), [])


# --- talks ------------------------------------------------------------------------------------------------------------


@given(talk=hub_talks(sessions=["eve"], rooms=["den"], max_steps=5))
def test_a_talk_is_of_those_who_were_named_and_time_never_goes_back(talk: HubTalk) -> None:
    times = [now for now, _ in talk.steps]
    assert times == sorted(times)
    assert {command.session for _, command in talk.steps} <= {"eve"}
    assert {getattr(command, "room", "den") for _, command in talk.steps} == ({"den"} if talk.steps else set())
    assert len(talk.steps) <= 5 * 3


@pytest.mark.parametrize("kind", [Broadcast, Connect, Disconnect, Join, Leave, ListMembers, Publish, Send, SetPresence])
def test_every_command_can_be_drawn(kind: type[Command]) -> None:
    assert isinstance(find(hub_commands(), lambda command: isinstance(command, kind)), kind)


def shortest_talks(is_wanted: Callable[[HubTalk], bool]) -> list[HubTalk]:
    """What searches that begin in several places shrink to: each has to end at the shortest."""
    return [find(hub_talks(), is_wanted, seed=seed) for seed in range(6)]


def told(talk: HubTalk) -> list[Effect]:
    return [effect for effects in talk.play(Hub()) for effect in effects]


ADA, IN, OUT = Connect("ada"), Join("ada", "x"), Leave("ada", "x")


@pytest.mark.parametrize(
    ("is_shown", "shortest"),
    [
        (lambda effect: effect, [ADA, ADA]),  # refused
        (lambda effect: isinstance(effect, Entered), [ADA, IN]),
        (lambda effect: isinstance(effect, Left), [ADA, IN, OUT]),
        (lambda effect: isinstance(effect, Published), [ADA, IN, Publish("ada", "x", "", echo=False)]),
        (lambda effect: isinstance(effect, PresenceChanged), [ADA, IN, SetPresence("ada", "x", "")]),
        (lambda effect: isinstance(effect, Members), [ADA, IN, ListMembers("ada", "x")]),
        (lambda effect: isinstance(effect, Deliver) and effect.room is None, [ADA, Send("ada", "ada", "")]),
    ],
    ids=["refused", "entered", "left", "published", "presence", "members", "sent"],
)
def test_a_talk_shrinks_to_the_shortest(is_shown: Callable[[Effect], bool], shortest: list[Command]) -> None:
    for found in shortest_talks(lambda talk: any(map(is_shown, told(talk)))):
        assert len(found.steps) <= len(shortest), found
        assert {now for now, _ in found.steps} == {0.0}
        assert len({command.session for _, command in found.steps}) == 1


def test_nothing_wrong_is_nothing_asked() -> None:
    assert find(hub_talks(), lambda _: True) == HubTalk()


def test_a_talk_with_two_who_hear_it() -> None:
    def is_heard_by_two(talk: HubTalk) -> bool:
        return any(isinstance(item, Deliver) and item.room is None and len(item.sessions) >= 2 for item in told(talk))

    for found in shortest_talks(is_heard_by_two):
        assert [type(command) for _, command in found.steps] == [Connect, Connect, Broadcast]


def test_a_talk_with_two_in_a_room() -> None:
    def is_heard_in_a_room(talk: HubTalk) -> bool:
        return any(isinstance(item, Deliver) and item.room and len(item.sessions) >= 2 for item in told(talk))

    for found in shortest_talks(is_heard_in_a_room):
        kinds = [type(command) for _, command in found.steps]
        assert sorted(kinds, key=str) == [Connect, Connect, Join, Join, Publish]


@pytest.mark.parametrize("has_gap", [False, True])
def test_some_talks_come_back_in_time_and_some_too_late(has_gap: bool) -> None:
    def comes_back(talk: HubTalk) -> bool:
        return any(
            isinstance(command, Join)
            and isinstance(effects[0], Entered)
            and effects[0].has_gap is has_gap
            and (has_gap or isinstance(effects[-1], Deliver))
            for (_, command), effects in zip(talk.steps, talk.play(Hub()), strict=True)
        )

    search = settings(SEARCH, phases=[Phase.generate])
    hypothesis.find(hub_talks(sessions=["ada"], rooms=["x"]), comes_back, settings=search, random=Random(0))


def test_a_talk_is_printed_as_python_and_line_by_line() -> None:
    talk = HubTalk(((0.0, Connect("ada")), (1.5, Join("ada", "x"))))
    assert eval(repr(talk)) == talk
    entered = Entered(("ada",), "x", (Member("ada", ""),), Position(1.5, 0), has_gap=False)
    assert talk.shown().splitlines() == [
        repr(talk),
        "  #    0.000 Connect(session='ada')",
        "  #    1.500 Join(session='ada', room='x', presence='', since=None)",
        f"  #          -> {entered!r}",
    ]
    assert str(HubTalk()) == "Nothing is asked."
