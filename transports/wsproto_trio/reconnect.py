"""Clients that come back."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, cast

import trio

from wsproto_core import Backoff, connections, is_retryable

from .client import connect
from .household import Household
from .peer import WebSocket

__all__ = ["reconnect"]

_DEFAULT_BACKOFF: Final = Backoff()


class reconnect:  # noqa: N801  (it is used like a function, and is a context manager)
    """Connect, and connect again whenever the connection has ended::

        async with reconnect(uri) as connections:
            async for ws in connections:
                ...

    The body of the loop is the life of one connection; when it comes to its end, or to ``continue``, the connection is
    closed and the next one made. ``break`` ends the loop, and leaving the ``async with`` block closes what is still
    open. Between attempts it waits as ``backoff`` says; an open connection starts the count anew. ``retry(error)``
    tells which failures, and which ends (as :exc:`ConnectionClosed`), are worth another attempt; any other is raised.
    ``options`` are those of :func:`connect`, which are checked at once.

    On trio it takes a block around the loop, because the tasks that serve a connection must not outlive the place where
    they began, and a loop that is left by ``break`` tells nobody. Iterating over it without is a :exc:`TypeError`.
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
        if "nursery" in options:
            raise TypeError("reconnect() has a nursery of its own")
        self._uri = uri
        self._backoff = backoff
        self._retry = retry
        self._options = options
        self._household = Household()
        self._ws: WebSocket | None = None  # the latest

    def __aiter__(self) -> AsyncIterator[WebSocket]:
        raise TypeError("on trio: async with reconnect(...) as connections: async for ws in connections: ...")

    async def __aenter__(self) -> AsyncIterator[WebSocket]:
        nursery = await self._household.open()

        async def dial() -> WebSocket:
            self._ws = await connect(self._uri, **self._options).open_in(nursery)
            return self._ws

        iterator = connections(dial, trio.sleep, random.random, self._backoff, self._retry)
        self._connections = cast(AsyncGenerator[WebSocket, None], iterator)
        return self._connections

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._connections.aclose()  # closes the connection that is open, if one is
        except trio.Cancelled:
            if error is None:
                raise
        finally:
            if self._ws is not None:
                self._ws.link.leave()  # which nobody else does if this was cancelled
            await self._household.close(kind, error, trace)
