"""The fixed cases, one file for each group. None of them needs hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from ..case import Case

__all__ = ["GROUPS", "all_cases", "cases_of"]

#: The groups in the order of reports. Each is a module here with a tuple ``CASES``.
GROUPS: Final = (
    "framing",
    "ping",
    "reserved",
    "opcodes",
    "fragmentation",
    "utf8",
    "close",
    "handshake",
    "deflate",
    "timing",
    "limits",
    "tls",
)


def cases_of(group: str) -> tuple[Case, ...]:
    """The cases of a group. Raises :exc:`ValueError` for one that is not in :data:`GROUPS`."""
    if group not in GROUPS:
        raise ValueError(f"group must be one of {', '.join(GROUPS)}, not {group!r}")
    cases: tuple[Case, ...] = import_module(f".{group}", __name__).CASES
    return cases


def all_cases(groups: Sequence[str] = GROUPS) -> tuple[Case, ...]:
    """The cases of ``groups``, in that order. Raises :exc:`ValueError` as :func:`cases_of`."""
    return tuple(case for group in groups for case in cases_of(group))
