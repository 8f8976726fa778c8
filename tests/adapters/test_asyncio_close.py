"""How connections end: from either side, in the middle of things, and with peers that behave badly."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.adapters.kit import (
    CLOSE,
    QUICK,
    TEXT,
    Frame,
    Raw,
    close_frame,
    drain,
    echo,
    eventually,
    frame,
    raw_server,
    url,
)
from wsproto_asyncio import WebSocket, connect, serve
from wsproto_core import (
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


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 1014, 3000, 4999])
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


async def test_a_close_without_a_code() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await ws.close(1005)
        report = await ws.wait_closed()
        assert (report.code, report.ok, report.sent_code) == (1005, True, 1005)


@pytest.mark.parametrize("code", [0, 999, 1004, 1006, 1015, 1016, 2999, 5000])
async def test_a_code_that_cannot_be_sent_changes_nothing(code: int) -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(LocalProtocolError, match="code"):
            await ws.close(code)
        with pytest.raises(LocalProtocolError, match="reason"):
            await ws.close(1000, "x" * 124)
        assert ws.state is State.OPEN


async def test_both_sides_close_at_once() -> None:
    async with serve(drain, "127.0.0.1", 0) as server:
        ws = await connect(url(server))
        await eventually(lambda: server.connections)
        (there,) = server.connections
        await asyncio.gather(ws.close(4001), there.close(4002))
        assert ws.close_report is not None
        assert there.close_report is not None
        assert ws.close_report.clean
        assert there.close_report.clean


async def test_what_was_sent_before_close_arrives() -> None:
    """Also when it is large, and even though nobody waited for it to leave."""
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


async def test_what_arrived_before_the_close_is_delivered() -> None:
    async def handler(ws: WebSocket) -> None:
        for number in range(50):
            await ws.send(str(number))

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await eventually(lambda: ws.state is not State.OPEN)
        assert [message async for message in ws] == [str(number) for number in range(50)]


async def test_the_last_message_can_still_be_answered() -> None:
    """A peer that says its last word and goodbye in one packet gets its answer."""
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"last words") + close_frame(4000))
        assert (await raw.frame()).payload == b"last words"
        assert await raw.close_code() == 4000


async def test_close_from_another_task_ends_recv_send_and_ping() -> None:
    async def deaf(raw: Raw) -> None:
        await asyncio.Event().wait()

    async with raw_server(deaf) as port:
        ws = await connect(f"ws://127.0.0.1:{port}/", limits=Limits(outbox_size=100_000), timeouts=QUICK)

        async def flood() -> None:
            while True:
                await ws.send(bytes(50_000))

        waiting = [asyncio.create_task(work) for work in (ws.recv(), ws.ping(), flood())]
        await eventually(lambda: not ws.can_send)
        await ws.close()
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(result, ConnectionClosedError)
        assert ws.close_report is not None
        assert ws.close_report.timer is Timer.CLOSING


async def test_iteration_ends_quietly_or_with_an_error() -> None:
    async with serve(drain, "127.0.0.1", 0) as server:
        ws = await connect(url(server))
        iterating = asyncio.create_task(drain(ws))
        await server.close()
        await iterating
    async with serve(drain, "127.0.0.1", 0) as server:
        ws = await connect(url(server))
        iterating = asyncio.create_task(drain(ws))
        await eventually(lambda: server.connections)
        next(iter(server.connections)).abort()
        with pytest.raises(ConnectionClosedError):
            await iterating


async def test_close_while_a_large_message_is_leaving() -> None:
    size = 24_000_000
    limits = Limits(message_size=size)

    async def handler(ws: WebSocket) -> None:
        await ws.recv()

    async with serve(handler, "127.0.0.1", 0, limits=limits) as server, connect(url(server)) as ws:
        ws.send_nowait(bytes(size))
        await ws.close(4000)
        assert ws.close_report is not None
        assert ws.close_report.clean
        assert ws.close_report.bytes_queued == 0


async def test_the_peer_closes_while_we_send_a_large_message() -> None:
    async def behave(raw: Raw) -> None:
        await raw.frame()
        raw.send(close_frame(4000, mask=None))
        await raw.close_code()

    async with raw_server(behave) as port:
        ws = await connect(f"ws://127.0.0.1:{port}/")
        with pytest.raises(ConnectionClosedError, match="4000"):  # noqa: PT012  # the loop is what raises
            while True:
                await ws.send(bytes(10_000_000))
        assert (await ws.wait_closed()).received_code == 4000


async def test_close_with_a_full_inbox_is_prompt() -> None:
    async def flood(ws: WebSocket) -> None:
        try:
            while True:
                await ws.send(bytes(10_000))
        except ConnectionClosed:
            pass

    async with serve(flood, "127.0.0.1", 0) as server:
        ws = await connect(url(server), limits=Limits(inbox_size=100_000), timeouts=Timeouts(closing_timeout=None))
        await eventually(lambda: not ws.engine.wants_read)
        await ws.close()  # without a closing timeout it could wait for ever
        assert ws.close_report is not None
        assert ws.close_report.clean
        assert len(await ws.recv()) == 10_000  # what was there is still there


# --- peers that behave badly ------------------------------------------------------------------------------------------


async def test_a_peer_that_never_answers_the_close() -> None:
    async def deaf(raw: Raw) -> None:
        await raw.rest()

    async with raw_server(deaf) as port:
        ws = await connect(f"ws://127.0.0.1:{port}/", timeouts=QUICK)
        await ws.close()
        report = ws.close_report
        assert report is not None
        assert (report.timer, report.initiator, report.sent_code) == (Timer.CLOSING, Initiator.LOCAL, 1000)
        assert (report.received_code, report.code, report.clean) == (None, 1006, False)


async def test_a_peer_that_answers_the_close_but_never_ends_tcp() -> None:
    async def stays(raw: Raw) -> None:
        await raw.close_code()
        raw.send(close_frame(mask=None))
        await raw.rest()
        await asyncio.Event().wait()

    async with raw_server(stays) as port:
        ws = await connect(f"ws://127.0.0.1:{port}/", timeouts=QUICK)
        await ws.close()
        assert ws.close_report is not None
        assert ws.close_report.ok  # the closing handshake was complete


async def test_a_client_that_never_ends_tcp_is_cut_off_by_the_server() -> None:
    async with serve(echo, "127.0.0.1", 0, timeouts=QUICK) as server, Raw.connect(server.port) as raw:
        raw.send(close_frame())
        assert await raw.frame() == Frame(CLOSE, b"\x03\xe8")
        assert await raw.reader.read() == b""  # the server ends its half at once (RFC 6455 §7.1.1)
        await eventually(lambda: not server._reception.everyone)


async def test_a_peer_that_floods_after_its_close_frame_is_ignored() -> None:
    got: list[object] = []

    async def handler(ws: WebSocket) -> None:
        async for message in ws:
            got.append(message)  # noqa: PERF401  # others look while it grows

    async with serve(handler, "127.0.0.1", 0, timeouts=QUICK) as server, Raw.connect(server.port) as raw:
        raw.send(close_frame())
        for _ in range(100):
            raw.send(frame(TEXT, bytes(100_000)))
        await raw.rest()
        await eventually(lambda: not server._reception.everyone)
    assert got == []


@pytest.mark.parametrize("ending", ["reset", "eof", "eof in a frame"])
async def test_an_end_without_a_close_frame(ending: str) -> None:
    reports = []

    async def handler(ws: WebSocket) -> None:
        assert await ws.recv() == "first"
        with pytest.raises(ConnectionClosedError):
            await ws.recv()
        reports.append(await ws.wait_closed())

    async with serve(handler, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"first"))
        await eventually(lambda: server.connections and next(iter(server.connections)).statistics.messages_received)
        if ending == "reset":
            raw.reset()
        else:
            raw.send(b"\x81" if "frame" in ending else b"")
            raw.writer.write_eof()
            await raw.rest()
        await eventually(lambda: reports)
    assert (reports[0].code, reports[0].initiator) == (1006, Initiator.NETWORK)
    assert reports[0].received_code is None
    assert isinstance(reports[0].error, OSError) == (ending == "reset")


async def test_a_client_whose_server_vanishes() -> None:
    async def vanish(raw: Raw) -> None:
        await raw.frame()
        raw.reset()

    async with raw_server(vanish) as port:
        ws = await connect(f"ws://127.0.0.1:{port}/")
        await ws.send("x")
        with pytest.raises(ConnectionClosedError, match="1006"):
            await ws.recv()
        with pytest.raises(ConnectionClosedError):
            await ws.send("y")
        with pytest.raises(ConnectionClosedError):
            await ws.ping()
        await ws.close()


async def test_a_silent_peer_ends_with_the_pong_timer() -> None:
    async def silent(raw: Raw) -> None:
        await raw.rest()

    async with raw_server(silent) as port:
        ws = await connect(f"ws://127.0.0.1:{port}/", timeouts=Timeouts(ping_interval=0.05, pong_timeout=0.05))
        with pytest.raises(ConnectionClosedError, match="pong timer"):
            await ws.recv()
        report = await ws.wait_closed()
        assert (report.timer, report.initiator) == (Timer.PONG, Initiator.LOCAL)


async def test_an_idle_connection_is_closed_with_1001() -> None:
    async with serve(echo, "127.0.0.1", 0, timeouts=Timeouts(idle_timeout=0.1)) as server:
        ws = await connect(url(server))
        with pytest.raises(ConnectionClosedOK, match="1001"):
            await ws.recv()


async def test_an_offence_by_the_server() -> None:
    async def offend(raw: Raw) -> None:
        raw.send(frame(TEXT, b"masked"))
        assert await raw.close_code() == 1002

    async with raw_server(offend) as port:
        ws = await connect(f"ws://127.0.0.1:{port}/")
        with pytest.raises(ConnectionClosedError, match="must not mask"):
            await ws.recv()
        assert (await ws.wait_closed()).violation is Violation.MASKED_FRAME


# --- handlers ---------------------------------------------------------------------------------------------------------


async def test_a_handler_that_returns_closes_with_1000() -> None:
    async def handler(ws: WebSocket) -> None:
        await ws.send("bye")

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        assert [message async for message in ws] == ["bye"]
        assert (await ws.wait_closed()).code == 1000


@pytest.mark.parametrize("kind", ["error", "another's end", "own end", "group"])
async def test_a_handler_that_raises(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """1011 and one line with a traceback, unless all that the exception says is that this connection is over."""
    async with serve(echo, "127.0.0.1", 0) as other:

        async def handler(ws: WebSocket) -> None:
            match kind:
                case "error":
                    raise KeyError("boom")
                case "group":
                    raise ExceptionGroup("several", [KeyError("boom")])
                case "own end":
                    await ws.recv()
                case _:
                    elsewhere = await connect(url(other))
                    await elsewhere.close(4000)
                    await elsewhere.recv()

        async with serve(handler, "127.0.0.1", 0) as server:
            ws = await connect(url(server))
            if kind == "own end":
                await ws.close(4000)
            report = await ws.wait_closed()
            assert report.code == (4000 if kind == "own end" else 1011)
            assert report.reason == ""
    lines = [record for record in caplog.records if record.levelno > logging.DEBUG]
    if kind == "own end":
        assert lines == []
    else:
        (line,) = lines
        assert line.levelno == logging.ERROR
        assert line.exc_info is not None
        assert line.name == "wsproto_asyncio"


async def test_a_handler_may_go_on_after_the_end() -> None:
    done = asyncio.Event()

    async def handler(ws: WebSocket) -> None:
        await ws.wait_closed()
        await asyncio.sleep(0)
        done.set()

    async with serve(handler, "127.0.0.1", 0) as server:
        async with connect(url(server)):
            pass
        await done.wait()
