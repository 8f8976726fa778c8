"""``wsproto_sockets`` against ``websockets``: its asyncio server, its threading server, and its threading client."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import websockets.asyncio.server
import websockets.sync.client
import websockets.sync.server

from tests.adapters.kit import Authority
from tests.adapters.sockets_kit import PATIENCE, echo, run, tidy, url
from wsproto_core import ConnectionClosedError, Limits, PerMessageDeflate
from wsproto_sockets import connect, serve

__all__ = ["tidy"]

pytestmark = [pytest.mark.usefixtures("tidy"), pytest.mark.interop]

LIMITS = Limits(message_size=20_000_000, inflate_ratio=None)
MESSAGES: list[str | bytes] = [
    "",
    b"",
    "👋 héllo",
    bytes(range(256)) * 4096,
    "x" * 65_536,
    bytes(range(256)) * 20_000,
]


@contextlib.contextmanager
def asyncio_server(**options: Any) -> Iterator[int]:
    """An echo server of ``websockets`` on asyncio, in a thread; yields its port."""
    ports: list[int] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def handler(ws: websockets.asyncio.server.ServerConnection) -> None:
        async for message in ws:
            if message == "close":
                await ws.close(4001, "as you wish")
            await ws.send(message)

    async def life() -> None:
        async with websockets.asyncio.server.serve(handler, "127.0.0.1", 0, max_size=None, **options) as server:
            ports.append(server.sockets[0].getsockname()[1])
            ready.set()
            await stop.wait()

    running = run(loop.run_until_complete, life())
    try:
        assert ready.wait(PATIENCE)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        running.result(PATIENCE)
        loop.close()


@contextlib.contextmanager
def sync_server() -> Iterator[int]:
    """An echo server of ``websockets`` on threads; yields its port."""

    def handler(ws: websockets.sync.server.ServerConnection) -> None:
        for message in ws:
            ws.send(message)

    with websockets.sync.server.serve(handler, "127.0.0.1", 0, max_size=None) as server:
        serving = run(server.serve_forever)
        yield server.socket.getsockname()[1]
        server.shutdown()
        serving.result(PATIENCE)


@pytest.mark.parametrize("kind", [asyncio_server, sync_server])
@pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])
def test_our_client(kind: Any, compression: PerMessageDeflate | None) -> None:
    with kind() as port, connect(f"ws://127.0.0.1:{port}/", limits=LIMITS, compression=compression) as ws:
        assert bool(ws.extensions) == (compression is not None)
        for message in MESSAGES:
            ws.send(message)
            assert ws.recv(PATIENCE) == message
        ws.send_fragment("in ", final=False)
        ws.send_fragment("parts", final=True)
        assert ws.recv(PATIENCE) == "in parts"
        assert ws.ping(timeout=PATIENCE) > 0
        ws.close()
        assert ws.close_report is not None
        assert ws.close_report.ok


def test_our_client_over_tls_and_closed_by_the_server() -> None:
    authority = Authority()
    with (
        asyncio_server(ssl=authority.server()) as port,
        connect(f"wss://127.0.0.1:{port}/", ssl=authority.client(), limits=LIMITS) as ws,
    ):
        for message in MESSAGES:
            ws.send(message)
            assert ws.recv(PATIENCE) == message
        ws.send("close")
        with pytest.raises(ConnectionClosedError, match="as you wish"):
            ws.recv(PATIENCE)
        assert ws.wait_closed(PATIENCE).received_code == 4001


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_our_server(secure: bool, compression: str | None) -> None:
    authority = Authority()
    with (
        serve(
            echo,
            "127.0.0.1",
            0,
            ssl=authority.server() if secure else None,
            limits=LIMITS,
            compression=PerMessageDeflate(),
        ) as server,
        websockets.sync.client.connect(
            url(server, secure=secure),
            ssl=authority.client() if secure else None,
            compression=compression,
            max_size=None,
            proxy=None,
        ) as ws,
    ):
        for message in MESSAGES:
            ws.send(message)
            assert ws.recv(PATIENCE) == message
        assert ws.ping().wait(PATIENCE)
        ws.close(4000, "enough")
        (reports,) = [[one.close_report for one in server.connections]]
        assert all(report is None or report.code == 4000 for report in reports)
