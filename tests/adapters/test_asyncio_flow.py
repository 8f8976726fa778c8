"""Backpressure on asyncio, as far as the adapter kit cannot see it: memory, and a kernel with small buffers."""

from __future__ import annotations

import asyncio
import os
import socket
import tracemalloc
from collections.abc import Callable, Sequence

import pytest

from tests.adapters.kit import deaf_socket, drain, eventually
from wsproto_asyncio import WebSocket, connect, serve
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


Write = Callable[[int, Sequence[bytes | memoryview]], int]
LARGE = 1_000_000


def broken(_write: Write, _descriptor: int, _buffers: Sequence[bytes | memoryview]) -> int:
    raise OSError


@pytest.mark.parametrize(
    "behave",
    [
        lambda write, descriptor, buffers: write(descriptor, buffers),
        lambda write, descriptor, buffers: write(descriptor, buffers[:3]),
        lambda write, descriptor, buffers: write(descriptor, [memoryview(buffers[0])[:1]]),
        lambda write, descriptor, buffers: write(descriptor, [buffers[0], memoryview(buffers[1])[:-1]]),
        broken,
    ],
    ids=["most of it", "three buffers", "one byte", "but one byte", "nothing"],
)
async def test_large_messages_come_whole_whatever_the_socket_takes_at_once(
    monkeypatch: pytest.MonkeyPatch, behave: Callable[[Write, int, Sequence[bytes | memoryview]], int]
) -> None:
    write, calls = os.writev, 0

    def writev(descriptor: int, buffers: Sequence[bytes | memoryview]) -> int:
        nonlocal calls
        calls += 1
        return behave(write, descriptor, buffers)

    monkeypatch.setattr(os, "writev", writev)
    messages: list[str | bytes] = ["x" * LARGE, b"y" * LARGE, "é" * LARGE, "short"]

    async def feed(ws: WebSocket) -> None:
        for message in messages:
            await ws.send(message)
        await drain(ws)

    limits = Limits(message_size=2 * LARGE)
    async with serve(feed, "127.0.0.1", 0) as server, connect(f"ws://127.0.0.1:{server.port}", limits=limits) as ws:
        assert [await ws.recv() for _ in messages] == messages
    assert calls > 1
