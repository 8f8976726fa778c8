"""Backpressure on asyncio, as far as the adapter kit cannot see it: memory, and a kernel with small buffers."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc

from tests.adapters.kit import deaf_socket, drain, eventually
from wsproto_asyncio import WebSocket, serve
from wsproto_core import ConnectionClosed, Limits, Timeouts


async def test_memory_is_bounded_while_the_peer_does_not_read() -> None:
    async def flood(ws: WebSocket) -> None:
        try:
            while True:
                await ws.send(bytes(50_000))
        except ConnectionClosed:
            pass

    async with serve(flood, "127.0.0.1", 0, limits=Limits(outbox_size=500_000)) as server:
        sockets = [await deaf_socket(server.port) for _ in range(10)]
        tracemalloc.start()
        try:
            await eventually(lambda: len(server.connections) == 10 and not any(w.can_send for w in server.connections))
            await asyncio.sleep(0.1)
            assert tracemalloc.get_traced_memory()[0] < 10 * 1_200_000
        finally:
            tracemalloc.stop()
            for sock in sockets:
                sock.close()
        await eventually(lambda: not server.connections)


async def test_a_slow_reader_is_not_taken_for_dead() -> None:
    """It reads, slowly; it never answers a ping, because the ping is behind megabytes."""
    timeouts = Timeouts(ping_interval=0.05, pong_timeout=0.3)

    async def feed(ws: WebSocket) -> None:
        await ws.send(bytes(1_500_000))
        await drain(ws)

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)  # or the kernel would take it all at once
    async with serve(feed, sock=listening, timeouts=timeouts) as server:
        with await deaf_socket(server.port) as sock:
            await eventually(lambda: server.connections)
            (ws,) = server.connections
            while ws.engine.bytes_queued:
                await asyncio.get_running_loop().sock_recv(sock, 4096)
                await asyncio.sleep(0.002)
            assert ws.close_report is None
            assert ws.statistics.pongs_received == 0
