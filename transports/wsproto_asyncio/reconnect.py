"""Clients that come back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from wsproto_core import Backoff, connections, is_retryable

from .client import connect
from .peer import WebSocket

__all__ = ["reconnect"]

_DEFAULT_BACKOFF: Final = Backoff()


def reconnect(
    uri: str,
    *,
    backoff: Backoff = _DEFAULT_BACKOFF,
    retry: Callable[[BaseException], bool] = is_retryable,
    **options: Any,
) -> AsyncIterator[WebSocket]:
    """Connect, and connect again whenever the connection has ended: ``async for ws in reconnect(uri): ...``.

    The body of the loop is the life of one connection; when it comes to its end, or to ``continue``, the connection is
    closed and the next one made. ``break`` ends it all. Between attempts it waits as ``backoff`` says; an open
    connection starts the count anew. ``retry(error)`` tells which failures, and which ends (as
    :exc:`ConnectionClosed`), are worth another attempt; any other is raised. ``options`` are those of
    :func:`connect`, which are checked at once.
    """
    connect(uri, **options)  # an option that cannot work is told now, and not in the background later

    async def dial() -> WebSocket:
        return await connect(uri, **options)

    return connections(dial, asyncio.sleep, random.random, backoff, retry)
