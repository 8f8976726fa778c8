"""wsproto_anyio: how connections end, from either side, and with peers that behave badly."""

from __future__ import annotations

import logging

import anyio
import pytest

from tests.adapters.anyio_kit import Raw, drain, echo, eventually, everywhere, raw_server, url
from tests.adapters.kit import QUICK, TEXT, close_frame, frame
from wsproto_anyio import WebSocket, connect, serve
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


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
@everywhere
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
            await eventually(lambda: not server.connections)


@everywhere
async def test_a_close_without_a_code() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await ws.close(1005)
        report = await ws.wait_closed()
        assert (report.code, report.ok, report.sent_code) == (1005, True, 1005)


@everywhere
async def test_a_code_that_cannot_be_sent_changes_nothing() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(LocalProtocolError, match="code"):
            await ws.close(1006)
        with pytest.raises(LocalProtocolError, match="reason"):
            await ws.close(1000, "x" * 124)
        assert ws.state is State.OPEN


@everywhere
async def test_both_sides_close_at_once() -> None:
    async with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await eventually(lambda: server.connections)
        (there,) = server.connections
        async with anyio.create_task_group() as group:
            group.start_soon(ws.close, 4001)
            group.start_soon(there.close, 4002)
        assert ws.close_report is not None
        assert there.close_report is not None
        assert ws.close_report.clean
        assert there.close_report.clean


@everywhere
async def test_what_was_sent_before_close_arrives() -> None:
    got: list[int] = []

    async def handler(ws: WebSocket) -> None:
        got.extend([len(message) async for message in ws])

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server), limits=Limits(outbox_size=1 << 26)) as ws:
        for _ in range(20):
            ws.send_nowait(bytes(900_000))
        await ws.close()
        assert ws.close_report is not None
        assert ws.close_report.ok
    assert got == [900_000] * 20


@everywhere
async def test_what_arrived_before_the_close_is_delivered() -> None:
    async def handler(ws: WebSocket) -> None:
        for number in range(50):
            await ws.send(str(number))

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await eventually(lambda: ws.state is not State.OPEN)
        assert [message async for message in ws] == [str(number) for number in range(50)]


@everywhere
async def test_the_last_message_can_still_be_answered() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await raw.send(frame(TEXT, b"last words") + close_frame(4000))
        assert (await raw.frame()).payload == b"last words"
        assert await raw.close_code() == 4000
        assert await raw.rest() == b""


@everywhere
async def test_close_from_another_task_ends_recv_send_and_ping() -> None:
    async def deaf(raw: Raw) -> None:
        await anyio.sleep_forever()

    ends: list[Exception] = []

    async def note(work: object) -> None:
        try:
            await work()  # type: ignore[operator]  # a coroutine function
        except ConnectionClosed as error:
            ends.append(error)

    limits = Limits(outbox_size=100_000)
    async with raw_server(deaf) as port, connect(f"ws://127.0.0.1:{port}/", limits=limits, timeouts=QUICK) as ws:

        async def flood() -> None:
            while True:
                await ws.send(bytes(50_000))

        async with anyio.create_task_group() as group:
            for work in (ws.recv, ws.ping, flood):
                group.start_soon(note, work)
            await eventually(lambda: not ws.can_send)
            await ws.close()
        assert [type(end) for end in ends] == [ConnectionClosedError] * 3
        assert ws.close_report is not None
        assert ws.close_report.timer is Timer.CLOSING


@everywhere
async def test_a_lost_transport_is_a_1006() -> None:
    async def reset(raw: Raw) -> None:
        await raw.frame()
        await raw.reset()

    async with raw_server(reset) as port, connect(f"ws://127.0.0.1:{port}/") as ws:
        await ws.send("x")
        with pytest.raises(ConnectionClosedError):
            await ws.recv()
        report = await ws.wait_closed()
        assert (report.code, report.clean, report.initiator) == (1006, False, Initiator.NETWORK)


@everywhere
async def test_an_end_of_stream_without_a_close_frame() -> None:
    async def leave(raw: Raw) -> None:
        await raw.frame()

    async with raw_server(leave) as port, connect(f"ws://127.0.0.1:{port}/") as ws:
        await ws.send("x")
        with pytest.raises(ConnectionClosedError, match="1006"):
            async for _ in ws:
                pass


@everywhere
async def test_abort() -> None:
    async with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await eventually(lambda: server.connections)
        (there,) = server.connections
        ws.abort()
        assert (await ws.wait_closed()).code == 1006
        assert (await there.wait_closed()).code == 1006


@everywhere
async def test_an_offence_is_answered_with_its_code(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await eventually(lambda: server.connections)
        (there,) = server.connections
        await raw.send(frame(TEXT, b"x", mask=None) + bytes(100_000))
        assert await raw.close_code() == 1002
        assert await raw.rest() == b""
        await raw.stream.send_eof()
        report = await there.wait_closed()
        assert report.violation is Violation.UNMASKED_FRAME
    lines = [record for record in caplog.records if record.name == "wsproto_anyio"]
    assert len(lines) == 1
    assert lines[0].exc_info is None


@everywhere
async def test_a_message_too_big() -> None:
    async with serve(echo, "127.0.0.1", 0, limits=Limits(message_size=1000)) as server, connect(url(server)) as ws:
        await ws.send(bytes(1001))
        report = await ws.wait_closed()
        assert report.code == 1009


@everywhere
async def test_keepalive_ends_a_silent_peer_and_says_so() -> None:
    codes: list[int] = []

    async def silent(raw: Raw) -> None:
        codes.append(await raw.close_code())

    timeouts = Timeouts(ping_interval=0.02, pong_timeout=0.05)
    async with raw_server(silent) as port, connect(f"ws://127.0.0.1:{port}/", timeouts=timeouts) as ws:
        with pytest.raises(ConnectionClosedError):
            await ws.recv()
        report = await ws.wait_closed()
        assert report.timer is Timer.PONG
        await eventually(lambda: codes)
    assert codes == [1011]


@everywhere
async def test_an_idle_connection_ends() -> None:
    timeouts = Timeouts(idle_timeout=0.05)
    async with serve(echo, "127.0.0.1", 0, timeouts=timeouts) as server, connect(url(server)) as ws:
        report = await ws.wait_closed()
        assert report.code == 1001


@everywhere
async def test_a_peer_that_never_answers_a_close() -> None:
    async def mute(raw: Raw) -> None:
        await raw.rest()
        await anyio.sleep_forever()

    async with raw_server(mute) as port, connect(f"ws://127.0.0.1:{port}/", timeouts=QUICK) as ws:
        await ws.close()
        assert ws.close_report is not None
        assert ws.close_report.timer is Timer.CLOSING


@everywhere
async def test_a_raw_client_sees_the_servers_end_first() -> None:
    """RFC 6455 §7.1.1: the server ends its side, and waits for the client's."""
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await eventually(lambda: server.connections)
        (there,) = server.connections
        await raw.send(close_frame())
        assert await raw.close_code() == 1000
        assert await raw.rest() == b""
        assert not there.link.is_lost
        await raw.stream.send_eof()
        assert (await there.wait_closed()).clean


@everywhere
async def test_a_client_that_half_closes() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await raw.send(frame(TEXT, b"x") + close_frame(4001))
        await raw.stream.send_eof()
        assert (await raw.frame()).payload == b"x"
        assert await raw.close_code() == 4001
        assert await raw.rest() == b""
