"""Connections that are opened once and used by many."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import trio

from wsproto_core import AsyncPool, Backoff, PoolLimits

from .client import connect
from .household import Household
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

    The connections' tasks live in a nursery of the pool's own. What leaves the block leaves it as itself, never in an
    exception group. When the block is cancelled the connections do not wait for their peer: they say 1011, if that can
    be sent at once, and are gone.
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
        # What cannot work is told now; a pool opens its own sockets, in its own nursery.
        connect(uri, sock=None, nursery=None, **options)
        super().__init__(_Runtime(uri, options), pool_limits, backoff=backoff, retry=retry, chance=random.random)


class _Runtime:
    """What a pool needs of trio."""

    def __init__(self, uri: str, options: dict[str, Any]) -> None:
        self._uri = uri
        self._options = options
        self._household = Household()

    def now(self) -> float:
        return trio.current_time()

    def signal(self) -> trio.Event:
        return trio.Event()

    async def open(self) -> None:
        self._nursery = await self._household.open()

    def spawn(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        self._nursery.start_soon(work, *arguments)

    async def dial(self) -> WebSocket:
        return await connect(self._uri, nursery=self._nursery, **self._options)

    async def until(self, deadline: float | None, work: Callable[[], Awaitable[object]]) -> None:
        with trio.move_on_at(math.inf if deadline is None else deadline):
            await work()

    async def stop(self) -> None:
        self._nursery.cancel_scope.cancel()
        await self._household.close(None, None, None)
