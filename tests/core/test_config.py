"""Limits and timeouts are checked when they are built, and name what is wrong."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from wsproto_core._config import Limits, Timeouts

OPTIONAL = {"message_size", "frame_size", "max_fragments", "control_frame_rate", "inflate_ratio"}
COUNTS = [item.name for item in fields(Limits)]
DURATIONS = [item.name for item in fields(Timeouts)]


def test_the_defaults_are_bounded() -> None:
    assert {name for name in COUNTS if getattr(Limits(), name) is None} == {"frame_size"}
    assert {name for name in DURATIONS if getattr(Timeouts(), name) is None} == {"idle_timeout"}
    assert Limits().message_size == 1024 * 1024


@pytest.mark.parametrize("name", COUNTS)
def test_a_limit_is_a_positive_integer(name: str) -> None:
    assert getattr(Limits(**{name: 1}), name) == 1
    for value in (0, -1):
        with pytest.raises(ValueError, match=f"^{name} must be positive, not {value}") as caught:
            Limits(**{name: value})
        assert ("None means no limit" in str(caught.value)) is (name in OPTIONAL)
    wrong: list[Any] = [1.0, "1", True, math.inf]
    for value in wrong:
        with pytest.raises(TypeError, match=f"^{name} must be an integer"):
            Limits(**{name: value})


@pytest.mark.parametrize("name", COUNTS)
def test_no_limit_is_none_where_that_can_be(name: str) -> None:
    unbounded: dict[str, Any] = {name: None}
    if name in OPTIONAL:
        assert getattr(Limits(**unbounded), name) is None
    else:
        with pytest.raises(TypeError, match=f"^{name} must be an integer, not None$"):
            Limits(**unbounded)


@pytest.mark.parametrize("name", DURATIONS)
def test_a_duration_is_positive_and_finite_or_none(name: str) -> None:
    for right in (1, 0.001, None):
        assert getattr(Timeouts(**{name: right}), name) == right
    for value in (0, -0.5, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"^{name} must be positive and finite"):
            Timeouts(**{name: value})
    wrong: list[Any] = ["1", True, 1j]
    for value in wrong:
        with pytest.raises(TypeError, match=f"^{name} must be a number of seconds or None"):
            Timeouts(**{name: value})


@pytest.mark.parametrize("made", [Limits(), Timeouts()], ids=["limits", "timeouts"])
def test_both_are_frozen_and_keyword_only(made: Any) -> None:
    for name in [item.name for item in fields(made)]:
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, 1)
    with pytest.raises(TypeError):
        type(made)(1)
    with pytest.raises(TypeError, match="unknown"):
        type(made)(unknown=1)
