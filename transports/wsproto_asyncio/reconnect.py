"""Clients that come back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Final

from wsproto_core import Advice, Backoff, Comeback, Connections, OutboxLimits, PendingMessages, Reopening

from .client import connect
from .peer import WebSocket

__all__ = ["reconnect"]

_DEFAULT_BACKOFF: Final = Backoff()
_DEFAULT_OUTBOX: Final = OutboxLimits()
_NO_ADVICE: Final[Mapping[int, Advice]] = MappingProxyType({})


class reconnect:  # noqa: N801  (it is used like a function, and is iterable and a context manager)
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

    Without the block, ``async for ws in reconnect(uri)`` does the same, but nobody has ``connections`` in hand, and
    after ``break`` it is the garbage collection that closes the connection.
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

        async def dial() -> WebSocket:
            return await connect(uri, **options)

        self._pumps: set[asyncio.Task[None]] = set()
        self._connections = Connections(
            dial,
            Comeback(backoff, advice=advice, retry=retry),
            PendingMessages(outbox),
            opened=opened,
            now=_now,
            chance=random.random,
            sleep=asyncio.sleep,
            start=self._start,
        )

    def __aiter__(self) -> AsyncIterator[WebSocket]:
        return self._connections.lives()

    async def __aenter__(self) -> Connections[WebSocket]:
        return self._connections

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connections.aclose()
        if self._pumps:
            await asyncio.wait(self._pumps)

    def _start(self, pump: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.get_running_loop().create_task(pump())
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)


def _now() -> float:
    return asyncio.get_running_loop().time()
