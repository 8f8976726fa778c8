"""How connections end, and that the reports say the same on every runtime."""

from __future__ import annotations

from contextlib import suppress

from .._config import Limits
from .._errors import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK, LocalProtocolError
from .._events import CloseReport
from .._types import Initiator, Opcode, State
from .adapter_case import Ending, Reports, case, case_of_both_sides
from .adapter_ends import FarEnd, address, drain, echo, pair, visiting
from .adapter_expect import check, expect, raises
from .adapter_stage import Ability, AdapterStage, StagePeer

# --- by a closing handshake -------------------------------------------------------------------------------------------


@case(
    "RFC 6455 §7.1.5, §7.1.6: what one side says, the other reports",
    endings=[Ending(Initiator.LOCAL, 4000), Ending(Initiator.PEER, 4000, "tschüß")],
)
async def the_client_closes_with_a_code_and_a_reason(stage: AdapterStage) -> Reports:
    async with pair(stage) as (here, there):
        await here.close(4000, "tschüß")
        return here.close_report, await there.wait_closed()


@case(
    "RFC 6455 §7.1.5, §7.1.6: what one side says, the other reports",
    endings=[Ending(Initiator.PEER, 4000, "tschüß"), Ending(Initiator.LOCAL, 4000)],
)
async def the_server_closes_with_a_code_and_a_reason(stage: AdapterStage) -> Reports:
    async with pair(stage) as (here, there):
        await there.close(4000, "tschüß")
        return await here.wait_closed(), there.close_report


@case("RFC 6455 §7.4: 1000, 1001 and none are ordinary ends, every other code is an error")
async def codes_decide_how_the_end_is_told(stage: AdapterStage) -> None:
    for code in (1000, 1001, 1003, 1008, 1011, 1014, 3000, 4999):
        async with pair(stage) as (here, there):
            await there.close(code)
            is_ok = code in (1000, 1001)
            with raises(ConnectionClosedOK if is_ok else ConnectionClosedError, f"recv() behind {code}") as caught:
                await here.recv()
            expect("the error's report", caught.error.report, here.close_report)
            expect("ok and clean", (caught.error.report.ok, caught.error.report.clean), (is_ok, True))


