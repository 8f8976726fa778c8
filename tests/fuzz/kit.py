"""What the tests of the fuzz kit share."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

import hypothesis
from hypothesis import strategies as st

T = TypeVar("T")

SEARCH = hypothesis.settings(
    max_examples=5000,
    database=None,
    phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],  # nobody reads an explanation, and it takes most of it
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.filter_too_much,
        hypothesis.HealthCheck.data_too_large,
        hypothesis.HealthCheck.large_base_example,
    ],
)


def find(strategy: st.SearchStrategy[T], condition: Callable[[T], object], *, seed: int = 0) -> T:
    """A small example for which ``condition`` holds: what hypothesis shrinks the first one to that it meets.

    Which that is depends on ``seed``, and on the modules that happen to be loaded: it draws from their constants.
    """
    return hypothesis.find(strategy, lambda example: bool(condition(example)), settings=SEARCH, random=Random(seed))
