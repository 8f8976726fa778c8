"""Nothing is left behind, nothing is said without need, and a broken end is reconnected."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Callable
from functools import partialmethod
from typing import Any

import pytest

from tests.adapters.kit import HANDSHAKE, PING, TEXT, Raw, close_frame, echo, eventually, frame, http, url
from tests.adapters.loops import run_on
from wsproto_asyncio import Listener, WebSocket, connect, serve
from wsproto_asyncio.link import Link
from wsproto_core import Request, Response, Timeouts

# --- logs -------------------------------------------------------------------------------------------------------------

VISITORS = {
    "port scan": b"",
    "port scan that waits": None,
    "health check": b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/1.0 health check": b"GET /health HTTP/1.0\r\n\r\n",
    "browser": b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n",
    "rubbish": b"\x00\xff\xfe\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "half a request": b"GET / HTTP/1.1\r\nHo",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "WebSocket and gone": HANDSHAKE,
}


@pytest.mark.parametrize("visitor", VISITORS)
@pytest.mark.parametrize("leaves", ["orderly", "by reset"])
async def test_a_stray_visitor_is_one_debug_line_at_the_most(
    visitor: str, leaves: str, caplog: pytest.LogCaptureFixture
) -> None:
    def health(ws: WebSocket, request: Request) -> Response | None:
        return Response(status=200, body=b"OK") if request.path == "/health" else None

    caplog.set_level(logging.DEBUG)
    async with serve(echo, "127.0.0.1", 0, process_request=health) as server:
        caplog.clear()
        async with Raw.connect(server.port, handshake=False) as raw:
            sent = VISITORS[visitor]
            if sent:
                raw.send(sent)
                await raw.reader.read(1) if leaves == "by reset" and visitor != "half a request" else None
            await eventually(lambda: server.reception.everyone or sent)
            if leaves == "by reset":
                raw.reset()
            else:
                raw.writer.write_eof()
                await raw.rest()
        await eventually(lambda: not server.reception.everyone)
    lines = [record for record in caplog.records if record.name != "asyncio"]
    assert len(lines) <= 1
    assert all(record.levelno == logging.DEBUG and record.exc_info is None for record in caplog.records)


async def test_an_ordinary_connection_is_one_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await ws.send("x")
    lines = [record for record in caplog.records if record.name == "wsproto_asyncio"]
    assert [record.levelno for record in lines] == [logging.DEBUG]
    assert "1000" in lines[0].getMessage()


async def test_an_offence_is_told_to_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"x", mask=None))
        await raw.rest()
    (line,) = caplog.records
    assert "RFC 6455 §5.1" in line.getMessage()
    assert line.exc_info is None


# --- leftovers --------------------------------------------------------------------------------------------------------


async def test_a_server_is_rid_of_a_connection_without_a_garbage_collection() -> None:
    remembered: list[weakref.ref[object]] = []

    class Visited(Listener):
        def opened(self, ws: WebSocket) -> None:
            remembered.extend(map(weakref.ref, (self, ws, ws.link, ws.engine)))

    gc.collect()
    gc.disable()
    try:
        async with serve(Visited, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
            raw.send(close_frame(1000))
            await raw.rest()
            raw.writer.close()
            await eventually(lambda: not server.reception.everyone)
            await eventually(lambda: not any(reference() for reference in remembered))
    finally:
        gc.enable()
    assert len(remembered) == 4


async def test_no_connection_survives_its_end() -> None:
    remembered: list[weakref.ref[object]] = []

    class Echo(Listener):
        def opened(self, ws: WebSocket) -> None:
            remembered.extend(map(weakref.ref, (self, ws, ws.engine)))

        def received(self, ws: WebSocket, message: object) -> None:
            ws.send_nowait(str(message))

    async def handler(ws: WebSocket) -> None:
        remembered.extend(map(weakref.ref, (ws, ws.link, ws.engine)))
        await echo(ws)

    async def visit(port: int) -> None:
        ws = await connect(f"ws://127.0.0.1:{port}/", listener=None)
        remembered.extend(map(weakref.ref, (ws, ws.link, ws.engine)))
        await ws.send("x")
        assert await ws.recv() == "x"
        await ws.ping()
        await ws.close()

    for kind in (handler, Echo):
        async with serve(kind, "127.0.0.1", 0) as server:
            await asyncio.gather(*(visit(server.port) for _ in range(10)))
            async with Raw.connect(server.port) as raw:
                raw.reset()
            async with Raw.connect(server.port) as raw:
                raw.send(b"\xff\xff")
                await raw.rest()
            await http(server.port, "GET / HTTP/1.1\r\n\r\n")
            await eventually(lambda server=server: not server.reception.everyone)  # type: ignore[misc]  # mypy cannot infer it
            for _ in range(3):
                await asyncio.sleep(0)
            gc.collect()
            assert [ref() for ref in remembered if ref() is not None] == []
            assert not server._tasks
    assert len(remembered) >= 120


async def test_who_waits_for_no_time_has_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop with a timer looks at the clock in every turn, and the kernel sets one of its own."""
    loop, timers = asyncio.get_running_loop(), list[asyncio.TimerHandle]()
    call_at = loop.call_at

    def kept(when: float, callback: Callable[..., object], *arguments: object) -> asyncio.TimerHandle:
        timers.append(call_at(when, callback, *arguments))
        return timers[-1]

    monkeypatch.setattr(loop, "call_at", kept)
    silent = Timeouts(ping_interval=None)
    async with serve(echo, "127.0.0.1", 0, timeouts=silent) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"x"))
        assert (await raw.frame()).payload == b"x"
        assert timers
        assert all(timer.cancelled() for timer in timers)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop", "aiofastnet"])
