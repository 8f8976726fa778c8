"""Backpressure in both directions, in bytes: whoever does not read is felt by who writes, and memory stays bounded."""

from __future__ import annotations

from typing import Final

from .._config import Limits
from .._errors import ConnectionClosed
from .._types import Opcode
from .adapter_case import case, case_of_both_sides
from .adapter_ends import FarEnd, pair, settled
from .adapter_expect import check, expect, raises
from .adapter_stage import AdapterStage, StagePeer

_MEGABYTE: Final = 1 << 20
#: More than any kernel holds between two ends of one machine.
_FLOOD: Final = 12 * _MEGABYTE
_LIMITS: Final = Limits(outbox_size=300_000, inbox_size=200_000, control_frame_rate=None)


@case_of_both_sides("send() waits while the peer does not read, and goes on when it does", limits=_LIMITS)
async def sending_waits_for_a_peer_that_does_not_read(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    count, sent = _FLOOD // 100_000, 0

    async def flood() -> None:
        nonlocal sent
        for _ in range(count):
            await ws.send(bytes(100_000))
            sent += 1

    flooding = stage.spawn(flood)
    await stage.until(lambda: not ws.can_send)
    await settled(stage, lambda: sent)
    check(f"fewer messages are sent than {count}, not {sent}", sent < count)
    received = 0
    while received < count:
        received += len((await far.receive()).payload) == 100_000
    await flooding.outcome()
    expect("the messages sent in the end", sent, count)


@case_of_both_sides("an application that does not take its messages stops the reading, and the peer", limits=_LIMITS)
async def reading_stops_while_the_application_takes_nothing(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    frame = far.frame(Opcode.BINARY, bytes(10_000))
    count = _FLOOD // 100_000 * 10

    async def flood() -> None:
        for _ in range(count // 10):
            await far.send(frame * 10)

    flooding = stage.spawn(flood)
    await stage.until(lambda: ws.statistics.bytes_received > 100_000)
    await settled(stage, lambda: ws.statistics.bytes_received)
    read = ws.statistics.bytes_received
    check(f"no more is read than the inbox and one read hold, not {read} bytes", read < 200_000 + _MEGABYTE)
    check("the peer waits", not flooding.is_done)
    sizes = {len(await ws.recv()) for _ in range(count)}
    expect("the sizes of what came", sizes, {10_000})
    await flooding.outcome()


@case("two sides that both send and receive never wait for one another")
async def both_sides_send_huge_amounts(stage: AdapterStage) -> None:
    message, count = bytes(900_000), 15

    async def send(ws: StagePeer) -> None:
        for _ in range(count):
            await ws.send(message)

    async def receive(ws: StagePeer) -> int:
        return sum([len(await ws.recv()) for _ in range(count)])

    for limits in (Limits(outbox_size=_MEGABYTE), Limits(outbox_size=1000, inbox_size=1000)):
        async with pair(stage, client={"limits": limits}, server={"limits": limits}) as (here, there):
            sending = [stage.spawn(send, ws) for ws in (here, there)]
            receiving = [stage.spawn(receive, ws) for ws in (here, there)]
            for task in sending:
                await task.outcome()
            expect("the bytes received", [await task.outcome() for task in receiving], [count * len(message)] * 2)


@case_of_both_sides(
    "RFC 6455 §5.5.3: only the latest ping has to be answered, so that pings cost no memory", limits=_LIMITS
)
async def pings_of_a_peer_that_does_not_read(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    batch = far.frame(Opcode.PING, bytes(125)) * 500
    while ws.statistics.pings_received < ws.statistics.pongs_sent + 500:
        await far.send(batch)
    await far.send(far.frame(Opcode.PING, b"the last one"))
    pongs = 1
    while (await far.receive()).payload != b"the last one":
        pongs += 1
    check(f"fewer pongs than pings, not {pongs}", pongs < ws.statistics.pings_received)


@case_of_both_sides("a pong that nobody asked for is read and forgotten", limits=_LIMITS)
async def a_flood_of_pongs(_stage: AdapterStage, far: FarEnd, _ws: StagePeer) -> None:
    for _ in range(10):
        await far.send(far.frame(Opcode.PONG, bytes(125)) * 1000)
    await far.send(far.frame(Opcode.PING, b"still there?"))
    expect("the answer behind the flood", (await far.receive()).payload, b"still there?")


@case_of_both_sides("a ping waits for room as a message does", limits=Limits(outbox_size=1000))
async def a_ping_waits_for_room(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    ws.send_nowait(bytes(8 * _MEGABYTE))
    expect("can_send", ws.can_send, False)
    pinging = stage.spawn(ws.ping)
    while (frame := await far.receive()).opcode != Opcode.PING:
        pass
    await far.send(far.frame(Opcode.PONG, frame.payload))
    await pinging.outcome()


@case_of_both_sides("who waits for room learns of the connection's end", limits=_LIMITS)
async def the_peer_closes_while_send_waits(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    async def flood() -> None:
        while True:
            await ws.send(bytes(100_000))

    flooding = stage.spawn(flood)
    await stage.until(lambda: not ws.can_send)
    await far.send(far.close_frame(4000))
    while (await far.receive()).opcode != Opcode.CLOSE:
        pass
    far.stream.end()
    with raises(ConnectionClosed, "send() that waits for room"):
        await flooding.outcome()
