"""The adapter kit: what any adapter must do, as a table of cases. This is the table of its contents."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import cast

from . import (
    adapter_cases_cancelling,
    adapter_cases_closing,
    adapter_cases_flow,
    adapter_cases_limits,
    adapter_cases_messages,
    adapter_cases_opening,
    adapter_cases_requests,
    adapter_cases_serving,
    adapter_cases_timers,
    adapter_cases_tls,
    adapter_cases_work,
)
from .adapter_case import AdapterCase

__all__ = ["adapter_cases"]


def adapter_cases() -> tuple[AdapterCase, ...]:
    """Every case of the kit, in the order of the files: an argument for ``pytest.mark.parametrize``, whose ``ids`` can
    be ``str``.
    """
    chapters = (
        adapter_cases_opening,
        adapter_cases_requests,
        adapter_cases_messages,
        adapter_cases_flow,
        adapter_cases_closing,
        adapter_cases_limits,
        adapter_cases_timers,
        adapter_cases_serving,
        adapter_cases_cancelling,
        adapter_cases_tls,
        adapter_cases_work,
    )
    return tuple(found for chapter in chapters for found in _cases_of(chapter))


def _cases_of(chapter: ModuleType) -> Iterator[AdapterCase]:
    for value in vars(chapter).values():
        if isinstance(value, AdapterCase):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in cast(tuple[object, ...], value) if isinstance(item, AdapterCase))