@case_of_both_sides(
    "RFC 6455 §7.1.5: a close frame without a code is reported as 1005", ending=Ending(Initiator.PEER, 1005)
)
async def the_peer_closes_without_a_code(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    await far.send(far.frame(Opcode.CLOSE))
    expect("the answer", (await far.receive()).payload, b"")
    far.stream.end()
    return await ws.wait_closed()


@case_of_both_sides("RFC 6455 §7.1.5: 1005 closes without a code", ending=Ending(Initiator.LOCAL, 1005))
async def we_close_without_a_code(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    ws.close_nowait(1005)
    expect("the close frame", (await far.receive()).payload, b"")
    await far.send(far.frame(Opcode.CLOSE))
    far.stream.end()
    return await ws.wait_closed()


@case_of_both_sides("RFC 6455 §5.5.1: a close frame is answered with its own code", ending=Ending(Initiator.PEER, 4321))
async def the_answer_to_a_close_frame(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    await far.send(far.close_frame(4321))
    expect("the answer", await far.receive_close(), (4321, ""))
    far.stream.end()
    return await ws.wait_closed()


@case_of_both_sides(
    "RFC 6455 §7.1.5: of two close frames that cross, each side shows the one it received",
    ending=Ending(Initiator.LOCAL, 4002, "mine"),
)
async def both_sides_close_at_once(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    ws.close_nowait(4001, "ours")
    await far.send(far.close_frame(4002, "mine"))
    expect("the other close frame", await far.receive_close(), (4001, "ours"))
    far.stream.end()
    return await ws.wait_closed()


@case("closing twice, at the same time, from any task, is harmless", endings=[Ending(Initiator.LOCAL, 4000)])
async def closing_twice(stage: AdapterStage) -> Reports:
    async with pair(stage) as (here, _):
        for task in [stage.spawn(here.close, 4000) for _ in range(3)]:
            await task.outcome()
        await here.close(4001)
        return (here.close_report,)


@case("a code or reason that cannot be sent is the caller's fault: nothing has changed")
async def a_close_that_cannot_be_sent(stage: AdapterStage) -> None:
    async with pair(stage) as (here, there):
        for code in (0, 999, 1004, 1006, 1015, 1016, 2999, 5000):
            with raises(LocalProtocolError, f"close({code})"):
                await here.close(code)
        with raises(LocalProtocolError, "close() with a reason of 124 bytes"):
            await here.close(1000, "x" * 124)
        expect("the state", here.state, State.OPEN)
        await here.send("still open")
        expect("the next message", await there.recv(), "still open")


@case("the verbs behind the end say what has happened, and close() says nothing")
async def verbs_behind_the_end(stage: AdapterStage) -> None:
    async with pair(stage) as (here, there):
        await there.close(4000)
        await here.wait_closed()
        for name in ("recv", "ping"):
            with raises(ConnectionClosedError, f"{name}() behind the end"):
                await getattr(here, name)()
        with raises(ConnectionClosedError, "send() behind the end"):
            await here.send("x")
        await here.close()
        expect("the report of wait_closed()", await here.wait_closed(), here.close_report)


@case("an iteration ends by itself at an ordinary end, and raises at any other")
async def the_end_of_an_iteration(stage: AdapterStage) -> None:
    async with pair(stage) as (here, there):
        iterating = stage.spawn(drain, here)
        await there.close(1001)
        await iterating.outcome()
    async with pair(stage) as (here, there):
        iterating = stage.spawn(drain, here)
        there.abort()
        with raises(ConnectionClosedError, "an iteration that is broken"):
            await iterating.outcome()


@case_of_both_sides("close() ends what waits in other tasks, with the connection's own end")
async def the_end_reaches_everybody_who_waits(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    waiting = [stage.spawn(ws.recv), stage.spawn(ws.ping)]
    while (await far.receive()).opcode != Opcode.PING:
        pass  # pragma: no cover  (nothing else comes)
    ws.close_nowait(4000)
    await far.receive_close()
    await far.send(far.close_frame(4000))
    far.stream.end()
    for task in waiting:
        with raises(ConnectionClosed, "a verb whose connection ends"):
            await task.outcome()


# --- with messages under way ------------------------------------------------------------------------------------------


@case("close() sends what was queued first, also when nobody waited for it to leave")
async def what_was_sent_before_close_arrives(stage: AdapterStage) -> None:
    sizes: list[int] = []

    async def count(ws: StagePeer) -> None:
        async for message in ws:
            sizes.append(len(message))  # noqa: PERF401  (others look while it grows)

    async with stage.serve(count) as server, stage.connect(address(server), limits=Limits(outbox_size=1 << 26)) as ws:
        for _ in range(10):
            ws.send_nowait(bytes(900_000))
        await ws.close()
        expect("an ordinary end", ws.close_report and ws.close_report.ok, True)
    expect("what arrived", sizes, [900_000] * 10)


@case_of_both_sides("what arrived before the close is delivered")
async def messages_before_a_close_frame(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    await far.send(*(far.frame(Opcode.TEXT, b"%d" % number) for number in range(50)), far.close_frame())
    await stage.until(lambda: ws.state is not State.OPEN)
    far.stream.end()
    expect("the messages", [message async for message in ws], [str(number) for number in range(50)])
    await far.receive_close()


@case("the last message can still be answered: the close frame waits for that")
async def the_last_message_is_answered(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, visiting(stage, server.port) as far:
        await far.request()
        await far.send(far.frame(Opcode.TEXT, b"last words"), far.close_frame(4000))
        expect("the answer", (await far.receive()).payload, b"last words")
        expect("the close frame behind it", await far.receive_close(), (4000, ""))
        expect("what comes behind that", await far.rest(), b"")


@case_of_both_sides("RFC 6455 §7.1.1: who has ended one direction still hears the other", needs=[Ability.HALF_CLOSE])
async def the_peer_ends_its_direction_first(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    await far.send(far.frame(Opcode.TEXT, b"question"), far.close_frame(4000))
    far.stream.end()
    expect("the question", await ws.recv(), "question")
    await ws.send("answer")
    with raises(ConnectionClosedError, "recv() behind the question"):
        await ws.recv()
    expect("the answer", (await far.receive()).payload, b"answer")
    expect("the close frame behind it", await far.receive_close(), (4000, ""))
    expect("what comes behind that", await far.rest(), b"")


@case_of_both_sides(
    "a large message that is leaving does not keep the peer's close from being answered",
    limits=Limits(outbox_size=1 << 25),
)
async def the_peer_closes_while_we_send(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    ws.send_nowait(bytes(10_000_000))
    await far.send(far.close_frame(4000))
    expect("the close frame", await far.receive_close(), (4000, ""))
    far.stream.end()
    expect("the code", (await ws.wait_closed()).code, 4000)


@case_of_both_sides(
    "RFC 6455 §7.1.2: a peer that goes on sending until it sees our close frame is an ordinary one",
    ending=Ending(Initiator.LOCAL, 4000),
    limits=Limits(inbox_size=100_000),
)
async def we_close_while_the_peer_floods(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    is_closing = False

    async def flood() -> None:
        while not is_closing:
            await far.send(far.frame(Opcode.BINARY, bytes(100_000)))
        await far.send(far.close_frame(4000))

    flooding = stage.spawn(flood)
    await stage.until(lambda: ws.statistics.bytes_received > 100_000)
    closing = stage.spawn(ws.close, 4000)
    await far.receive_close()
    is_closing = True
    await flooding.outcome()
    far.stream.end()
    await closing.outcome()
    return await ws.wait_closed()


@case_of_both_sides("RFC 6455 §5.5.1: what comes behind a close frame is nobody's", ending=Ending(Initiator.PEER, 1000))
async def the_peer_floods_behind_its_close_frame(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    await far.send(far.close_frame())
    with suppress(OSError):  # our end may have gone
        for _ in range(30):
            await far.send(far.frame(Opcode.TEXT, bytes(100_000)))
    far.stream.close()
    with raises(ConnectionClosedOK, "recv() while the peer floods"):
        await ws.recv()
    return await ws.wait_closed()


@case_of_both_sides(
    "a peer that has left before our close frame could reach it has closed all the same",
    ending=Ending(Initiator.PEER, 4000),
)
async def the_peer_does_not_wait_for_our_close_frame(
    stage: AdapterStage, far: FarEnd, ws: StagePeer
) -> CloseReport | None:
    await far.send(far.frame(Opcode.TEXT, b"last words"), far.close_frame(4000))
    await stage.until(lambda: ws.state is State.CLOSING)
    far.stream.close()
    expect("the message before the close", await ws.recv(), "last words")
    with raises(ConnectionClosedError, "recv() behind the message"):
        await ws.recv()
    await ws.close()
    return ws.close_report


# --- without a closing handshake --------------------------------------------------------------------------------------


@case_of_both_sides("RFC 6455 §7.1.7: a broken connection is no ordinary end", ending=Ending(Initiator.NETWORK, 1006))
async def the_connection_is_reset(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    far.stream.reset()
    report = await _breaks(ws)
    check(f"the report holds the OSError, not {report.error!r}", isinstance(report.error, OSError))
    return report


@case_of_both_sides("RFC 6455 §7.1.5: an end without a close frame is 1006", ending=Ending(Initiator.NETWORK, 1006))
async def the_connection_ends_without_a_close_frame(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    far.stream.end()
    return await _breaks(ws)


@case_of_both_sides("an end in the middle of a frame is 1006 as well", ending=Ending(Initiator.NETWORK, 1006))
async def the_connection_ends_within_a_frame(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    await far.send(far.frame(Opcode.TEXT, b"whole"), far.frame(Opcode.TEXT, b"not whole")[:-1])
    expect("what came before", await ws.recv(), "whole")
    far.stream.end()
    return await _breaks(ws)


@case_of_both_sides(
    "closing what is broken, with megabytes that cannot leave, is quiet", limits=Limits(outbox_size=1 << 25)
)
async def we_close_a_broken_connection(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    ws.send_nowait(bytes(16_000_000))
    far.stream.reset()
    await ws.close()
    check("the end is known", ws.close_report is not None and not ws.close_report.ok)


async def _breaks(ws: StagePeer) -> CloseReport:
    with raises(ConnectionClosedError, "recv() on a connection that breaks") as caught:
        await ws.recv()
    expect("a close frame received", caught.error.report.received_code, None)
    return await ws.wait_closed()
