"""How connections end on trio: from either side, in the middle of things, and with peers that behave badly."""

from __future__ import annotations

import logging

import pytest
import trio

from tests.adapters.kit import CLOSE, QUICK, TEXT, Frame, close_frame, frame
from tests.adapters.trio_kit import Raw, drain, echo, eventually, raw_server, trio_test, url
from wsproto_core import (
    CloseReport,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    Initiator,
    Limits,
    LocalProtocolError,
    State,
    Timeouts,
    Timer,
    Violation,
)
from wsproto_trio import WebSocket, connect, serve


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 1014, 3000, 4999])
@trio_test
async def test_each_side_may_close_with_a_code_and_a_reason(code: int) -> None:
    async def handler(ws: WebSocket) -> None:
        if await ws.recv() == "you":
            await ws.close(code, "tschüß")
        else:
            await drain(ws)

    async with serve(handler, "127.0.0.1", 0) as server:
        for who in ("you", "me"):
            async with connect(url(server)) as ws:
                await eventually(lambda: server.connections)
                (there,) = server.connections
                await ws.send(who)
                if who == "me":
                    await ws.close(code, "tschüß")
                for report in (await ws.wait_closed(), await there.wait_closed()):
                    closer = (report is ws.close_report) == (who == "me")
                    assert (report.code, report.clean) == (code, True)
                    assert report.reason == ("" if closer else "tschüß")  # what the other side said
                    assert report.initiator is (Initiator.LOCAL if closer else Initiator.PEER)
                    assert report.ok == (code in (1000, 1001))
                with pytest.raises(ConnectionClosedOK if code in (1000, 1001) else ConnectionClosedError):
                    await ws.recv()


@trio_test
async def test_a_code_that_cannot_be_sent_changes_nothing() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(LocalProtocolError, match="code"):
            await ws.close(1006)
        with pytest.raises(LocalProtocolError, match="reason"):
            await ws.close(1000, "x" * 124)
        with pytest.raises(LocalProtocolError, match="code"):
            await server.close(1006)
        await ws.send("still open")
        assert await ws.recv() == "still open"


@trio_test
async def test_both_sides_close_at_once() -> None:
    async with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await eventually(lambda: server.connections)
        (there,) = server.connections
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ws.close, 4001)
            nursery.start_soon(there.close, 4002)
        for report in (ws.close_report, there.close_report):
            assert report is not None
            assert report.clean


@trio_test
async def test_what_was_sent_before_close_arrives() -> None:
    got: list[int] = []

    async def handler(ws: WebSocket) -> None:
        async for message in ws:
            got.append(len(message))  # noqa: PERF401  # others look while it grows

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server), limits=Limits(outbox_size=1 << 26)) as ws:
        for _ in range(20):
            ws.send_nowait(bytes(900_000))
        await ws.close()
        assert ws.close_report is not None
        assert ws.close_report.ok
    assert got == [900_000] * 20


@trio_test
async def test_what_arrived_before_the_close_is_delivered() -> None:
    async def handler(ws: WebSocket) -> None:
        for number in range(50):
            await ws.send(str(number))

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await eventually(lambda: ws.state is not State.OPEN)
        assert [message async for message in ws] == [str(number) for number in range(50)]


@trio_test
async def test_the_last_message_can_still_be_answered() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await raw.send(frame(TEXT, b"last words") + close_frame(4000))
        assert (await raw.frame()).payload == b"last words"
        assert await raw.close_code() == 4000


@trio_test
async def test_close_from_another_task_ends_recv_send_and_ping() -> None:
    ends: list[ConnectionClosed] = []

    async def deaf(raw: Raw) -> None:
        await trio.sleep_forever()

    async def ends_of(work: str) -> None:
        try:
            while True:
                await (ws.recv() if work == "recv" else ws.ping() if work == "ping" else ws.send(bytes(50_000)))
        except ConnectionClosed as error:
            ends.append(error)

    async with raw_server(deaf) as port:
        limits = Limits(outbox_size=100_000)
        async with (
            connect(f"ws://127.0.0.1:{port}/", limits=limits, timeouts=QUICK) as ws,
            trio.open_nursery() as group,
        ):
            for work in ("recv", "ping", "send"):
                group.start_soon(ends_of, work)
            await eventually(lambda: not ws.can_send)
            await ws.close()
    assert [type(end) for end in ends] == [ConnectionClosedError] * 3
    assert ws.close_report is not None
    assert ws.close_report.timer is Timer.CLOSING


