"""Clients that come back."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Final

from anyio import create_task_group, current_time, sleep
from anyio.abc import TaskGroup

from wsproto_core import Advice, Backoff, Comeback, Connections, OutboxLimits, PendingMessages, Reopening

from .client import connect
from .peer import WebSocket

__all__ = ["reconnect"]

_DEFAULT_BACKOFF: Final = Backoff()
_DEFAULT_OUTBOX: Final = OutboxLimits()
_NO_ADVICE: Final[Mapping[int, Advice]] = MappingProxyType({})


class reconnect:  # noqa: N801  (it is used like a function, and is a context manager)
    """Connect, and connect again whenever the connection has ended::

        async with reconnect(uri) as connections:
            async for ws in connections:
                ...

    The body of the loop is the life of one connection; when it comes to its end, or to ``continue``, the connection is
    closed and the next one made. ``break`` ends the loop, and leaving the block closes what is still open.

    * ``backoff``: how long to wait between attempts, and when to give up.
    * ``advice``: what close codes of the server say about coming back, on top of :data:`CLOSE_CODE_ADVICE`:
      ``{4001: Advice(returns=False)}``. A ``Retry-After`` of a server that refuses is heard in any case.
    * ``retry(error)``: whether a failure, or an end (as :exc:`ConnectionClosed`), is worth another attempt; without it,
      as :func:`is_retryable` and ``advice`` say. What is not is raised.
    * ``opened(ws, reopening)``: a coroutine function, called with each new connection and a :class:`Reopening` before
      the loop gets it: the place to subscribe anew. If it raises, the attempt has failed.
    * ``outbox``: what ``connections.send_later(message)`` keeps while there is no connection.
    * ``options``: those of :func:`connect`, which are checked at once.

    It takes the block around the loop, because the connections' tasks live in its task group, and a loop that is left
    by ``break`` tells nobody. Iterating over it without is a :exc:`TypeError`.
    """

    def __init__(
        self,
        uri: str,
        *,
        backoff: Backoff = _DEFAULT_BACKOFF,
        advice: Mapping[int, Advice] = _NO_ADVICE,
        retry: Callable[[BaseException], bool] | None = None,
        opened: Callable[[WebSocket, Reopening], Awaitable[object]] | None = None,
        outbox: OutboxLimits = _DEFAULT_OUTBOX,
        **options: Any,
    ) -> None:
        connect(uri, **options)  # an option that cannot work is told now, and not in the background later
        self._uri = uri
        self._options = options
        self._comeback = Comeback(backoff, advice=advice, retry=retry)
        self._pending = PendingMessages[WebSocket](outbox)
        self._opened = opened
        self._group: TaskGroup | None = None
        self._connections: Connections[WebSocket] | None = None

    def __aiter__(self) -> AsyncIterator[WebSocket]:
        raise TypeError("on anyio: async with reconnect(...) as connections: async for ws in connections: ...")

    async def __aenter__(self) -> Connections[WebSocket]:
        self._group = group = create_task_group()
        await group.__aenter__()
        options: dict[str, Any] = {"task_group": group, **self._options}

        async def dial() -> WebSocket:
            return await connect(self._uri, **options)

        self._connections = Connections(
            dial,
            self._comeback,
            self._pending,
            opened=self._opened,
            now=current_time,
            chance=random.random,
            sleep=sleep,
            start=group.start_soon,
        )
        return self._connections

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
