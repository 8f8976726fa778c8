"""Every adapter on every loop that it knows, behind one face: a script is written once, as a coroutine."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
import trio.to_thread

import wsproto_anyio
import wsproto_asyncio
import wsproto_sockets
import wsproto_trio
from tests.adapters import sockets_kit
from tests.adapters.anyio_kit import BACKENDS, everywhere
from tests.adapters.loops import run_on
from tests.adapters.trio_kit import trio_test
from tests.interop.kit import Over, Talker
from tests.interop.stepping import Stepped, finish
from wsproto_core import ConnectionClosed

__all__ = ["RUNTIMES", "Ours", "Runtime"]

Script = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Runtime:
    """An adapter on one of its loops."""

    name: str
    connect: Callable[..., AbstractAsyncContextManager[Any]]
    serve: Callable[..., AbstractAsyncContextManager[Any]]
    #: Call a function that blocks, while the loop goes on.
    in_thread: Callable[..., Awaitable[Any]]
    #: Run a script to its end, and complain about what it leaves behind.
    run: Callable[[Script], None]


class Ours(Talker):
    """A connection of any adapter."""

    def __init__(self, ws: Any) -> None:
        self._ws = ws

    async def send(self, message: str | bytes) -> None:
        await self._ws.send(message)

    async def send_parts(self, *parts: str) -> None:
        """With a ping between them (RFC 6455 §5.4)."""
        *first, last = parts
        for part in first:
            await self._ws.send_fragment(part, final=False)
            await self.ping()
        await self._ws.send_fragment(last, final=True)

    async def recv(self) -> str | bytes:
        try:
            message: str | bytes = await self._ws.recv()
        except ConnectionClosed as closed:
            raise Over(closed.report.code, closed.report.reason) from None
        return message

    async def ping(self) -> None:
        assert await self._ws.ping() >= 0

    async def close(self, code: int, reason: str) -> None:
        await self._ws.close(code, reason)

    async def abort(self) -> None:
        self._ws.abort()


# --- asyncio and anyio ------------------------------------------------------------------------------------------------


def on_asyncio(loop: str) -> Runtime:
    return Runtime(loop, wsproto_asyncio.connect, wsproto_asyncio.serve, asyncio.to_thread, partial(run_on, loop))


def on_anyio(backend: str) -> Runtime:
    def run(script: Script) -> None:
        everywhere(script)(backend=backend)

    return Runtime(f"anyio-{backend}", wsproto_anyio.connect, wsproto_anyio.serve, anyio.to_thread.run_sync, run)


# --- trio and blocking sockets ----------------------------------------------------------------------------------------


def run_trio(script: Script) -> None:
    trio_test(script)()


@contextlib.asynccontextmanager
async def blocking_connect(uri: str, **options: Any) -> AsyncIterator[Stepped]:
    with wsproto_sockets.connect(uri, **options) as ws:
        yield Stepped(ws)


@contextlib.asynccontextmanager
async def blocking_serve(
    handler: Callable[[Any], Coroutine[Any, Any, None]], *arguments: Any, **options: Any
) -> AsyncIterator[wsproto_sockets.Server[Any]]:
    with wsproto_sockets.serve(lambda ws: finish(handler(Stepped(ws))), *arguments, **options) as server:
        yield server


async def blocking_call(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


def run_blocking(script: Script) -> None:
    """Run ``script``; no thread of its own may outlive it."""
    threads = set(threading.enumerate())
    finish(script())
    sockets_kit.eventually(lambda: set(threading.enumerate()) <= threads)
    gc.collect()  # an unclosed socket says so when it is collected


RUNTIMES = [
    *map(on_asyncio, ("asyncio", "uvloop")),
    *map(on_anyio, BACKENDS),
    Runtime("trio", wsproto_trio.connect, wsproto_trio.serve, trio.to_thread.run_sync, run_trio),
    Runtime("sockets", blocking_connect, blocking_serve, blocking_call, run_blocking),
]
