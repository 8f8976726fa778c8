"""What the tests of the fuzz kit share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import hypothesis
from hypothesis import strategies as st

T = TypeVar("T")

SEARCH = hypothesis.settings(
    max_examples=5000,
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.filter_too_much,
        hypothesis.HealthCheck.data_too_large,
        hypothesis.HealthCheck.large_base_example,
    ],
)


def find(strategy: st.SearchStrategy[T], condition: Callable[[T], object]) -> T:
    """The smallest example for which ``condition`` holds, the same in every run."""
    return hypothesis.find(strategy, lambda example: bool(condition(example)), settings=SEARCH)
