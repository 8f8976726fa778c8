"""Messages in every shape: types, sizes, fragments, chunks, compression, many senders at once."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.adapters.kit import (
    BINARY,
    HANDSHAKE,
    PING,
    PONG,
    TEXT,
    Raw,
    answer_to,
    echo,
    eventually,
    frame,
    raw_server,
    url,
)
from wsproto_asyncio import WebSocket, broadcast, connect, serve
from wsproto_core import (
    Fragment,
    Limits,
    LocalProtocolError,
    Message,
    OutboxFull,
    PerMessageDeflate,
    Receive,
    State,
)

LARGE = Limits(message_size=32 * 1024 * 1024)


@pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1_000_000])
async def test_echo_of_both_types(size: int, compression: PerMessageDeflate | None) -> None:
    async with (
        serve(echo, "127.0.0.1", 0, compression=compression) as server,
        connect(url(server), compression=compression) as ws,
    ):
        for message in ("x" * size, os.urandom(size), "é" * (size // 2)):
            await ws.send(message)
            assert await ws.recv() == message
        assert ws.extensions == (("permessage-deflate",) if compression else ())


async def test_the_type_of_a_message_is_kept() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        pairs: list[tuple[str | bytes | bytearray, Message]] = [
            ("héllo 👋", "héllo 👋"),
            (b"\x00\xff", b"\x00\xff"),
            (bytearray(b"ab"), b"ab"),
        ]
        for sent, came in pairs:
            await ws.send(sent)
            received = await ws.recv()
            assert received == came
            assert type(received) is type(came)
        await ws.send(memoryview(b"view"))
        assert await ws.recv() == b"view"


async def test_a_mutable_buffer_may_change_after_send() -> None:
    async with serve(echo, "127.0.0.1", 0, limits=LARGE) as server, connect(url(server), limits=LARGE) as ws:
        buffer = bytearray(b"a" * 2_000_000)
        await ws.send(buffer)
        buffer[:] = b"b" * len(buffer)
        assert await ws.recv() == b"a" * 2_000_000


@pytest.mark.parametrize("wrong", [None, 1, ["a"], {"a": 1}])
async def test_what_is_no_message_is_a_type_error(wrong: object) -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(TypeError, match="message must be str"):
            await ws.send(wrong)  # type: ignore[arg-type]  # the caller errs
        await ws.send("still open")
        assert await ws.recv() == "still open"


async def test_a_lone_surrogate_sends_nothing() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(LocalProtocolError, match="surrogate"):
            await ws.send("a\ud800")
        assert ws.statistics.messages_sent == 0
        await ws.send("still open")
        assert await ws.recv() == "still open"


async def test_a_message_in_parts_is_one_message() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for part in ("a", "é", ""):
            await ws.send_fragment(part, final=False)
            with pytest.raises(LocalProtocolError):
                await ws.send("between")
        await ws.send_fragment("z", final=True)
        assert await ws.recv() == "aéz"
        await ws.send_fragment(b"\x00", final=False)
        with pytest.raises(LocalProtocolError):
            await ws.send_fragment("text", final=True)
        await ws.send_fragment(bytearray(b"\x01"), final=True)
        assert await ws.recv() == b"\x00\x01"


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
        raw.send(whole[:508])
        await eventually(lambda: len(got) == 500)
        raw.send(whole[508:])
        assert await raw.close_code() == 1000
    assert bytes(got) == bytes(range(250)) * 4


async def test_a_mode_has_its_own_recv() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        async with connect(url(server)) as ws:
            with pytest.raises(LocalProtocolError, match="recv_fragment"):
                await ws.recv_fragment()
        async with connect(url(server), receive=Receive.CHUNKS) as ws:
            with pytest.raises(LocalProtocolError, match="recv_fragment"):
                await ws.recv()


async def test_more_than_the_outbox_holds_in_one_go() -> None:
    """What the transport takes at once makes room as well: nobody waits for an input that never comes."""
    count = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal count
        async for _ in ws:
            count += 1

    async with serve(handler, "127.0.0.1", 0) as server:
        async with connect(url(server)) as ws:
            for _ in range(200):
                await ws.send(bytes(100_000))
        await eventually(lambda: not server.connections)
    assert count == 200


async def test_many_tasks_send_and_frames_never_interleave() -> None:
    """Every sender has its own pattern; a message of two would show."""
    senders, rounds = 8, 6
    limits = Limits(message_size=1 << 20, outbox_size=200_000)
    async with serve(echo, "127.0.0.1", 0, limits=limits) as server, connect(url(server), limits=limits) as ws:

        async def sender(who: int) -> None:
            for turn in range(rounds):
                await ws.send(bytes([who]) * (150_000 + turn))
                await ws.ping()

        async def receiver() -> dict[int, list[int]]:
            got: dict[int, list[int]] = {}
            for _ in range(senders * rounds):
                message = await ws.recv()
                assert isinstance(message, bytes)
                assert set(message) == {message[0]}
                got.setdefault(message[0], []).append(len(message))
            return got

        async with asyncio.TaskGroup() as group:
            receiving = group.create_task(receiver())
            for who in range(senders):
                group.create_task(sender(who))
        assert receiving.result() == {who: [150_000 + turn for turn in range(rounds)] for who in range(senders)}


async def test_compressed_messages_of_many_tasks_keep_their_context() -> None:
    deflate = PerMessageDeflate()
    async with (
        serve(echo, "127.0.0.1", 0, compression=deflate) as server,
        connect(url(server), compression=deflate) as ws,
    ):
        texts = [f"{who} " * 5000 for who in range(20)]

        async def receive() -> set[Message]:
            return {await ws.recv() for _ in texts}

        async with asyncio.TaskGroup() as group:
            receiving = group.create_task(receive())
            for number, text in enumerate(texts):
                group.create_task(ws.send(text, compress=number % 3 > 0))
        assert receiving.result() == set(texts)


async def test_several_tasks_may_receive() -> None:
    """Each message goes to exactly one of them, and the end to all."""
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        got: list[Message] = []

        async def take() -> None:
            async for message in ws:
                got.append(message)  # noqa: PERF401  # others look while it grows

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(take())
            for number in range(200):
                await ws.send(str(number))
            await eventually(lambda: len(got) == 200)
            await ws.close()
        assert sorted(got, key=int) == [str(number) for number in range(200)]


async def test_an_urgent_message_overtakes() -> None:
    async with serve(echo, "127.0.0.1", 0, limits=LARGE) as server, connect(url(server), limits=LARGE) as ws:
        for number in range(3):
            ws.send_nowait(bytes([number]) * 300_000)
        ws.send_nowait("quick", urgent=True)
        received = [await ws.recv() for _ in range(4)]
        assert received.index("quick") < 3


async def test_pings_overtake_a_large_message() -> None:
    """A keepalive, or the application's own, does not wait behind megabytes."""
    seen: list[int] = []

    async def behave(raw: Raw) -> None:
        while True:
            received = await raw.frame()
            seen.append(received.opcode)
            if received.opcode == PING:
                raw.send(frame(PONG, received.payload, mask=None))

    async with (
        raw_server(behave) as port,
        connect(f"ws://127.0.0.1:{port}", limits=Limits(outbox_size=32_000_000)) as ws,
    ):
        ws.send_nowait(bytes(16_000_000))
        assert await ws.ping() >= 0
        assert seen.index(PING) < 100  # of 123 fragments
        ws.abort()


