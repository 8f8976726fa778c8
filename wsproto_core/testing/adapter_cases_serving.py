"""The life of a server: handlers, what their exceptions mean, and the server's own end."""

from __future__ import annotations

from .._config import Limits
from .._errors import ConnectionClosed, ConnectionClosedOK, ConnectionFailed, ConnectionRefused, LocalProtocolError
from .._events import CloseReport
from .._types import Initiator, Opcode
from .adapter_case import Ending, Reports, case, case_of_both_sides
from .adapter_ends import HANDSHAKE, FarEnd, address, drain, echo, pair, visiting
from .adapter_expect import check, expect, raises
from .adapter_stage import AdapterStage, StagePeer

# --- handlers ---------------------------------------------------------------------------------------------------------


@case("a handler that returns closes its connection", endings=[Ending(Initiator.PEER, 1000)])
async def a_handler_returns(stage: AdapterStage) -> Reports:
    async def handler(ws: StagePeer) -> None:
        await ws.send("bye")

    async with stage.serve(handler) as server, stage.connect(address(server)) as ws:
        expect("the messages", [message async for message in ws], ["bye"])
        return (await ws.wait_closed(),)


@case(
    "RFC 6455 §7.4.1: a handler that fails is 1011 for the peer, who learns no more, and one line for the operator",
    endings=[Ending(Initiator.PEER, 1011), Ending(Initiator.PEER, 1011)],
    log_lines=2,
)
async def a_handler_raises(stage: AdapterStage) -> Reports:
    async def fails(_ws: StagePeer) -> None:
        raise KeyError("boom")

    async def fails_in_a_group(_ws: StagePeer) -> None:
        raise ExceptionGroup("several", [KeyError("boom")])

    reports: list[CloseReport] = []
    for handler in (fails, fails_in_a_group):
        async with stage.serve(handler) as server, stage.connect(address(server)) as ws:
            reports.append(await ws.wait_closed())
    return reports


@case(
    "an exception that only says that the handler's own connection has ended is no fault, and no line",
    endings=[Ending(Initiator.LOCAL, 4000)],
)
async def a_handlers_own_connection_ends(stage: AdapterStage) -> Reports:
    async def handler(ws: StagePeer) -> None:
        await ws.recv()

    async with stage.serve(handler) as server, stage.connect(address(server)) as ws:
        await ws.close(4000)
        return (ws.close_report,)


@case(
    "the end of somebody else's connection is a fault of the handler's like any other",
    endings=[Ending(Initiator.PEER, 1011)],
    log_lines=1,
)
async def another_connection_of_a_handler_ends(stage: AdapterStage) -> Reports:
    async with pair(stage) as (elsewhere, _):

        async def handler(_ws: StagePeer) -> None:
            await elsewhere.close(4000)
            await elsewhere.recv()

        async with stage.serve(handler) as server, stage.connect(address(server)) as ws:
            return (await ws.wait_closed(),)


@case("a handler may go on after the end of its connection")
async def a_handler_goes_on_after_the_end(stage: AdapterStage) -> None:
    is_done = stage.event()

    async def handler(ws: StagePeer) -> None:
        await ws.wait_closed()
        await stage.sleep(0)
        is_done.set()

    async with stage.serve(handler) as server:
        async with stage.connect(address(server)):
            pass
        await is_done.wait()


# --- the server's end -------------------------------------------------------------------------------------------------


@case(
    "RFC 6455 §7.4.1: everybody is told 1001, handlers get to finish, and nobody listens any more",
    endings=[Ending(Initiator.PEER, 1001)] * 3,
)
async def the_server_closes(stage: AdapterStage) -> Reports:
    finished: list[StagePeer] = []

    async def handler(ws: StagePeer) -> None:
        await echo(ws)
        finished.append(ws)

    async with stage.serve(handler) as server:
        uri = address(server)
        async with stage.connect(uri) as one, stage.connect(uri) as two, stage.connect(uri) as three:
            await stage.until(lambda: len(server.connections) == 3)
            await server.close()
            expect("the handlers that have finished", len(finished), 3)
            expect("the connections left", len(server.connections), 0)
            reports = [await ws.wait_closed() for ws in (one, two, three)]
    with raises(ConnectionRefused, "connect() behind the end"):
        async with stage.connect(uri):
            pass  # pragma: no cover  (it never gets here)
    return reports


@case("a server may say why it leaves", endings=[Ending(Initiator.PEER, 1012, "back in a minute")])
async def the_server_says_why_it_leaves(stage: AdapterStage) -> Reports:
    async with stage.serve(drain) as server, stage.connect(address(server)) as ws:
        await server.close(1012, "back in a minute")
        return (await ws.wait_closed(),)


@case("closing a server twice, at the same time, is harmless")
async def the_server_closes_twice(stage: AdapterStage) -> None:
    async with stage.serve(drain) as server, stage.connect(address(server)):
        for task in [stage.spawn(server.close) for _ in range(2)]:
            await task.outcome()
        await server.close()


