"""The nursery inside a context manager, of which its users need not know."""

from __future__ import annotations

from types import TracebackType
from typing import cast

import trio

__all__ = ["Household"]


class Household:
    """A nursery that wraps nobody's exception in a group: what leaves the block leaves it as itself.

    Only the block's own exception, or one that ended a task, comes out alone. Several at once are still a group.
    """

    async def open(self) -> trio.Nursery:
        """Open the nursery. Close it in the same task."""
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        return self._nursery

    async def close(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the tasks, which have been told to end. Takes what ``__aexit__`` takes, and raises only what ended a
        task.
        """
        if not self._nursery.cancel_scope.cancel_called:  # what leaves the block is none of the nursery's business
            kind = error = trace = None
        try:
            await self._manager.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            failures: BaseException | None = group.split(trio.Cancelled)[1]
        else:
            return
        if failures is not None and (lone := _only(failures, error)) is not error:
            raise lone


def _only(group: BaseException, error: BaseException | None) -> BaseException:
    """What ``group`` consists of, if that is one exception; ``error``, which may be a group by itself, stays whole."""
    if group is error or not isinstance(group, BaseExceptionGroup):
        return group
    first, *others = cast(BaseExceptionGroup[BaseException], group).exceptions
    return cast(BaseException, group) if others else _only(first, error)