async def test_ping_measures_and_any_payload_will_do() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        assert await ws.ping() >= 0
        assert await ws.ping(b"x" * 125) >= 0
        with pytest.raises(LocalProtocolError, match="payload"):
            await ws.ping(b"x" * 126)
        await asyncio.gather(*(ws.ping() for _ in range(20)))
        assert ws.latency is not None
        assert ws.latency.min >= 0


async def test_the_peers_pings_are_answered_while_nobody_receives() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(PING, b"are you there?"))
        received = await raw.frame()
        assert (received.opcode, received.payload) == (PONG, b"are you there?")


async def test_ping_waits_for_room_like_send() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server), limits=Limits(outbox_size=1000)) as ws:
        ws.send_nowait(bytes(200_000))
        assert not ws.can_send
        assert await ws.ping() >= 0


async def test_send_nowait_says_when_there_is_no_room() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server), limits=Limits(outbox_size=1000)) as ws:
        ws.send_nowait(bytes(1000))
        assert not ws.can_send
        with pytest.raises(OutboxFull):
            ws.send_nowait("more")
        await ws.send("more")
        assert await ws.recv() == bytes(1000)
        assert await ws.recv() == "more"


@pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])
async def test_broadcast_reaches_everyone_that_can_take_it(compression: PerMessageDeflate | None) -> None:
    async with serve(echo, "127.0.0.1", 0, compression=compression) as server:
        clients = [await connect(url(server), compression=compression) for _ in range(20)]
        await eventually(lambda: len(server.connections) == 20)
        for news in ("text " * 200, b"\x00binary", ""):
            assert broadcast(server.connections, news) == []
            assert await asyncio.gather(*(ws.recv() for ws in clients)) == [news] * 20
        await asyncio.gather(*(ws.close() for ws in clients))


