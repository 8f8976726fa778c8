"""Loss, duplicates, reordering and jitter from sequence numbers, also where they begin again."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.packets.kit import START
from tests.core.packets.link import Seen
from wsproto_core._packets.packet import microseconds
from wsproto_core._packets.reception import Reception, signed
from wsproto_core.testing import Chance, DatagramLink


def receive(reception: Reception, *sequences: int) -> list[bool]:
    return [reception.arrived(sequence % 2**32, 0, 0.0) for sequence in sequences]


def figures(reception: Reception) -> tuple[int, int, int, int, int]:
    return reception.expected, reception.lost, reception.duplicates, reception.reordered, reception.stale


@pytest.mark.parametrize("first", [0, 7, 2**31 - 2, 2**32 - 2])
@pytest.mark.parametrize(
    ("sequences", "expected"),
    [
        ([], (0, 0, 0, 0, 0)),
        ([0], (1, 0, 0, 0, 0)),
        ([0, 1, 2, 3], (4, 0, 0, 0, 0)),
        ([0, 3], (4, 2, 0, 0, 0)),
        ([0, 3, 1], (4, 1, 0, 1, 0)),
        ([0, 0, 3, 0], (4, 2, 2, 0, 0)),
        ([2, 0], (3, 1, 0, 1, 0)),  # the first to come need not be the first
        ([0, 1024, 0], (1025, 1023, 0, 0, 1)),
        ([0, 1023, 0], (1024, 1022, 1, 0, 0)),
        ([0, 60000, 60001], (60002, 59999, 0, 0, 0)),
    ],
)
def test_figures(first: int, sequences: list[int], expected: tuple[int, ...]) -> None:
    reception = Reception()
    receive(reception, *(first + sequence for sequence in sequences))
    assert figures(reception) == expected


def test_only_new_messages_are_delivered() -> None:
    assert receive(Reception(), 0, 0, 2, 1, 1, 5000, 2) == [True, False, True, True, False, True, False]


def test_a_peer_that_counts_anew_is_believed_the_second_time() -> None:
    reception = Reception()
    assert receive(reception, 10, 12, 10 + 2**20, 13, 11 + 2**20, 12 + 2**20) == [True, True, False, True, True, True]
    assert receive(reception, 13 + 2**20, 15 + 2**20) == [True, True]
    assert figures(reception) == (9, 2, 0, 0, 1)


def test_a_handshake_tells_where_counting_begins() -> None:
    reception = Reception()
    reception.begin(100)
    assert figures(reception) == (0, 0, 0, 0, 0)
    receive(reception, 102)
    reception.begin(100)  # said again: nothing new
    assert figures(reception) == (3, 2, 0, 0, 0)
    reception.begin(2**30)
    receive(reception, 2**30)
    assert figures(reception) == (4, 2, 0, 0, 0)


def test_announcements_reveal_what_was_lost_at_the_end() -> None:
    reception = Reception()
    reception.announced(5)
    assert figures(reception) == (0, 0, 0, 0, 0)
    receive(reception, 5)
    reception.announced(8)
    assert figures(reception) == (3, 2, 0, 0, 0)
    reception.announced(6)
    reception.announced(8 + 2**20)  # too far to be believed
    assert receive(reception, 7, 7) == [True, False]
    assert figures(reception) == (3, 1, 1, 1, 0)


@given(
    first=st.integers(0, 2**32 - 1),
    sequences=st.lists(st.integers(0, 40), max_size=60),
)
def test_the_figures_are_those_of_the_definitions(first: int, sequences: list[int]) -> None:
    reception = Reception()
    new = receive(reception, *(first + sequence for sequence in sequences))
    distinct = set(sequences)
    assert new == [sequence not in sequences[:index] for index, sequence in enumerate(sequences)]
    span = max(distinct) - min(distinct) + 1 if distinct else 0
    late = sum(
        is_new and any(s > n for s in sequences[:i]) for i, (n, is_new) in enumerate(zip(sequences, new, strict=True))
    )
    assert figures(reception) == (span, span - len(distinct), len(sequences) - len(distinct), late, 0)


@given(values=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=30))
def test_nothing_goes_wrong_whatever_the_peer_tells(values: list[tuple[int, int]]) -> None:
    reception = Reception()
    for index, (sequence, timestamp) in enumerate(values):
        reception.arrived(sequence, timestamp, START + index)
        if index % 3 == 0:
            reception.announced(timestamp)
        assert 0 <= reception.lost <= reception.expected
        assert reception.jitter >= 0


def test_jitter() -> None:
    link = DatagramLink(jitter=0.02, chance=Chance(3))
    random = Random(4)
    left = START
    for _ in range(300):
        left += random.random() / 5
        link.put(b"", left)
        while link.take(left) is not None:
            pass
    while link.take(left + 9) is not None:
        pass
    reception = Reception()
    for number, sent, came in link.log:
        reception.arrived(number, microseconds(sent), came)
    assert reception.jitter == pytest.approx(Seen.of(link).jitter, abs=3e-6)
    assert 0.004 < reception.jitter < 0.012


def test_the_clock_of_the_header_may_begin_again() -> None:
    reception = Reception()
    turn = 2**32 / 1_000_000
    for index in range(50):
        sent = turn - 1 + index / 10
        reception.arrived(index, microseconds(sent), 5 + index / 10)
    assert reception.jitter < 1e-5


@pytest.mark.parametrize(
    ("difference", "value"), [(0, 0), (2**31 - 1, 2**31 - 1), (2**31, -(2**31)), (-1, -1), (2**32, 0)]
)
def test_signed(difference: int, value: int) -> None:
    assert signed(difference) == value
