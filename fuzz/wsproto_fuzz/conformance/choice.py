"""Which cases are played: groups or single ones, and generated ones on top."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from .case import Case
from .cases import all_cases, cases_of

__all__ = ["GENERATED", "chosen_cases"]

#: The group of the generated cases.
GENERATED: Final = "generated"


def chosen_cases(only: Sequence[str] = (), *, examples: int = 0, seed: int = 0) -> tuple[Case, ...]:
    """The fixed cases that ``only`` names, or all of them, and ``examples`` that are generated from ``seed``.

    A name is that of a group, or the beginning of an id at a dot: "close", "close.3", "close.3.1". Names that begin
    with "generated" choose among the generated cases, which are all played otherwise. Raises :exc:`ValueError` for a
    name without cases, and :exc:`ImportError` if there are to be examples and no hypothesis.
    """
    fixed = [name for name in only if _group(name) != GENERATED]
    generated = [name for name in only if _group(name) == GENERATED]
    chosen = [case for name in fixed for case in _named(name, cases_of(_group(name)))] if only else [*all_cases()]
    if examples:
        chosen += _generated(generated, seed, examples)
    elif generated:
        raise ValueError(f"there is no case {generated[0]!r} without examples")
    return tuple({case.id: case for case in chosen}.values())


def _generated(names: Sequence[str], seed: int, examples: int) -> list[Case]:
    from .generated import generated_cases  # hypothesis, which nothing else here needs

    made = generated_cases(seed, examples)
    return [case for name in names for case in _named(name, made)] if names else [*made]


def _named(name: str, cases: Iterable[Case]) -> list[Case]:
    found = [case for case in cases if f"{case.id}.".startswith(f"{name}.")]
    if not found:
        raise ValueError(f"there is no case {name!r}")
    return found


def _group(name: str) -> str:
    return name.partition(".")[0]
