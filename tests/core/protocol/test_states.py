"""The tables keep the laws that the module's docstring states, and ``follow`` keeps to the tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import product
from typing import Any

import pytest

from wsproto_core._errors import LocalProtocolError
from wsproto_core._protocol.states import (
    CONNECTION,
    INCOMING,
    MAY_RECEIVE,
    MAY_SEND,
    OUTGOING,
    PUBLIC_STATE,
    Frames,
    Happening,
    Part,
    Phase,
    Position,
    follow,
)
from wsproto_core._types import State

Table = Mapping[Any, Mapping[Any, Any]]

MACHINES: list[tuple[str, Table, type[Enum], type[Enum]]] = [
    ("CONNECTION", CONNECTION, Phase, Happening),
    ("OUTGOING", OUTGOING, Position, Part),
    ("INCOMING", INCOMING, Position, Frames),
]
CELLS = [
    pytest.param(table, state, step, id=f"{name}-{state.name}-{step.name}")
    for name, table, states, steps in MACHINES
    for state, step in product(states, steps)
]


@pytest.mark.parametrize(("table", "state", "step"), CELLS)
def test_a_legal_step_leads_where_the_table_says_and_no_other_leads_anywhere(
    table: Table, state: Enum, step: Enum
) -> None:
    if step in table[state]:
        assert follow(table, state, step) is table[state][step]
        return
    with pytest.raises(LocalProtocolError) as caught:
        follow(table, state, step)
    assert str(caught.value) == f"{step.value} is not possible: {state.value}"


@pytest.mark.parametrize(("table", "states"), [row[1:3] for row in MACHINES], ids=[row[0] for row in MACHINES])
def test_every_state_has_a_row_and_can_be_reached(table: Table, states: type[Enum]) -> None:
    assert set(table) == set(states)
    start = next(iter(states))
    assert {start, *(end for row in table.values() for end in row.values())} == set(states)


# --- the laws of a connection -----------------------------------------------------------------------------------------


def paths(length: int, phase: Phase = Phase.CONNECTING) -> Iterator[list[Happening]]:
    """Every way of ``length`` steps or fewer through the life of a connection."""
    yield []
    if length:
        for happening, after in CONNECTION[phase].items():
            yield from ([happening, *rest] for rest in paths(length - 1, after))


PATHS = list(paths(6))


def phases(path: list[Happening]) -> list[Phase]:
    """The phases that ``path`` leads through, from the first."""
    result = [Phase.CONNECTING]
    for happening in path:
        result.append(CONNECTION[result[-1]][happening])
    return result


def test_law_1_it_opens_at_most_once_and_before_that_nothing_goes_either_way() -> None:
    assert all(path.count(Happening.OPENED) <= 1 for path in PATHS)
    assert all(Happening.OPENED in path[:1] for path in PATHS if Happening.CLOSE_FRAME in path)
    assert all(Happening.OPENED in path[:1] for path in PATHS if Happening.CLOSE_LEFT in path)
    assert Phase.CONNECTING not in MAY_SEND | MAY_RECEIVE


def test_law_2_each_side_sends_one_close_frame_and_nothing_after_it() -> None:
    for path in PATHS:
        seen = phases(path)
        for happening, allowed in ((Happening.CLOSE_LEFT, MAY_SEND), (Happening.CLOSE_FRAME, MAY_RECEIVE)):
            assert path.count(happening) <= 1
            if happening in path:
                assert not allowed & set(seen[path.index(happening) + 1 :])


def test_law_3_after_a_close_frame_or_an_offence_nothing_is_received_and_our_answer_is_still_possible() -> None:
    for path in PATHS:
        for happening in (Happening.CLOSE_FRAME, Happening.OFFENCE):
            if happening in path:
                at = path.index(happening)
                before, *after = phases(path)[at:]
                assert not MAY_RECEIVE & set(after)
                assert before is not Phase.OPEN or Happening.CLOSE_LEFT in CONNECTION[after[0]]


def test_law_5_every_connection_can_end_and_the_end_is_the_end() -> None:
    for phase in Phase:
        assert CONNECTION[phase][Happening.TRANSPORT_ENDED] is Phase.CLOSED
        assert CONNECTION[phase][Happening.GIVEN_UP] is Phase.CLOSED
    assert set(CONNECTION[Phase.CLOSED].values()) == {Phase.CLOSED}
    assert Phase.CLOSED not in MAY_SEND | MAY_RECEIVE


def test_the_close_frame_can_leave_wherever_messages_can() -> None:
    assert {phase for phase in Phase if Happening.CLOSE_LEFT in CONNECTION[phase]} == MAY_SEND
    assert {phase for phase in Phase if Happening.CLOSE_FRAME in CONNECTION[phase]} == MAY_RECEIVE


def test_how_phases_look_from_outside() -> None:
    assert set(PUBLIC_STATE) == set(Phase)
    assert {phase.name: PUBLIC_STATE[phase] for phase in Phase} == {
        "CONNECTING": State.CONNECTING,
        "OPEN": State.OPEN,
        "CLOSE_SENT": State.CLOSING,
        "CLOSE_RECEIVED": State.CLOSING,
        "FAILED": State.CLOSING,
        "CLOSED": State.CLOSED,
    }


# --- the law of frames ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [Position.IN_TEXT, Position.IN_BINARY])
def test_law_4_frames_of_two_messages_never_mix(position: Position) -> None:
    """RFC 6455 §5.4."""
    own = {Position.IN_TEXT: {Part.TEXT, Part.LAST_TEXT}, Position.IN_BINARY: {Part.BINARY, Part.LAST_BINARY}}
    assert set(OUTGOING[position]) == own[position]
    assert set(INCOMING[position]) == {Frames.CONTINUATION, Frames.LAST_CONTINUATION, Frames.CONTROL}


@pytest.mark.parametrize("position", Position)
def test_law_4_control_frames_may_stand_anywhere_and_change_nothing(position: Position) -> None:
    assert INCOMING[position][Frames.CONTROL] is position
