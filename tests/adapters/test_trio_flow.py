"""Backpressure on trio, as far as the adapter kit cannot see it."""

from __future__ import annotations

import socket

import trio

from tests.adapters.trio_kit import deaf_socket, drain, eventually, trio_test, url
from wsproto_core import Limits, Timeouts
from wsproto_trio import WebSocket, connect, serve


@trio_test
async def test_a_slow_reader_is_not_taken_for_dead() -> None:
    """It reads, slowly; it never answers a ping, because the ping is behind megabytes."""

    async def feed(ws: WebSocket) -> None:
        await ws.send(bytes(1_500_000))
        await drain(ws)

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)  # or the kernel would take it all at once
    async with serve(feed, sock=listening, timeouts=Timeouts(ping_interval=0.05, pong_timeout=0.3)) as server:
        with await deaf_socket(server.port) as sock:
            await eventually(lambda: server.connections)
            (ws,) = server.connections
            while ws.engine.bytes_queued:
                await sock.recv(4096)
                await trio.sleep(0.002)
            assert ws.close_report is None
            assert ws.statistics.pongs_received == 0


@trio_test
async def test_everybody_who_waits_for_room_gets_it() -> None:
    """Whoever makes room by writing at once tells the others."""

    async def speak(ws: WebSocket) -> None:
        async def one() -> None:
            for _ in range(20):
                await ws.send(bytes(40_000))

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(one)
        await drain(ws)

    limits = Limits(outbox_size=1)
    async with serve(speak, "127.0.0.1", 0, limits=limits) as server, connect(url(server)) as ws:
        for _ in range(160):
            assert len(await ws.recv()) == 40_000
