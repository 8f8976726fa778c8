"""Clients that come back."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, cast

from anyio import create_task_group, sleep
from anyio.abc import TaskGroup

from wsproto_core import Backoff, connections, is_retryable

from .client import connect
from .peer import WebSocket

__all__ = ["reconnect"]

_DEFAULT_BACKOFF: Final = Backoff()


class reconnect:  # noqa: N801  (it is used like a function, and is a context manager)
    """Connect, and connect again whenever the connection has ended::

        async with reconnect(uri) as connections:
            async for ws in connections:
                ...

    The body of the loop is the life of one connection; when it comes to its end, or to ``continue``, the connection is
    closed and the next one made. ``break`` ends it all. Between attempts it waits as ``backoff`` says; an open
    connection starts the count anew. ``retry(error)`` tells which failures, and which ends (as
    :exc:`ConnectionClosed`), are worth another attempt; any other is raised. ``options`` are those of
    :func:`connect`, which are checked at once.

    The ``async with`` is what asyncio's form can do without: the connections' tasks live in its task group, and a loop
    that is left has its connection closed by the end of the block, not by some garbage collection.
    """

    def __init__(
        self,
        uri: str,
        *,
        backoff: Backoff = _DEFAULT_BACKOFF,
        retry: Callable[[BaseException], bool] = is_retryable,
        **options: Any,
    ) -> None:
        connect(uri, **options)  # an option that cannot work is told now, and not in the background later
        self._uri = uri
        self._backoff = backoff
        self._retry = retry
        self._options = options
        self._group: TaskGroup | None = None
        self._connections: AsyncGenerator[WebSocket, None] | None = None

    async def __aenter__(self) -> AsyncIterator[WebSocket]:
        self._group = group = create_task_group()
        await group.__aenter__()

        options: dict[str, Any] = {"task_group": group, **self._options}

        async def dial() -> WebSocket:
            return await connect(self._uri, **options)

        made = connections(dial, sleep, random.random, self._backoff, self._retry)
        self._connections = cast("AsyncGenerator[WebSocket, None]", made)
        return made

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._group is not None, "entered"
        assert self._connections is not None, "entered"
        try:
            await self._connections.aclose()
        finally:
            # Not told of the block's exception, which goes on as it is: a group would wrap it.
            await self._group.__aexit__(None, None, None)
