"""Blocking objects in coroutines: each step blocks instead of waiting, so that the first step is also the last."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Stepped", "finish"]

_T = TypeVar("_T")


class Stepped:
    """A blocking object in the clothes of an asynchronous one: its methods are coroutine functions that never wait."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if not callable(value) or name == "abort":  # which waits nowhere
            return value

        async def call(*arguments: Any, **options: Any) -> Any:
            return value(*arguments, **options)

        return call


def finish(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that never waits; return its result."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    coroutine.close()
    raise AssertionError("it waits for something that nothing here can bring about")