@trio_test
async def test_close_while_a_large_message_is_leaving() -> None:
    size = 24_000_000

    async def handler(ws: WebSocket) -> None:
        await ws.recv()

    async with (
        serve(handler, "127.0.0.1", 0, limits=Limits(message_size=size)) as server,
        connect(url(server)) as ws,
    ):
        ws.send_nowait(bytes(size))
        await ws.close(4000)
        assert ws.close_report is not None
        assert (ws.close_report.clean, ws.close_report.bytes_queued) == (True, 0)


@trio_test
async def test_close_with_a_full_inbox_is_prompt() -> None:
    async def flood(ws: WebSocket) -> None:
        while True:
            await ws.send(bytes(10_000))

    limits, timeouts = Limits(inbox_size=100_000), Timeouts(closing_timeout=None)
    async with serve(flood, "127.0.0.1", 0) as server, connect(url(server), limits=limits, timeouts=timeouts) as ws:
        await eventually(lambda: not ws.engine.wants_read)
        await ws.close()  # without a closing timeout it could wait for ever
        assert ws.close_report is not None
        assert ws.close_report.clean
        assert len(await ws.recv()) == 10_000  # what was there is still there


# --- peers that behave badly ------------------------------------------------------------------------------------------


@trio_test
async def test_a_peer_that_never_answers_the_close() -> None:
    async def deaf(raw: Raw) -> None:
        await raw.rest()

    async with raw_server(deaf) as port, connect(f"ws://127.0.0.1:{port}/", timeouts=QUICK) as ws:
        await ws.close()
        report = ws.close_report
        assert report is not None
        assert (report.timer, report.initiator, report.sent_code) == (Timer.CLOSING, Initiator.LOCAL, 1000)
        assert (report.received_code, report.code, report.clean) == (None, 1006, False)


@trio_test
async def test_a_peer_that_answers_the_close_but_never_ends_tcp() -> None:
    async def stays(raw: Raw) -> None:
        await raw.close_code()
        await raw.send(close_frame(mask=None))
        await raw.rest()
        await trio.sleep_forever()

    async with raw_server(stays) as port, connect(f"ws://127.0.0.1:{port}/", timeouts=QUICK) as ws:
        await ws.close()
        assert ws.close_report is not None
        assert ws.close_report.ok  # the closing handshake was complete


@trio_test
async def test_a_client_that_never_ends_tcp_is_cut_off_by_the_server() -> None:
    async with serve(echo, "127.0.0.1", 0, timeouts=QUICK) as server, Raw.connect(server.port) as raw:
        await raw.send(close_frame())
        assert await raw.frame() == Frame(CLOSE, b"\x03\xe8")
        assert await raw.rest() == b""  # the server ends its half at once (RFC 6455 §7.1.1)
        await eventually(lambda: not server._reception.everyone)


