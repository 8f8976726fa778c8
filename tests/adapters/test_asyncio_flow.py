"""Backpressure in both directions, in bytes."""

from __future__ import annotations

import asyncio
import gc
import socket
import tracemalloc

import pytest

from tests.adapters.kit import BINARY, PING, PONG, TEXT, Raw, close_frame, deaf_socket, drain, eventually, frame, url
from wsproto_asyncio import WebSocket, connect, serve
from wsproto_core import ConnectionClosed, Limits, Timeouts

MEGABYTE = 1024 * 1024


async def read_all(sock: object, size: int) -> bytes:
    """``size`` bytes from a deaf socket that listens again."""
    loop = asyncio.get_running_loop()
    data = bytearray()
    while len(data) < size:
        data += await loop.sock_recv(sock, 262_144)  # type: ignore[arg-type]  # it is a socket
    return bytes(data)


async def test_send_waits_while_the_peer_does_not_read_and_goes_on_when_it_does() -> None:
    sent = 0
    total = 400

    async def flood(ws: WebSocket) -> None:
        nonlocal sent
        for _ in range(total):
            await ws.send(bytes(100_000))
            sent += 1

    async with serve(flood, "127.0.0.1", 0, limits=Limits(outbox_size=300_000)) as server:
        with await deaf_socket(server.port) as sock:
            await eventually(lambda: server.connections and not next(iter(server.connections)).can_send)
            (ws,) = server.connections
            before = -1
            while before != sent:  # until the kernel's buffers are full
                before = sent
                await ws.link.until(lambda: True)
                await asyncio.sleep(0.02)
            assert sent < total
            assert ws.engine.bytes_queued < 300_000 + 100_000 + 262_144
            data = await read_all(sock, total * (100_000 + 10))
            assert data.count(b"\x82\x7f") >= total
            assert sent == total
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(sock, close_frame())
            await eventually(lambda: not server.connections)


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


@pytest.mark.parametrize("size", [10, 1000, 60_000])
async def test_a_flood_stops_at_the_inbox_mark_and_goes_on(size: int) -> None:
    count = 24 * MEGABYTE // (size + 6) if size > 10 else 150_000
    wanted = asyncio.Event()
    got = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal got
        await wanted.wait()
        async for message in ws:
            assert len(message) == size
            got += 1

    async with (
        serve(handler, "127.0.0.1", 0, limits=Limits(inbox_size=200_000)) as server,
        Raw.connect(server.port) as raw,
    ):
        await eventually(lambda: server.connections)
        (ws,) = server.connections

        async def flood() -> None:
            batch = frame(BINARY, bytes(size)) * 100
            for _ in range(count // 100):
                raw.send(batch)
                await raw.writer.drain()
            raw.send(close_frame())

        tracemalloc.start()
        flooding = asyncio.create_task(flood())
        await eventually(lambda: not ws.engine.wants_read)
        inbox = ws.engine._inbox
        assert inbox is not None
        # One read more than the mark, at the most: asyncio and uvloop read 256 KiB at once.
        assert inbox.size < 200_000 + size + 262_144 * (1 + 60 // size)
        assert tracemalloc.get_traced_memory()[0] < 30 * MEGABYTE
        tracemalloc.stop()
        wanted.set()
        await flooding
        assert await raw.close_code() == 1000
    assert got == count // 100 * 100


async def test_both_sides_may_send_huge_amounts_while_each_reads() -> None:
    total = 40
    message = bytes(900_000)

    async def both(ws: WebSocket) -> None:
        async def receive() -> None:
            for _ in range(total):
                assert len(await ws.recv()) == len(message)

        async with asyncio.TaskGroup() as group:
            group.create_task(receive())
            for _ in range(total):
                await ws.send(message)

    async with serve(both, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await both(ws)


async def test_pings_from_a_peer_that_does_not_read_cost_nothing() -> None:
    """Only the latest ping has to be answered (RFC 6455 §5.5.3)."""
    limits = Limits(control_frame_rate=None, outbox_size=50_000)
    async with serve(drain, "127.0.0.1", 0, limits=limits, timeouts=Timeouts(ping_interval=None)) as server:
        with await deaf_socket(server.port) as sock:
            loop = asyncio.get_running_loop()
            await eventually(lambda: server.connections)
            (ws,) = server.connections
            batch = frame(PING, bytes(125)) * 500
            while ws.statistics.pings_received < 100_000:
                await loop.sock_sendall(sock, batch)
                assert ws.engine.bytes_queued < 60_000
            await loop.sock_sendall(sock, frame(PING, b"the last one") + close_frame())
            data = bytearray()
            while b"\x88\x02\x03\xe8" not in data:
                data += await loop.sock_recv(sock, 262_144)
            assert ws.statistics.pings_received > ws.statistics.pongs_sent


async def test_a_pong_flood_is_read_and_forgotten() -> None:
    async with (
        serve(drain, "127.0.0.1", 0, limits=Limits(control_frame_rate=None)) as server,
        Raw.connect(server.port) as raw,
    ):
        batch = frame(PONG, bytes(125)) * 1000
        tracemalloc.start()
        for _ in range(50):
            raw.send(batch)
            await raw.writer.drain()
        raw.send(frame(PING, b"still there?"))
        assert (await raw.frame()).payload == b"still there?"
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 5 * MEGABYTE
        tracemalloc.stop()


async def test_send_that_waits_learns_of_the_peers_close() -> None:
    """The handler is in the middle of an answer, and the outbox is full: the end it learns of is the connection's."""
    ends: list[Exception] = []

    async def answer_at_length(ws: WebSocket) -> None:
        await ws.recv()
        try:
            while True:
                await ws.send(bytes(100_000))
        except Exception as error:
            ends.append(error)
            raise

    limits, timeouts = Limits(outbox_size=200_000), Timeouts(closing_timeout=0.2)
    async with serve(answer_at_length, "127.0.0.1", 0, limits=limits, timeouts=timeouts) as server:
        with await deaf_socket(server.port) as sock:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, frame(TEXT, b"?"))
            await eventually(lambda: server.connections and not next(iter(server.connections)).can_send)
            await loop.sock_sendall(sock, close_frame())
            await eventually(lambda: ends)
    assert isinstance(ends[0], ConnectionClosed)


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


async def test_an_application_that_does_not_read_is_not_a_dead_peer() -> None:
    """While this side does not listen, silence means nothing."""
    timeouts = Timeouts(ping_interval=0.05, pong_timeout=0.05)
    proceed = asyncio.Event()

    async def handler(ws: WebSocket) -> None:
        await proceed.wait()
        async for _ in ws:
            pass

    limits = Limits(inbox_size=10_000)
    async with serve(handler, "127.0.0.1", 0, timeouts=timeouts, limits=limits) as server, connect(url(server)) as ws:
        sending = asyncio.create_task(send_many(ws))
        await eventually(lambda: server.connections and not next(iter(server.connections)).engine.wants_read)
        await asyncio.sleep(0.3)  # six times what would be the end of a peer that is silent
        (there,) = server.connections
        assert there.close_report is None
        proceed.set()
        await sending


async def send_many(ws: WebSocket) -> None:
    for _ in range(100):
        await ws.send(bytes(100_000))
