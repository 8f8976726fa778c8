"""The engine's timers, as they reach the application: the adapter only sleeps until ``next_deadline()``.

On a virtual clock the cases see the exact times; on a real one, where a second of a case is much shorter, only what
happens.
"""

from __future__ import annotations

from .._config import Limits, Timeouts
from .._errors import ConnectionClosedError, ConnectionClosedOK
from .._events import CloseReport
from .._types import Initiator, Opcode, Timer
from .adapter_case import Ending, Reports, case, case_of_both_sides
from .adapter_ends import FarEnd, check_elapsed, check_elapsed_at_most, drain, pair
from .adapter_expect import check, expect, raises
from .adapter_stage import AdapterStage, StagePeer


@case_of_both_sides(
    "Timeouts.pong_timeout: a peer that shows no life is dropped",
    seconds={"ping_interval": 30, "pong_timeout": 20},
    ending=Ending(Initiator.LOCAL, 1006, timer=Timer.PONG),
)
async def a_silent_peer(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    began_at = stage.now()
    expect("the frame behind the silence", (await far.receive()).opcode, Opcode.PING)
    check_elapsed(stage, began_at, 30)
    with raises(ConnectionClosedError, "recv() from a silent peer"):
        await ws.recv()
    check_elapsed(stage, began_at, 50)
    return await ws.wait_closed()


@case_of_both_sides(
    "any byte is a sign of life, not only a pong",
    seconds={"ping_interval": 30, "pong_timeout": 20, "idle_timeout": 1000},
)
async def a_peer_that_never_sends_a_pong(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    frame = far.frame(Opcode.BINARY, bytes(60))
    for position in range(0, len(frame), 17):
        await far.send(frame[position : position + 17])
        await stage.sleep(15 * stage.second)
    expect("what came in the end", await ws.recv(), bytes(60))


@case_of_both_sides(
    "pings are sent when the peer is silent, and its pongs keep the connection alive",
    seconds={"ping_interval": 30, "pong_timeout": 20},
)
async def a_peer_that_only_answers_pings(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    for _ in range(2):
        ping = await far.receive()
        expect("the frame behind the silence", ping.opcode, Opcode.PING)
        await far.send(far.frame(Opcode.PONG, ping.payload))
    await far.send(far.frame(Opcode.TEXT, b"still here"))
    expect("the message behind the pongs", await ws.recv(), "still here")
    check("the latency counts them", ws.latency is not None and ws.latency.count == 2)


@case_of_both_sides(
    "Timeouts.idle_timeout: a connection without messages is closed with 1001, pings or not",
    seconds={"idle_timeout": 60, "ping_interval": 25, "pong_timeout": 20},
    ending=Ending(Initiator.LOCAL, 1001, timer=Timer.IDLE),
)
async def an_idle_connection(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    began_at = stage.now()
    while (frame := await far.receive()).opcode == Opcode.PING:
        await far.send(far.frame(Opcode.PONG, frame.payload))
    check_elapsed(stage, began_at, 60)
    expect("the code that the peer is told", int.from_bytes(frame.payload[:2], "big"), 1001)
    await far.send(far.close_frame(1001))
    far.stream.end()
    with raises(ConnectionClosedOK, "recv() on an idle connection"):
        await ws.recv()
    return await ws.wait_closed()


@case_of_both_sides(
    "a peer that never answers the close holds nothing for longer than Timeouts.closing_timeout",
    seconds={"closing_timeout": 5},
    ending=Ending(Initiator.LOCAL, 1006, timer=Timer.CLOSING),
)
async def the_close_is_never_answered(stage: AdapterStage, _far: FarEnd, ws: StagePeer) -> CloseReport | None:
    began_at = stage.now()
    await ws.close(4000)
    check_elapsed(stage, began_at, 5)
    return ws.close_report


@case_of_both_sides(
    "RFC 6455 §7.1.1: a peer that answers the close and keeps the transport is cut off",
    seconds={"closing_timeout": 20},
    ending=Ending(Initiator.LOCAL, 4000),
)
async def the_transport_is_never_ended(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport | None:
    closing = stage.spawn(ws.close, 4000)
    await far.receive_close()
    began_at = stage.now()
    await far.send(far.close_frame(4000))
    await closing.outcome()
    check_elapsed_at_most(stage, began_at, 20)
    return ws.close_report


@case_of_both_sides(
    "close() is bounded also when the peer does not read, and its messages fill the inbox",
    seconds={"closing_timeout": 5, "ping_interval": 1000},
    limits=Limits(outbox_size=200_000, inbox_size=10_000),
)
async def closing_a_peer_that_does_not_read(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    await far.send(far.frame(Opcode.BINARY, bytes(100_000)))
    while ws.can_send:
        await ws.send(bytes(100_000))
        await stage.sleep(0)
    waiting = (stage.spawn(ws.send, "waits for room"), stage.spawn(ws.ping))
    began_at = stage.now()
    await ws.close()
    check_elapsed_at_most(stage, began_at, 20)  # whatever the kernels still take on the way begins the time anew
    for task in waiting:
        with raises(ConnectionClosedError, "a verb that waits"):
            await task.outcome()


@case_of_both_sides(
    "while this side does not read, silence means nothing",
    seconds={"ping_interval": 30, "pong_timeout": 20},
    limits=Limits(inbox_size=1000),
)
async def an_application_that_does_not_read(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    await far.send(far.frame(Opcode.BINARY, bytes(500)) * 10)
    await stage.until(lambda: ws.statistics.bytes_received > 1000)
    await stage.sleep(60 * stage.second)
    expect("the end", ws.close_report, None)
    expect("the sizes of what came", {len(await ws.recv()) for _ in range(10)}, {500})


@case("a message that takes long is a sign of life all the time", is_timed=True)
async def a_large_message_takes_longer_than_any_timer(stage: AdapterStage) -> None:
    timeouts = Timeouts(ping_interval=30 * stage.second, pong_timeout=20 * stage.second)
    async with pair(stage, client={"timeouts": timeouts}, server={"timeouts": timeouts}) as (here, there):
        draining = stage.spawn(drain, there)
        for _ in range(6):
            await here.send_fragment(bytes(10_000), final=False)
            await stage.sleep(10 * stage.second)
        await here.send_fragment(b"", final=True)
        await here.close()
        await draining.outcome()
        expect("how the message arrived", there.statistics.messages_received, 1)


@case(
    "RFC 6455 §7.1.1: pings that two adapters send one another keep a quiet connection",
    is_timed=True,
    endings=[Ending(Initiator.LOCAL, 1000), Ending(Initiator.PEER, 1000)],
)
async def a_quiet_connection_lives(stage: AdapterStage) -> Reports:
    timeouts = Timeouts(ping_interval=30 * stage.second, pong_timeout=20 * stage.second)
    async with pair(stage, client={"timeouts": timeouts}, server={"timeouts": timeouts}) as (here, there):
        await stage.sleep(60 * stage.second)
        expect("the ends", (here.close_report, there.close_report), (None, None))
        check("there were pings", here.statistics.pings_sent + there.statistics.pings_sent > 0)
        await here.close()
        return here.close_report, await there.wait_closed()
