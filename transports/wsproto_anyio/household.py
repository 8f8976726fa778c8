"""A block around a life, with a task group that the user gave or need not know of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from types import TracebackType
from typing import Any, Generic, TypeVar

from anyio import create_task_group
from anyio.abc import TaskGroup

__all__ = ["Household"]

_T = TypeVar("_T")


class Household(ABC, Generic[_T]):
    """What begins with ``async with`` and ends with the block; or with ``await``, and then lives in ``group``."""

    def __init__(self, group: TaskGroup | None) -> None:
        self._group = group
        self._own_group: TaskGroup | None = None
        self._inmate: _T | None = None

    @abstractmethod
    async def _begin(self, group: TaskGroup) -> _T:
        """Begin; tasks live in ``group``."""

    @abstractmethod
    async def _end(self, inmate: _T, error: BaseException | None) -> None:
        """End; ``error`` is what has left the block."""

    def __await__(self) -> Generator[Any, Any, _T]:
        if self._group is None:
            name = type(self).__name__
            raise RuntimeError(f"use `async with {name}(...)`, or `await {name}(..., task_group=group)`")
        return self._begin(self._group).__await__()

    async def __aenter__(self) -> _T:
        if self._group is not None:
            self._inmate = await self._begin(self._group)
            return self._inmate
        self._own_group = create_task_group()
        await self._own_group.__aenter__()
        try:
            self._inmate = await self._begin(self._own_group)
        except BaseException:
            await self._own_group.__aexit__(None, None, None)
            raise
        return self._inmate

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._inmate is not None, "entered"
        try:
            await self._end(self._inmate, error)
        finally:
            if self._own_group is not None:
                # Not told of the block's exception, which goes on as it is: a group would wrap it.
                await self._own_group.__aexit__(None, None, None)
