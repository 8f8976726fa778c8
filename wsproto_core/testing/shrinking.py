"""A script that fails becomes the smallest one that still does (delta debugging)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from .script import AnyScript, Move, is_tuple

__all__ = ["shrink", "simpler"]

S = TypeVar("S", bound=AnyScript)


def shrink(script: S, fails: Callable[[S], bool], *, max_tries: int = 10_000) -> S:
    """The simplest script that is found for which ``fails`` is still true, after so many calls of it at most.

    Connections and moves are left out, lines become perfect, waits and words short, whatever does not matter takes its
    default. Raises :exc:`ValueError` if ``script`` itself does not fail.
    """
    if not fails(script):
        raise ValueError("script: it does not fail")
    tries = iter(range(max_tries))
    while True:
        smaller = next((other for other, _ in zip(simpler(script), tries, strict=False) if fails(other)), None)
        if smaller is None:
            return script
        script = smaller


def simpler(value: Any) -> Iterator[Any]:
    """What is one step simpler than ``value``, the greatest step first."""
    if not is_tuple(value):
        return
    yield from _simpler_fields(value) if hasattr(value, "_fields") else _simpler_items(value)
    if isinstance(value, Move) and isinstance(value.detail, str) and value.detail:
        yield value._replace(detail=value.detail[: len(value.detail) // 4 * 2])  # even: it may be hexadecimal


def _simpler_items(items: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """All but some of them, and then all with a simpler one among them."""
    size = len(items)
    while size:
        for start in range(0, len(items), size):
            yield items[:start] + items[start + size :]
        size //= 2
    for index, item in enumerate(items):
        for smaller in simpler(item):
            yield (*items[:index], smaller, *items[index + 1 :])


def _simpler_fields(value: Any) -> Iterator[Any]:
    """It with one field at its default, and then with a simpler field."""
    defaults: Mapping[str, Any] = value._field_defaults
    fields: dict[str, Any] = value._asdict()
    for name, default in defaults.items():
        if fields[name] != default:
            yield value._replace(**{name: default})
    for name, field in fields.items():
        for smaller in simpler(field):
            yield value._replace(**{name: smaller})
