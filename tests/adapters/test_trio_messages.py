"""Messages on trio, in every shape: types, sizes, fragments, chunks, compression, many senders at once."""

from __future__ import annotations

import os

import pytest
import trio
import trio.testing

from tests.adapters.kit import BINARY, HANDSHAKE, PING, PONG, TEXT, answer_to, frame
from tests.adapters.trio_kit import Raw, drain, echo, eventually, raw_server, trio_test, url
from wsproto_core import Fragment, Limits, LocalProtocolError, PerMessageDeflate, Receive, State
from wsproto_trio import WebSocket, broadcast, connect, serve


@pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1_000_000])
@trio_test
async def test_echo_of_both_types(size: int, compression: PerMessageDeflate | None) -> None:
    async with (
        serve(echo, "127.0.0.1", 0, compression=compression) as server,
        connect(url(server), compression=compression) as ws,
    ):
        for message in ("x" * size, os.urandom(size), "é" * (size // 2)):
            await ws.send(message)
            assert await ws.recv() == message
        assert ws.extensions == (("permessage-deflate",) if compression else ())


@trio_test
async def test_what_is_no_message_is_a_type_error() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(TypeError, match="message must be str"):
            await ws.send(None)  # type: ignore[arg-type]  # the caller errs
        with pytest.raises(LocalProtocolError, match="surrogate"):
            await ws.send("a\ud800")
        await ws.send("still open")
        assert await ws.recv() == "still open"


@trio_test
async def test_a_message_in_parts_is_one_message() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for part in ("a", "é", ""):
            await ws.send_fragment(part, final=False)
            with pytest.raises(LocalProtocolError):
                await ws.send("between")
        await ws.send_fragment("z", final=True)
        assert await ws.recv() == "aéz"


@trio_test
async def test_fragments_are_handed_over_one_by_one() -> None:
    got: list[Fragment] = []

    async def handler(ws: WebSocket) -> None:
        while not got or not got[-1].final:
            got.append(await ws.recv_fragment())
            await ws.send("next")

    async with serve(handler, "127.0.0.1", 0, receive=Receive.FRAGMENTS) as server, connect(url(server)) as ws:
        for part, final in [("a", False), ("b", False), ("c", True)]:
            await ws.send_fragment(part, final=final)
            assert await ws.recv() == "next"
    assert got == [Fragment("a", False), Fragment("b", False), Fragment("c", True)]


@trio_test
async def test_chunks_come_before_the_frame_is_complete() -> None:
    got = bytearray()

    async def handler(ws: WebSocket) -> None:
        final = False
        while not final:
            fragment = await ws.recv_fragment()
            assert isinstance(fragment.data, bytes)
            got.extend(fragment.data)
            final = fragment.final

    async with serve(handler, "127.0.0.1", 0, receive=Receive.CHUNKS) as server, Raw.connect(server.port) as raw:
        whole = frame(BINARY, bytes(range(250)) * 4)
        await raw.send(whole[:508])
        await eventually(lambda: len(got) == 500)
        await raw.send(whole[508:])
        assert await raw.close_code() == 1000
    assert bytes(got) == bytes(range(250)) * 4


@trio_test
async def test_ping_both_ways() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        assert 0 < await ws.ping() < 5
        assert 0 < await ws.ping(b"mine") < 5
        (there,) = server.connections
        assert 0 < await there.ping() < 5
        assert ws.latency is not None
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await raw.send(frame(PING, b"payload"))
        received = await raw.frame()
        assert (received.opcode, received.payload) == (PONG, b"payload")


@trio_test
async def test_many_tasks_send_and_ping_at_the_same_time() -> None:
    senders, each = 20, 30
    got: set[str] = set()

    async def sender(ws: WebSocket, number: int) -> None:
        for count in range(each):
            await ws.send(f"{number} {count} " + "x" * (count * 300))
            if count % 10 == 0:
                await ws.ping()

    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws, trio.open_nursery() as nursery:
        for number in range(senders):
            nursery.start_soon(sender, ws, number)
        for _ in range(senders * each):
            message = await ws.recv()
            assert isinstance(message, str)
            who, which, filling = message.split(" ")
            assert len(filling) == int(which) * 300
            got.add(f"{who} {which}")
    assert len(got) == senders * each


@trio_test
async def test_every_verb_is_a_checkpoint() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with trio.testing.assert_checkpoints():
            await ws.send("x")
        await eventually(lambda: ws.statistics.messages_received)
        with trio.testing.assert_checkpoints():
            assert await ws.recv() == "x"
        with trio.testing.assert_checkpoints():
            await ws.ping()
        with trio.testing.assert_checkpoints():
            await ws.close()
        with trio.testing.assert_checkpoints():
            await ws.close()


@trio_test
async def test_broadcast_reaches_all_and_returns_those_who_cannot_take_it() -> None:
    limits = Limits(outbox_size=1000)
    async with (
        serve(drain, "127.0.0.1", 0, limits=limits) as server,
        connect(url(server)) as slow,
        connect(url(server)) as good,
    ):
        await eventually(lambda: len(server.connections) == 2)
        there = next(ws for ws in server.connections if ws.remote_address == slow.local_address)
        assert broadcast(server.connections, "to all") == []
        assert (await slow.recv(), await good.recv()) == ("to all", "to all")
        there.send_nowait(bytes(2000))
        assert broadcast(server.connections, "news") == [there]
        assert await good.recv() == "news"
        with pytest.raises(TypeError):
            broadcast(server.connections, 5)  # type: ignore[arg-type]  # the caller errs


@trio_test
async def test_facts_of_a_connection() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server, "/room?x=1")) as ws:
        await ws.send("1234")
        await ws.recv()
        (there,) = server.connections
        assert (ws.state, there.state) == (State.OPEN, State.OPEN)
        assert ws.local_address == there.remote_address
        assert ws.remote_address == there.local_address
        assert there.request is not None
        assert (there.request.path, there.request.query) == ("/room", "x=1")
        assert isinstance(ws.stream, trio.SocketStream)
        assert ws.statistics.messages_sent == there.statistics.messages_received == 1
        assert "open" in repr(ws)
    assert ws.state is State.CLOSED
    assert ws.close_report is not None
    assert ws.close_report.ok


@trio_test
async def test_either_side_may_speak_in_the_packet_of_its_handshake() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port, handshake=False) as raw:
        await raw.send(HANDSHAKE + frame(TEXT, b"early"))
        await raw.head()
        assert (await raw.frame()).payload == b"early"

    async def behave(raw: Raw) -> None:
        await raw.send(answer_to(await raw.head()) + frame(TEXT, b"early", mask=None))
        await raw.rest()

    async with raw_server(behave, handshake=False) as port, trio.open_nursery() as nursery:
        ws = await connect(f"ws://127.0.0.1:{port}", nursery=nursery)
        assert await ws.recv() == "early"
        ws.abort()
        await ws.wait_closed()