def test_debug_mode_has_nothing_to_complain_of(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Unclosed transports, exceptions that nobody retrieved, calls from a wrong thread: all errors here."""
    caplog.set_level(logging.WARNING)

    async def life() -> None:
        async def fail(ws: WebSocket) -> None:
            await ws.recv()
            raise ValueError

        async with serve(echo, "127.0.0.1", 0) as server, serve(fail, "127.0.0.1", 0) as failing:
            async with connect(url(server)) as ws, asyncio.TaskGroup() as group:
                group.create_task(ws.ping())
                group.create_task(ws.send("x"))
                group.create_task(ws.recv())
            ws = await connect(url(failing))
            await ws.send("x")
            await ws.wait_closed()
            ws = await connect(url(server))
            pending = [asyncio.create_task(work) for work in (ws.recv(), ws.ping(), ws.wait_closed())]
            await asyncio.sleep(0)
            ws.abort()
            await asyncio.gather(*pending, return_exceptions=True)
            for rude in (b"", b"\x00\r\n", HANDSHAKE + frame(PING, b"x") + b"\xff", HANDSHAKE + close_frame()):
                async with Raw.connect(server.port, handshake=False) as raw:
                    raw.send(rude)
                    await asyncio.sleep(0)
            async with Raw.connect(server.port) as raw:
                raw.reset()

    run_on(kind, life, debug=True)
    unexpected = [
        record
        for record in caplog.records
        if "the handler raised" not in record.getMessage() and "took" not in record.getMessage()
    ]
    assert unexpected == []


async def test_a_visitor_whose_time_is_up_at_the_last_moment_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transport is made, and whoever waits for it does not know yet."""

    def cut_off(link: Link, *transport: Any, made: Callable[..., None]) -> None:
        made(link, *transport)
        (introduction,) = (task for task in asyncio.all_tasks() if "_introduce" in repr(task.get_coro()))
        introduction.cancel()

    for name in ("connection_made", "be_carried_by"):
        monkeypatch.setattr(Link, name, partialmethod(cut_off, made=getattr(Link, name)))
    async with serve(echo, "127.0.0.1", 0, max_connections=1, proxied_by=["127.0.0.1"]) as server:
        async with Raw.connect(server.port, handshake=False) as raw:
            raw.send(b"PROXY UNKNOWN\r\n")
            assert await raw.rest() == b""
        assert not server.reception.everyone
        monkeypatch.undo()
        async with Raw.connect(server.port, handshake=False) as raw:
            raw.send(b"PROXY UNKNOWN\r\nGET / HTTP/1.0\r\n\r\n")
            assert b" 505 " in await raw.rest()  # and not 503: there is room
