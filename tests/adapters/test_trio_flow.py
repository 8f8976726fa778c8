"""Backpressure on trio, in both directions, in bytes."""

from __future__ import annotations

import socket

import pytest
import trio

from tests.adapters.kit import BINARY, PING, TEXT, close_frame, frame
from tests.adapters.trio_kit import Raw, deaf_socket, drain, eventually, trio_test, url
from wsproto_core import ConnectionClosed, Limits, Timeouts
from wsproto_trio import WebSocket, connect, serve


@trio_test
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
                await trio.sleep(0.02)
            assert sent < total
            assert ws.engine.bytes_queued < 300_000 + 100_000 + 262_144
            size = 0
            while size < total * (100_000 + 10):
                size += len(await sock.recv(262_144))
            assert sent == total
            await sock.send(close_frame())
            await eventually(lambda: not server.connections)


@pytest.mark.parametrize("size", [10, 1000, 60_000])
@trio_test
async def test_a_flood_stops_at_the_inbox_mark_and_goes_on(size: int) -> None:
    count = min(24_000_000 // (size + 6), 100_000)
    wanted = trio.Event()
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
        trio.open_nursery() as nursery,
    ):
        await eventually(lambda: server.connections)
        (ws,) = server.connections

        async def flood() -> None:
            batch = frame(BINARY, bytes(size)) * 100
            for _ in range(count // 100):
                await raw.send(batch)
            await raw.send(close_frame())

        nursery.start_soon(flood)
        await eventually(lambda: not ws.engine.wants_read)
        inbox = ws.engine._inbox
        assert inbox is not None
        assert inbox.size < 200_000 + size + 65_536 * (1 + 60 // size)  # one read more than the mark, at the most
        wanted.set()
        assert await raw.close_code() == 1000
    assert got == count // 100 * 100


@trio_test
async def test_both_sides_may_send_huge_amounts_while_each_reads() -> None:
    total = 40
    message = bytes(900_000)

    async def both(ws: WebSocket) -> None:
        async def receive() -> None:
            for _ in range(total):
                assert len(await ws.recv()) == len(message)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            for _ in range(total):
                await ws.send(message)

    async with serve(both, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await both(ws)


@trio_test
async def test_pings_from_a_peer_that_does_not_read_cost_nothing() -> None:
    """Only the latest ping has to be answered (RFC 6455 §5.5.3)."""
    limits = Limits(control_frame_rate=None, outbox_size=50_000)
    async with serve(drain, "127.0.0.1", 0, limits=limits, timeouts=Timeouts(ping_interval=None)) as server:
        with await deaf_socket(server.port) as sock:
            await eventually(lambda: server.connections)
            (ws,) = server.connections
            stream = trio.SocketStream(sock)
            batch = frame(PING, bytes(125)) * 500
            while ws.statistics.pings_received < 50_000:
                await stream.send_all(batch)
                assert ws.engine.bytes_queued < 60_000
            await stream.send_all(frame(PING, b"the last one") + close_frame())
            data = bytearray()
            while b"\x88\x02\x03\xe8" not in data:
                data += await sock.recv(262_144)
            assert ws.statistics.pings_received > ws.statistics.pongs_sent


@trio_test
async def test_send_that_waits_learns_of_the_peers_close() -> None:
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
            await sock.send(frame(TEXT, b"?"))
            await eventually(lambda: server.connections and not next(iter(server.connections)).can_send)
            await sock.send(close_frame())
            await eventually(lambda: ends)
    assert isinstance(ends[0], ConnectionClosed)


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
async def test_an_application_that_does_not_read_is_not_a_dead_peer() -> None:
    proceed = trio.Event()

    async def handler(ws: WebSocket) -> None:
        await proceed.wait()
        await drain(ws)

    async def send_many(ws: WebSocket) -> None:
        for _ in range(100):
            await ws.send(bytes(100_000))

    timeouts, limits = Timeouts(ping_interval=0.05, pong_timeout=0.05), Limits(inbox_size=10_000)
    async with (
        serve(handler, "127.0.0.1", 0, timeouts=timeouts, limits=limits) as server,
        connect(url(server)) as ws,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(send_many, ws)
        await eventually(lambda: server.connections and not next(iter(server.connections)).engine.wants_read)
        await trio.sleep(0.3)  # six times what would be the end of a peer that is silent
        (there,) = server.connections
        assert there.close_report is None
        proceed.set()