@pytest.mark.parametrize("ending", ["reset", "eof", "eof in a frame"])
@trio_test
async def test_an_end_without_a_close_frame(ending: str) -> None:
    reports: list[CloseReport] = []

    async def handler(ws: WebSocket) -> None:
        assert await ws.recv() == "first"
        with pytest.raises(ConnectionClosedError):
            await ws.recv()
        reports.append(await ws.wait_closed())

    async with serve(handler, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await raw.send(frame(TEXT, b"first"))
        await eventually(lambda: server.connections and next(iter(server.connections)).statistics.messages_received)
        if ending == "reset":
            raw.reset()
        else:
            await raw.send(b"\x81" if "frame" in ending else b"")
            await raw.send_eof()
            await raw.rest()
        await eventually(lambda: reports)
    assert (reports[0].code, reports[0].initiator) == (1006, Initiator.NETWORK)
    assert reports[0].received_code is None
    assert isinstance(reports[0].error, OSError) == (ending == "reset")


@trio_test
async def test_a_client_whose_server_vanishes() -> None:
    async def vanish(raw: Raw) -> None:
        await raw.frame()
        raw.reset()

    async with raw_server(vanish) as port, connect(f"ws://127.0.0.1:{port}/") as ws:
        await ws.send("x")
        with pytest.raises(ConnectionClosedError, match="1006"):
            await ws.recv()
        with pytest.raises(ConnectionClosedError):
            await ws.send("y")
        with pytest.raises(ConnectionClosedError):
            await ws.ping()


@trio_test
async def test_a_silent_peer_ends_with_the_pong_timer() -> None:
    async def silent(raw: Raw) -> None:
        await raw.rest()

    timeouts = Timeouts(ping_interval=0.05, pong_timeout=0.05)
    async with raw_server(silent) as port, connect(f"ws://127.0.0.1:{port}/", timeouts=timeouts) as ws:
        with pytest.raises(ConnectionClosedError, match="pong timer"):
            await ws.recv()
        report = await ws.wait_closed()
        assert (report.timer, report.initiator) == (Timer.PONG, Initiator.LOCAL)


@trio_test
async def test_an_idle_connection_is_closed_with_1001() -> None:
    async with serve(echo, "127.0.0.1", 0, timeouts=Timeouts(idle_timeout=0.1)) as server, connect(url(server)) as ws:
        with pytest.raises(ConnectionClosedOK, match="1001"):
            await ws.recv()


@trio_test
async def test_an_offence_by_the_server_and_one_by_the_client() -> None:
    async def offend(raw: Raw) -> None:
        await raw.send(frame(TEXT, b"masked"))
        assert await raw.close_code() == 1002

    async with raw_server(offend) as port, connect(f"ws://127.0.0.1:{port}/") as ws:
        with pytest.raises(ConnectionClosedError, match="must not mask"):
            await ws.recv()
        assert (await ws.wait_closed()).violation is Violation.MASKED_FRAME
    async with serve(echo, "127.0.0.1", 0) as server:
        for garbage, code in [
            (frame(TEXT, b"x", mask=None), 1002),
            (frame(TEXT, b"\xff"), 1007),
            (b"\xff" * 100, 1002),
        ]:
            async with Raw.connect(server.port) as raw:
                await raw.send(garbage)
                assert await raw.close_code() == code
        async with connect(url(server)) as ws:  # it still serves
            await ws.send("x")
            assert await ws.recv() == "x"


# --- handlers ---------------------------------------------------------------------------------------------------------


@trio_test
async def test_a_handler_that_returns_closes_with_1000() -> None:
    async def handler(ws: WebSocket) -> None:
        await ws.send("bye")

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        assert [message async for message in ws] == ["bye"]
        assert (await ws.wait_closed()).code == 1000


@pytest.mark.parametrize("kind", ["error", "another's end", "own end", "own end in a group", "group"])
def test_a_handler_that_raises(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """1011 and one line with a traceback, unless all that the exception says is that this connection is over."""

    async def handler(ws: WebSocket) -> None:
        match kind:
            case "error":
                raise KeyError("boom")
            case "group":
                raise ExceptionGroup("several", [KeyError("boom")])
            case "own end":
                await ws.recv()
            case "own end in a group":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ws.recv)
                    nursery.start_soon(ws.recv)
            case _:
                async with serve(echo, "127.0.0.1", 0) as other, connect(url(other)) as elsewhere:
                    await elsewhere.close(4000)
                    await elsewhere.recv()

    @trio_test
    async def scenario() -> None:
        async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
            if "own end" in kind:
                await ws.close(4000)
            report = await ws.wait_closed()
            assert report.code == (4000 if "own end" in kind else 1011)
            assert report.reason == ""

    scenario()
    lines = [record for record in caplog.records if record.levelno > logging.DEBUG]
    if "own end" in kind:
        assert lines == []
    else:
        (line,) = lines
        assert (line.levelno, line.name) == (logging.ERROR, "wsproto_trio")
        assert line.exc_info is not None


@trio_test
async def test_a_handler_may_go_on_after_the_end() -> None:
    done = trio.Event()

    async def handler(ws: WebSocket) -> None:
        await ws.wait_closed()
        await trio.sleep(0)
        done.set()

    async with serve(handler, "127.0.0.1", 0) as server:
        async with connect(url(server)):
            pass
        await done.wait()
