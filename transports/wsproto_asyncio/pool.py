"""Connections that are opened once and used by many."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Final

from wsproto_core import AsyncPool, Backoff, PoolLimits

from .client import connect
from .peer import WebSocket

__all__ = ["Pool"]

_DEFAULT_LIMITS: Final = PoolLimits()
_DEFAULT_BACKOFF: Final = Backoff()


class Pool(AsyncPool[WebSocket]):
    """Connections to ``uri``, opened when somebody needs one, and used again::

        async with Pool(uri, PoolLimits(max_size=4)) as pool:
            async with pool.connection() as ws:
                await ws.send("hi")

    * ``pool_limits``: how many connections, for how long, and how long to wait for one.
    * ``backoff``: how long to wait behind an attempt that failed, and when to give up.
    * ``retry(error)``: whether a failure to connect is worth another attempt; without it, as :func:`is_retryable` says.
      Any other is raised to those who wait.
    * ``options``: those of :func:`connect`, which are checked at once.

    Any number of tasks may use it. Cancelling one that waits for a connection, or uses one, costs the others nothing.
    """

    def __init__(
        self,
        uri: str,
        pool_limits: PoolLimits = _DEFAULT_LIMITS,
        *,
        backoff: Backoff = _DEFAULT_BACKOFF,
        retry: Callable[[BaseException], bool] | None = None,
        **options: Any,
    ) -> None:
        connect(uri, sock=None, **options)  # what cannot work is told now; a pool opens its own sockets
        super().__init__(_Runtime(uri, options), pool_limits, backoff=backoff, retry=retry, chance=random.random)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            self.abort()  # connections are no tasks here, so cancelling those ends none


class _Runtime:
    """What a pool needs of asyncio."""

    def __init__(self, uri: str, options: dict[str, Any]) -> None:
        self._uri = uri
        self._options = options
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def signal(self) -> asyncio.Event:
        return asyncio.Event()

    async def open(self) -> None:
        pass  # tasks need no place to live in

    def spawn(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        task = asyncio.get_running_loop().create_task(work(*arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def dial(self) -> WebSocket:
        return await connect(self._uri, **self._options)

    async def until(self, deadline: float | None, work: Callable[[], Awaitable[object]]) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await work()
        except TimeoutError:
            pass

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