@case("a code that cannot be sent is the caller's fault: everybody is served on")
async def the_server_closes_with_a_bad_code(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, stage.connect(address(server)) as ws:
        await stage.until(lambda: server.connections)
        with raises(LocalProtocolError, "Server.close(1006)"):
            await server.close(1006)
        await ws.send("still served")
        expect("the echo", await ws.recv(), "still served")


@case("serve_forever() ends with the server, also when a handler closes it")
async def a_handler_closes_the_server(stage: AdapterStage) -> None:
    async def handler(ws: StagePeer) -> None:
        expect("the message", await ws.recv(), "shutdown")
        await server.close()

    async with stage.serve(handler) as server, stage.connect(address(server)) as ws:
        serving = stage.spawn(server.serve_forever)
        await ws.send("shutdown")
        await serving.outcome()
        expect("the code", (await ws.wait_closed()).code, 1001)


@case("after the grace period nobody holds the server up: the peers are dropped, having been told 1001")
async def the_grace_period_ends(stage: AdapterStage) -> None:
    async def stubborn(ws: StagePeer) -> None:
        await ws.wait_closed()

    async with stage.serve(stubborn) as server, visiting(stage, server.port) as far:
        await far.request()
        await stage.until(lambda: server.connections)
        await server.close(grace_period=0.01)
        expect("the connections left", len(server.connections), 0)
        expect("what the peer was told", await far.receive_close(), (1001, ""))
        expect("what comes behind that", await far.rest(), b"")


@case("who has connected and said nothing when the server closes is dropped, and holds nothing up")
async def the_server_closes_before_a_handshake(stage: AdapterStage) -> None:
    async with stage.serve(drain) as server, visiting(stage, server.port) as far:
        await server.close()
        expect("what the visitor hears", await far.rest(), b"")


@case("RFC 9110 §15.6.4: a handshake that has begun when the server closes is answered: come back later")
async def the_server_closes_during_a_handshake(stage: AdapterStage) -> None:
    async with stage.serve(drain) as server, visiting(stage, server.port) as far:
        uri = address(server)
        await far.send(HANDSHAKE[:20])
        await _accepted(stage, uri)
        closing = stage.spawn(server.close)
        await _nobody_listens(stage, uri)
        check("the server waits for the rest", not closing.is_done)
        await far.send(HANDSHAKE[20:])
        head = await far.head()
        check("status 503 and Retry-After", head.startswith(b"HTTP/1.1 503 ") and b"retry-after: " in head.lower())
        await far.rest()
        far.stream.close()
        await closing.outcome()


@case("a handshake that does not go on holds the server up for no longer than the grace period")
async def the_server_closes_and_a_handshake_does_not_go_on(stage: AdapterStage) -> None:
    async with stage.serve(drain) as server, visiting(stage, server.port) as far:
        await far.send(HANDSHAKE[:20])
        await _accepted(stage, address(server))
        await server.close(grace_period=0.01)
        expect("what the visitor hears", await far.rest(), b"")


async def _accepted(stage: AdapterStage, uri: str) -> None:
    """Wait until all who have connected to ``uri`` are accepted: whoever comes behind them is served. Who waits to be
    accepted is lost when a server closes.
    """
    async with stage.connect(uri):
        pass


async def _nobody_listens(stage: AdapterStage, uri: str) -> None:
    """Wait until connections to ``uri`` are refused."""
    came: Exception | None = None
    while not isinstance(came, ConnectionRefused):
        await stage.sleep(0)
        try:
            async with stage.connect(uri):
                pass  # pragma: no cover  (the server may have gone before the first look)
        except ConnectionFailed as error:
            came = error


@case("a peer that does not read holds the server up for no longer than the grace period")
async def the_server_closes_a_peer_that_does_not_read(stage: AdapterStage) -> None:
    async def flood(ws: StagePeer) -> None:
        while True:
            await ws.send(bytes(100_000))

    limits = Limits(outbox_size=200_000)
    async with stage.serve(flood, limits=limits) as server, visiting(stage, server.port) as far:
        await far.request()
        await stage.until(lambda: server.connections and not next(iter(server.connections)).can_send)
        await server.close(grace_period=0.05)
        expect("the connections left", len(server.connections), 0)


@case("a handler that sends when the server closes learns of the end by ConnectionClosedOK, and the log by nothing")
async def the_server_closes_while_a_handler_sends(stage: AdapterStage) -> None:
    ends: list[Exception] = []

    async def ticker(ws: StagePeer) -> None:
        try:
            while True:
                await ws.send("tick")
                await stage.sleep(0)
        except ConnectionClosed as end:
            ends.append(end)
            raise

    async with stage.serve(ticker) as server, stage.connect(address(server)) as ws:
        draining = stage.spawn(drain, ws)
        await stage.until(lambda: ws.statistics.messages_received > 20)
        await server.close()
        await draining.outcome()
    expect("what the handler was told", list(map(type, ends)), [ConnectionClosedOK])


@case_of_both_sides("data and statistics are the connection's own, up to its end and behind it")
async def statistics_add_up(stage: AdapterStage, far: FarEnd, ws: StagePeer) -> None:
    frame = far.frame(Opcode.TEXT, b"1234")
    before = ws.statistics.bytes_received
    ws.data["mine"] = 1
    await far.send(frame, far.frame(Opcode.PING))
    await ws.recv()
    await ws.send("567")
    await stage.until(lambda: ws.statistics.pings_received)
    counts = ws.statistics
    expect("messages", (counts.messages_received, counts.messages_sent), (1, 1))
    expect("bytes received", counts.bytes_received - before, len(frame + far.frame(Opcode.PING)))
    far.stream.close()
    await ws.wait_closed()
    check("they are still there", ws.statistics.messages_received == 1 and ws.data == {"mine": 1})
