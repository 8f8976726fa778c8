"""Threads of the loop's executor do what takes long; what becomes of it where something else goes wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from wsproto_asyncio import WebSocket, connect, serve
from wsproto_core import ConnectionClosed, PerMessageDeflate

LARGE = Random(0).randbytes(500_000)


@asynccontextmanager
async def connected() -> AsyncIterator[WebSocket]:
    async def echo(ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)

    options: dict[str, Any] = {"compression": PerMessageDeflate()}
    async with (
        serve(echo, "127.0.0.1", 0, **options) as server,
        connect(f"ws://127.0.0.1:{server.port}/", **options) as ws,
    ):
        yield ws


async def test_large_messages_come_back_as_they_were() -> None:
    async with connected() as ws:
        for _ in range(3):
            await ws.send(LARGE)
        assert [await ws.recv() for _ in range(3)] == [LARGE] * 3


@pytest.mark.parametrize("is_begun", [True, False])
async def test_nobody_hears_of_what_is_done_for_a_lost_connection(is_begun: bool) -> None:
    gate = threading.Event()
    with ThreadPoolExecutor(1) as executor, pytest.MonkeyPatch.context() as patch:
        asyncio.get_running_loop().set_default_executor(executor)
        async with connected() as ws:
            if is_begun:
                patch.setattr("wsproto_core._driver.flow.Encoding._do", lambda _: gate.wait())
            else:
                executor.submit(gate.wait)
            await ws.send(LARGE)
            await asyncio.sleep(0)
            ws.abort()
            report = await ws.wait_closed()
            assert not report.ok
            gate.set()


async def test_without_threads_the_connection_is_dropped() -> None:
    executor = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(executor)
    async with connected() as ws:
        executor.shutdown()
        await ws.send(LARGE)
        with pytest.raises(ConnectionClosed):
            await ws.recv()


async def test_work_that_fails_ends_the_connection() -> None:
    complaints: list[Any] = []

    def fail(_: object) -> None:
        raise MemoryError

    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["exception"]))
    async with connected() as ws:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("wsproto_core._driver.flow.Encoding._do", fail)
            await ws.send(LARGE)
            with pytest.raises(ConnectionClosed):
                await ws.recv()
    assert [type(error) for error in complaints] == [MemoryError]