async def test_broadcast_returns_the_slow_and_the_closing() -> None:
    async with (
        serve(echo, "127.0.0.1", 0, limits=Limits(outbox_size=1000)) as server,
        connect(url(server)) as slow,
        connect(url(server)) as partial,
        connect(url(server)) as good,
    ):
        await eventually(lambda: len(server.connections) == 3)
        by_address = {ws.remote_address: ws for ws in server.connections}
        there = {ws: by_address[ws.local_address] for ws in (slow, partial, good)}
        there[slow].send_nowait(bytes(2000))
        assert broadcast(server.connections, "news") == [there[slow]]
        assert await good.recv() == "news"
        there[partial].close_nowait()
        refused = broadcast(server.connections, "news 2")
        assert there[partial] in refused
        assert there[good] not in refused
        with pytest.raises(TypeError):
            broadcast(server.connections, 5)  # type: ignore[arg-type]  # the caller errs
        with pytest.raises(LocalProtocolError):
            broadcast([], "\ud800")


async def test_broadcast_skips_who_is_sending_in_parts() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as first, connect(url(server)) as second:
        await eventually(lambda: len(server.connections) == 2)
        busy = next(ws for ws in server.connections if ws.remote_address == first.local_address)
        await busy.send_fragment("a", final=False)
        assert broadcast(server.connections, "news") == [busy]
        assert await second.recv() == "news"


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
        assert ws.request is None
        assert ws.statistics.messages_sent == there.statistics.messages_received == 1
        assert ws.statistics.bytes_received == there.statistics.bytes_sent
        ws.data["mine"] = 1
        assert "open" in repr(ws)
    assert ws.state is State.CLOSED
    assert ws.close_report is not None
    assert ws.close_report.ok


async def test_a_client_may_speak_in_the_same_packet_as_its_handshake() -> None:
    """Which it must not before the answer, but bytes after the head are not lost."""
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port, handshake=False) as raw:
        raw.send(HANDSHAKE + frame(TEXT, b"early"))
        await raw.head()
        assert (await raw.frame()).payload == b"early"


async def test_a_server_may_speak_in_the_same_packet_as_its_answer() -> None:
    async def behave(raw: Raw) -> None:
        raw.send(answer_to(await raw.head()) + frame(TEXT, b"early", mask=None))
        await raw.rest()

    async with raw_server(behave, handshake=False) as port:
        ws = await connect(f"ws://127.0.0.1:{port}")
        assert await ws.recv() == "early"
        ws.abort()
        await ws.wait_closed()
