"""Chance from a seed: told again bit for bit, and fair enough."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core.testing import Chance


def test_the_draws_of_a_seed_are_known_for_ever() -> None:
    chance = Chance(7)
    assert repr(chance) == "Chance(7)"
    assert chance.randbytes(4).hex() == "6c73f231"
    assert [chance.below(1000) for _ in range(5)] == [192, 469, 920, 818, 816]
    assert chance.fraction() == 0.4500688432986173


@given(seed=st.integers(), bound=st.integers(1, 10**9))
def test_the_same_seed_gives_the_same_draws(seed: int, bound: int) -> None:
    def draws(chance: Chance) -> list[object]:
        return [
            [chance.fraction() for _ in range(40)],
            [chance.below(bound) for _ in range(40)],
            chance.choose("abc"),
            chance.happens(0.5),
            chance.randbytes(100),
        ]

    first = draws(Chance(seed))
    assert first == draws(Chance(seed))
    assert first != draws(Chance(seed + 1))


def test_draws_are_spread_evenly() -> None:
    chance = Chance(1)
    assert all(0 <= chance.fraction() < 1 for _ in range(1000))
    assert sum(chance.fraction() for _ in range(10_000)) == pytest.approx(5000, rel=0.05)
    assert sum(chance.happens(0.1) for _ in range(10_000)) == pytest.approx(1000, rel=0.1)
    counts = Counter(chance.choose("abcde") for _ in range(10_000))
    assert all(count == pytest.approx(2000, rel=0.1) for count in counts.values())
    assert len(counts) == 5
    assert Counter(chance.below(3) for _ in range(300)).keys() == {0, 1, 2}


def test_what_is_certain() -> None:
    chance = Chance(1)
    assert not any(chance.happens(0.0) for _ in range(1000))
    assert all(chance.happens(1.0) for _ in range(1000))
