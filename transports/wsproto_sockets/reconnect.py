"""Clients that come back."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any, Final, TypeVar, cast

from wsproto_core import AsyncPeer, Backoff, CloseReport, connections, is_retryable

from .client import prepare
from .peer import WebSocket

__all__ = ["reconnect"]

_T = TypeVar("_T")
_DEFAULT_BACKOFF: Final = Backoff()


def reconnect(
    uri: str,
    *,
    backoff: Backoff = _DEFAULT_BACKOFF,
    retry: Callable[[BaseException], bool] = is_retryable,
    **options: Any,
) -> Iterator[WebSocket]:
    """Connect, and connect again whenever the connection has ended: ``for ws in reconnect(uri): ...``.

    The body of the loop is the life of one connection; when it comes to its end, or to ``continue``, the connection is
    closed and the next one made. ``break`` ends it all. Between attempts it waits as ``backoff`` says; an open
    connection starts the count anew. ``retry(error)`` tells which failures, and which ends (as
    :exc:`ConnectionClosed`), are worth another attempt; any other is raised. ``options`` are those of
    :func:`connect`, which are checked at once.
    """
    prepare(uri, **options)  # an option that cannot work is told now, and not by the first attempt

    async def dial() -> AsyncPeer:
        return cast(AsyncPeer, _Patient(prepare(uri, **options).open()))  # it has all that the loop asks for

    async def sleep(pause: float) -> None:
        time.sleep(pause)

    return _in_this_thread(cast(AsyncGenerator[_Patient], connections(dial, sleep, random.random, backoff, retry)))


class _Patient:
    """A connection as the core's loop, which is written for coroutines, sees it."""

    def __init__(self, ws: WebSocket) -> None:
        self.ws = ws

    async def close(self) -> None:
        self.ws.close()

    async def wait_closed(self) -> CloseReport:
        return self.ws.wait_closed()


def _in_this_thread(patients: AsyncGenerator[_Patient]) -> Iterator[WebSocket]:
    """The core's loop without an event loop: its coroutines block instead of waiting, so each ends in one step."""
    try:
        while True:
            try:
                patient = _at_once(anext(patients))
            except StopAsyncIteration:
                return
            yield patient.ws
    finally:
        _at_once(patients.aclose())


def _at_once(work: Awaitable[_T]) -> _T:
    try:
        next(work.__await__())
    except StopIteration as done:
        return cast(_T, done.value)
    raise AssertionError("nothing in it waits")
