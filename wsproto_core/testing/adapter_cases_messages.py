"""Messages in every shape: types, sizes, parts, compression, pings in between, many at once."""

from __future__ import annotations

from typing import Any, Final, cast

from .._config import Limits
from .._driver.broadcast import broadcast
from .._errors import LocalProtocolError, OutboxFull
from .._events import Fragment
from .._extensions.permessage_deflate import PerMessageDeflate
from .._types import Message, Opcode, Receive
from .adapter_case import case, case_of_both_sides
from .adapter_ends import FarEnd, address, drain, echo, pair
from .adapter_expect import check, expect, raises
from .adapter_stage import AdapterStage, StagePeer

#: Where the length of a frame gets another size, and a message larger than what one read brings.
_SIZES: Final = (0, 1, 125, 126, 65_535, 65_536, 1_000_000)

# --- whole messages ---------------------------------------------------------------------------------------------------


@case("RFC 6455 §5.6: text is text, binary is binary, of any length")
async def messages_of_every_size_come_back(stage: AdapterStage) -> None:
    await _echoes(stage, PerMessageDeflate())
    await _echoes(stage, None)


async def _echoes(stage: AdapterStage, compression: PerMessageDeflate | None) -> None:
    async with (
        stage.serve(echo, compression=compression) as server,
        stage.connect(address(server), compression=compression) as ws,
    ):
        for size in _SIZES:
            for message in ("x" * size, bytes(range(256)) * (size // 256), "é👋" * (size // 6)):
                await ws.send(message)
                expect(f"the echo of {size}", await ws.recv(), message)


@case("whatever is bytes-like is binary, and is the caller's again once send() has returned")
async def the_type_of_a_message_is_kept(stage: AdapterStage) -> None:
    async with pair(stage) as (here, there):
        for sent, came in (("1", "1"), (b"1", b"1"), (bytearray(b"2"), b"2"), (memoryview(b"view"), b"view")):
            await here.send(sent)
            received = await there.recv()
            expect(f"what {sent!r} is received as", (type(received), received), (type(came), came))
        buffer = bytearray(b"a" * 500_000)
        await here.send(buffer)
        buffer[:] = b"b" * len(buffer)
        expect("what was in the buffer", await there.recv(), b"a" * 500_000)


@case("what is no message is the caller's fault: nothing is sent, and nothing has changed")
async def what_is_no_message_is_refused(stage: AdapterStage) -> None:
    async with pair(stage) as (here, there):
        for wrong in (None, 1, ["a"], {"a": 1}):
            with raises(TypeError, f"send({wrong!r})"):
                await here.send(cast(Any, wrong))
        with raises(LocalProtocolError, "send() of a lone surrogate"):
            await here.send("a\ud800")
        expect("the messages sent", here.statistics.messages_sent, 0)
        await here.send("still open")
        expect("the next message", await there.recv(), "still open")


@case("what the transport takes at once makes room as well: nobody waits for an input that never comes")
async def more_than_the_outbox_holds(stage: AdapterStage) -> None:
    sizes: list[int] = []

    async def count(ws: StagePeer) -> None:
        async for message in ws:
            sizes.append(len(message))  # noqa: PERF401  (others look while it grows)
        counted.set()

    counted = stage.event()
    async with stage.serve(count) as server, stage.connect(address(server), limits=Limits(outbox_size=50_000)) as ws:
        for _ in range(100):
            await ws.send(bytes(100_000))
        await ws.close()
        await counted.wait()
    expect("what arrived", sizes, [100_000] * 100)


@case("messages arrive in the order in which they were sent")
async def many_small_messages(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, stage.connect(address(server)) as ws:
        for number in range(300):
            ws.send_nowait(str(number))
        expect("the echoes", [await ws.recv() for _ in range(300)], [str(number) for number in range(300)])


@case("send_nowait() tells that there is no room, and send() waits for it")
async def the_outbox_is_full(stage: AdapterStage) -> None:
    async with pair(stage, client={"limits": Limits(outbox_size=1000)}) as (here, there):
        with raises(OutboxFull, "send_nowait() again and again"):
            while True:
                here.send_nowait(bytes(100_000))
        expect("can_send", here.can_send, False)
        sent = here.statistics.messages_sent
        receiving = stage.spawn(_receive_until_text, there)
        await here.send("last")
        expect("the messages before the last", await receiving.outcome(), sent)


async def _receive_until_text(ws: StagePeer) -> int:
    count = 0
    while isinstance(await ws.recv(), bytes):
        count += 1
    return count


@case("an urgent message goes ahead of those that have not begun to leave")
async def an_urgent_message_overtakes(stage: AdapterStage) -> None:
    limits = Limits(outbox_size=1 << 26)
    async with pair(stage, client={"limits": limits}) as (here, there):
        for _ in range(20):
            here.send_nowait(bytes(900_000))
        here.send_nowait("quick", urgent=True)
        received = await _receive_until_text(there)
        check(f"fewer than 20 messages before the urgent one, not {received}", received < 20)
        for _ in range(20 - received):
            await there.recv()


# --- messages in parts ------------------------------------------------------------------------------------------------


@case("RFC 6455 §5.4: parts make one message, and nothing comes between them")
async def a_message_in_parts_is_one_message(stage: AdapterStage) -> None:
    async with pair(stage) as (here, there):
        for part in ("a", "é", ""):
            await here.send_fragment(part, final=False)
            with raises(LocalProtocolError, "send() between the parts of a message"):
                await here.send("between")
        await here.send_fragment("z", final=True)
        expect("the message", await there.recv(), "aéz")
        await here.send_fragment(b"\x00", final=False)
        with raises(LocalProtocolError, "a text part of a binary message"):
            await here.send_fragment("text", final=True)
        await here.send_fragment(bytearray(b"\x01"), final=True)
        expect("the message", await there.recv(), b"\x00\x01")


@case_of_both_sides("RFC 6455 §5.4: each part is a frame of its own")
async def parts_leave_as_frames(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    for part, final in (("a", False), ("b", False), ("c", True)):
        await ws.send_fragment(part, final=final)
    frames = [await far.receive() for _ in range(3)]
    expect(
        "opcode, payload and FIN",
        [(f.opcode, f.payload, f.final) for f in frames],
        [(Opcode.TEXT, b"a", False), (Opcode.CONTINUATION, b"b", False), (Opcode.CONTINUATION, b"c", True)],
    )


@case_of_both_sides("RFC 6455 §5.4: control frames come between the parts of a message, and are answered there")
async def pings_between_the_parts_of_a_message(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    text = "grüße".encode()
    await far.send(far.frame(Opcode.TEXT, text[:3], final=False), far.frame(Opcode.PING, b"1"))
    expect("the first pong", (await far.receive()).payload, b"1")
    await far.send(far.frame(Opcode.CONTINUATION, b"", final=False), far.frame(Opcode.PONG, b"unasked"))
    await far.send(far.frame(Opcode.CONTINUATION, text[3:4], final=False), far.frame(Opcode.PING, b"2"))
    await far.send(far.frame(Opcode.CONTINUATION, text[4:]))
    expect("the second pong", (await far.receive()).payload, b"2")
    expect("the message", await ws.recv(), "grüße")


@case_of_both_sides("any chunking gives the same messages")
async def bytes_one_by_one(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    whole = far.frame(Opcode.TEXT, b"x" * 130) + far.frame(Opcode.BINARY, b"\x00" * 5)
    for position in range(len(whole)):
        await far.send(whole[position : position + 1])
    expect("the messages", [await ws.recv(), await ws.recv()], ["x" * 130, b"\x00" * 5])


@case_of_both_sides("Receive.FRAGMENTS: a part is handed over before the next one has come", receive=Receive.FRAGMENTS)
async def parts_are_received_one_by_one(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    await far.send(far.frame(Opcode.TEXT, b"a", final=False))
    expect("the first part", await ws.recv_fragment(), Fragment("a", False))
    await far.send(far.frame(Opcode.CONTINUATION, b"b"))
    expect("the last part", await ws.recv_fragment(), Fragment("b", True))
    with raises(LocalProtocolError, "recv() where parts are asked for"):
        await ws.recv()


@case_of_both_sides("Receive.CHUNKS: bytes are handed over before the frame is complete", receive=Receive.CHUNKS)
async def chunks_are_received_within_a_frame(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    payload = bytes(range(250)) * 4
    whole = far.frame(Opcode.BINARY, payload)
    await far.send(whole[:508])
    received = bytearray(await _chunk(ws))
    while len(received) < 500:
        received += await _chunk(ws)  # pragma: no cover  (where the bytes come in one read, there is one chunk)
    check("no more than what was sent", len(received) < len(payload))
    await far.send(whole[508:])
    while len(received) < len(payload):
        received += await _chunk(ws)
    expect("the payload", bytes(received), payload)


async def _chunk(ws: StagePeer) -> bytes:
    return cast(bytes, (await ws.recv_fragment()).data)


@case("a receive mode has its own recv")
async def parts_where_none_are_asked_for(stage: AdapterStage) -> None:
    async with pair(stage) as (here, _):
        with raises(LocalProtocolError, "recv_fragment() where whole messages are asked for"):
            await here.recv_fragment()


# --- many at once -----------------------------------------------------------------------------------------------------


@case("whole messages leave, however many senders there are; a message of two would show")
async def concurrent_senders_do_not_interleave(stage: AdapterStage) -> None:
    limits = Limits(outbox_size=200_000)
    senders, rounds = 6, 5

    async def sender(who: int) -> None:
        for turn in range(rounds):
            await here.send(bytes([who]) * (150_000 + turn))
            await here.ping()

    async with pair(stage, client={"limits": limits}, server={"limits": limits}) as (here, there):
        sending = [stage.spawn(sender, who) for who in range(senders)]
        received: dict[int, list[int]] = {}
        for _ in range(senders * rounds):
            message = cast(bytes, await there.recv())
            expect("the senders in one message", set(message), {message[0]})
            received.setdefault(message[0], []).append(len(message))
        for task in sending:
            await task.outcome()
    expect(
        "what came, by sender", received, {who: [150_000 + turn for turn in range(rounds)] for who in range(senders)}
    )


@case(
    "RFC 7692 §7.1.1: compressed messages share a window, and so must leave in the order in which they were compressed"
)
async def concurrent_senders_share_a_compression_context(stage: AdapterStage) -> None:
    deflate = {"compression": PerMessageDeflate()}
    texts = [f"{who} " * 5000 for who in range(20)]
    async with pair(stage, client=deflate, server=deflate) as (here, there):
        sending = [stage.spawn(here.send, text, compress=number % 3 > 0) for number, text in enumerate(texts)]
        expect("the messages", {await there.recv() for _ in texts}, set(texts))
        for task in sending:
            await task.outcome()


@case("each message goes to exactly one receiver, and the end to all")
async def concurrent_receivers(stage: AdapterStage) -> None:
    received: list[Message] = []

    async def take() -> None:
        async for message in there:
            received.append(message)  # noqa: PERF401  (others append as well)

    async with pair(stage) as (here, there):
        taking = [stage.spawn(take) for _ in range(4)]
        for number in range(100):
            await here.send(str(number))
        await here.close()
        for task in taking:
            await task.outcome()
    expect("the messages", sorted(map(int, cast(list[str], received))), list(range(100)))


# --- pings ------------------------------------------------------------------------------------------------------------


@case_of_both_sides("RFC 6455 §5.5.2: a ping is answered, with its payload, also while nobody receives")
async def a_ping_is_answered(_stage: AdapterStage, far: FarEnd, _ws: StagePeer) -> None:
    await far.send(far.frame(Opcode.PING, b"are you there?"))
    pong = await far.receive()
    expect("the pong", (pong.opcode, pong.payload), (Opcode.PONG, b"are you there?"))


@case("ping() measures, many at once as well, and latency remembers")
async def pings_measure(stage: AdapterStage) -> None:
    async with pair(stage) as (here, there):
        expect("the latency before the first ping", here.latency, None)
        for task in [stage.spawn(here.ping) for _ in range(10)]:
            check("a round trip is no negative time", await task.outcome() >= 0)
        await here.ping(b"x" * 125)
        with raises(LocalProtocolError, "ping() with 126 bytes"):
            await here.ping(b"x" * 126)
        expect("the round trips counted", here.latency and here.latency.count, 11)
        check("a server may ping as well", await there.ping() >= 0)


@case_of_both_sides("RFC 6455 §5.5.3: a pong answers its own ping and those before it; a stranger's answers none")
async def pongs_that_answer_other_pings(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    first, second = stage.spawn(ws.ping, b"1"), stage.spawn(ws.ping, b"2")
    payloads = [(await far.receive()).payload, (await far.receive()).payload]
    await far.send(far.frame(Opcode.PONG, b"3"), far.frame(Opcode.TEXT, b"behind the stranger's"))
    await ws.recv()
    expect("pings answered by a stranger's pong", (first.is_done, second.is_done), (False, False))
    await far.send(far.frame(Opcode.PONG, payloads[1]))
    await first.outcome()
    await second.outcome()


@case_of_both_sides("a ping does not wait behind megabytes", limits=Limits(outbox_size=1 << 26))
async def a_ping_overtakes_a_large_message(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    ws.send_nowait(bytes(16_000_000))
    pinging = stage.spawn(ws.ping)
    frames = 0
    while (frame := await far.receive()).opcode != Opcode.PING:
        frames += 1
    await far.send(far.frame(Opcode.PONG, frame.payload))
    await pinging.outcome()
    check("the ping comes before the end of the message", not frame.final or frames < 120)
    far.stream.reset()


# --- broadcast --------------------------------------------------------------------------------------------------------


@case("broadcast() reaches whoever can take it, encoded once, and returns the others")
async def a_broadcast(stage: AdapterStage) -> None:
    deflate = {"compression": PerMessageDeflate()}
    async with (
        stage.serve(drain, **deflate, limits=Limits(outbox_size=1000)) as server,
        stage.connect(address(server)) as plain,
        stage.connect(address(server), **deflate) as compressed,
        stage.connect(address(server)) as busy,
    ):
        await stage.until(lambda: len(server.connections) == 3)
        for news in ("text " * 20, b"\x00binary", ""):
            expect("who missed it", broadcast(server.connections, news), [])
            expect("the news", [await ws.recv() for ws in (plain, compressed, busy)], [news] * 3)
        (there,) = (ws for ws in server.connections if ws.remote_address == busy.local_address)
        await there.send_fragment("in parts", final=False)
        expect("who missed it in the middle of a message", broadcast(server.connections, "news"), [there])
        there.close_nowait()
        expect("who missed it while closing", [ws for ws in broadcast(server.connections, "news") if ws != there], [])
        for ws in (plain, compressed):
            expect("the news for the others", [await ws.recv() for _ in range(2)], ["news"] * 2)


@case_of_both_sides("broadcast() waits for nobody: who does not read misses it, and is returned")
async def a_broadcast_to_a_peer_that_does_not_read(stage: AdapterStage, _far: FarEnd, ws: StagePeer) -> None:
    ws.send_nowait(bytes(16_000_000))
    await stage.sleep(stage.second)
    expect("who missed it", broadcast([ws], "news"), [ws])
    ws.abort()


@case("what cannot be sent is the caller's fault, and no peer's")
async def a_broadcast_of_nonsense(stage: AdapterStage) -> None:
    async with pair(stage) as (here, _):
        with raises(TypeError, "broadcast() of a number"):
            broadcast([here], cast(Any, 5))
        with raises(LocalProtocolError, "broadcast() of a lone surrogate"):
            broadcast([here], "\ud800")
