"""wsproto_anyio: messages in every shape, many senders, and backpressure both ways."""

from __future__ import annotations

import os

import anyio
import pytest

from tests.adapters.anyio_kit import Raw, drain, echo, eventually, everywhere, raw_server, url
from tests.adapters.kit import BINARY, PING, PONG, TEXT, close_frame, frame
from wsproto_anyio import WebSocket, broadcast, connect, serve
from wsproto_core import (
    ConnectionClosed,
    Fragment,
    Limits,
    LocalProtocolError,
    OutboxFull,
    PerMessageDeflate,
    Receive,
    Timeouts,
)

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])
@pytest.mark.parametrize("size", [0, 1, 126, 65536, 1_000_000])
@everywhere
async def test_echo_of_both_types(size: int, compression: PerMessageDeflate | None) -> None:
    async with (
        serve(echo, "127.0.0.1", 0, compression=compression) as server,
        connect(url(server), compression=compression) as ws,
    ):
        for message in ("x" * size, os.urandom(size), "é" * (size // 2)):
            await ws.send(message)
            assert await ws.recv() == message
        assert ws.extensions == (("permessage-deflate",) if compression else ())


@everywhere
async def test_fragments_out_and_in() -> None:
    got: list[object] = []

    async def handler(ws: WebSocket) -> None:
        got.append(await ws.recv())
        await ws.send_fragment("a", final=False)
        await ws.send_fragment("b", final=True)

    async with (
        serve(handler, "127.0.0.1", 0) as server,
        connect(url(server), receive=Receive.FRAGMENTS) as ws,
    ):
        await ws.send_fragment(b"one", final=False)
        await ws.send_fragment(b"two", final=True)
        parts = [await ws.recv_fragment(), await ws.recv_fragment()]
        assert all(isinstance(part, Fragment) for part in parts)
        assert "".join(str(part.data) for part in parts) == "ab"
        with pytest.raises(LocalProtocolError):
            await ws.recv()
    assert got == [b"onetwo"]


@everywhere
async def test_fragments_with_a_ping_between_from_a_raw_peer() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await raw.send(frame(TEXT, b"hel", fin=False) + frame(PING, b"!") + frame(0, b"lo"))
        assert await raw.frame() == (PONG, b"!", True)
        assert await raw.frame() == (TEXT, b"hello", True)


@everywhere
async def test_byte_by_byte() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        for byte in frame(BINARY, b"slow"):
            await raw.send(bytes([byte]))
        assert (await raw.frame()).payload == b"slow"


@everywhere
async def test_ping_gives_the_round_trip() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        assert 0 <= await ws.ping() < 5
        assert 0 <= await ws.ping(b"payload") < 5
        assert ws.latency is not None
        assert ws.statistics.pongs_received == 2


@everywhere
async def test_a_message_is_sent_in_whole_however_many_send() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        got: list[bytes | str] = []

        async def send(number: int) -> None:
            for _ in range(10):
                await ws.send(bytes([number]) * 30_000)

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(send, number)
            got.extend([await ws.recv() for _ in range(100)])
        assert sorted(message[:1] for message in got) == sorted(bytes([n]) for n in range(10) for _ in range(10))
        assert all(len(message) == 30_000 and len(set(message)) == 1 for message in got)


@everywhere
async def test_two_receivers_share_the_messages() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        got: list[object] = []

        async def receive() -> None:
            got.append(await ws.recv())

        async with anyio.create_task_group() as group:
            group.start_soon(receive)
            group.start_soon(receive)
            await ws.send("1")
            await ws.send("2")
        assert sorted(map(str, got)) == ["1", "2"]


@everywhere
async def test_a_peer_that_does_not_read_stops_the_sender() -> None:
    proceed = anyio.Event()
    total = 24 * MEGABYTE // 100_000

    async def slow(raw: Raw) -> None:
        await proceed.wait()
        received = 0
        while received < total * 100_000:
            received += len(await raw.stream.receive())
        await raw.rest()

    limits = Limits(outbox_size=200_000)
    async with raw_server(slow) as port, connect(f"ws://127.0.0.1:{port}/", limits=limits) as ws:

        async def flood() -> None:
            for _ in range(total):
                await ws.send(bytes(100_000))

        async with anyio.create_task_group() as group:
            group.start_soon(flood)
            await eventually(lambda: not ws.can_send)
            with pytest.raises(OutboxFull):
                ws.send_nowait(b"")
            assert ws.engine.bytes_queued < 200_000 + 100_000
            proceed.set()
        ws.abort()


@everywhere
async def test_a_flood_stops_at_the_inbox_mark_and_goes_on() -> None:
    wanted = anyio.Event()
    got = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal got
        await wanted.wait()
        async for message in ws:
            got += len(message)

    async with (
        serve(handler, "127.0.0.1", 0, limits=Limits(inbox_size=200_000)) as server,
        Raw.connect(server.port) as raw,
    ):
        await eventually(lambda: server.connections)
        (ws,) = server.connections

        async def flood() -> None:
            for _ in range(200):
                await raw.send(frame(BINARY, bytes(60_000)) * 2)
            await raw.send(close_frame())

        async with anyio.create_task_group() as group:
            group.start_soon(flood)
            await eventually(lambda: not ws.engine.wants_read)
            assert ws.engine._inbox is not None
            assert ws.engine._inbox.size < 200_000 + 60_000 + 65_536 + 1000
            wanted.set()
        assert await raw.close_code() == 1000
    assert got == 400 * 60_000


@everywhere
async def test_both_sides_may_send_huge_amounts_while_each_reads() -> None:
    async def both(ws: WebSocket) -> None:
        async def receive() -> None:
            for _ in range(20):
                assert len(await ws.recv()) == 900_000

        async with anyio.create_task_group() as group:
            group.start_soon(receive)
            for _ in range(20):
                await ws.send(bytes(900_000))

    async with serve(both, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await both(ws)


@everywhere
async def test_echo_of_a_flood_with_small_boxes() -> None:
    """Reading stops and goes on while the writer is blocked, on both sides."""
    limits = Limits(inbox_size=10_000, outbox_size=10_000)
    async with serve(echo, "127.0.0.1", 0, limits=limits) as server, connect(url(server), limits=limits) as ws:

        async def send() -> None:
            for _ in range(300):
                await ws.send(bytes(50_000))

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            for _ in range(300):
                assert len(await ws.recv()) == 50_000


@everywhere
async def test_an_application_that_does_not_read_is_not_a_dead_peer() -> None:
    timeouts = Timeouts(ping_interval=0.02, pong_timeout=0.02)
    proceed = anyio.Event()

    async def handler(ws: WebSocket) -> None:
        await proceed.wait()
        await drain(ws)

    limits = Limits(inbox_size=10_000)
    async with serve(handler, "127.0.0.1", 0, timeouts=timeouts, limits=limits) as server, connect(url(server)) as ws:

        async def send() -> None:
            for _ in range(50):
                await ws.send(bytes(100_000))

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            await eventually(lambda: server.connections and not next(iter(server.connections)).engine.wants_read)
            (there,) = server.connections
            await eventually(lambda: there.statistics.pongs_sent >= 5)  # its keepalive has fired that often
            assert there.close_report is None
            proceed.set()


@everywhere
async def test_broadcast_reaches_all_but_those_who_cannot_take_it() -> None:
    async with serve(drain, "127.0.0.1", 0) as server, anyio.create_task_group() as group:
        clients = [await connect(url(server), task_group=group) for _ in range(5)]
        await eventually(lambda: len(server.connections) == 5)
        closing = next(iter(server.connections))
        closing.close_nowait(4000)
        assert broadcast(server.connections, "news") == [closing]
        got: list[object] = []
        for ws in clients:
            try:
                got.append(await ws.recv())
            except ConnectionClosed:
                got.append(None)
        assert sorted(map(str, got)) == ["None", "news", "news", "news", "news"]
        for ws in clients:
            await ws.close()
