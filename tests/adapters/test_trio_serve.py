"""``serve`` on trio: its options, plain HTTP on the same port, limits on connections, and the server's own end."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from tests.adapters.kit import HANDSHAKE, QUICK
from tests.adapters.trio_kit import Raw, deaf_socket, drain, echo, eventually, http, trio_test, url
from wsproto_core import (
    ConnectionClosedOK,
    ConnectionFailed,
    ConnectionRefused,
    HandshakeRejected,
    Headers,
    Request,
    Response,
    Timeouts,
)
from wsproto_trio import Server, WebSocket, connect, serve

Process = Callable[[WebSocket, Request], Awaitable[Response | None] | Response | None]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": None}, "port"),
        ({"unix_path": "/x"}, "port"),
        ({"max_connections": 0}, "max_connections"),
        ({"origins": "https://x"}, "origins"),
        ({"hosts": "x"}, "hosts"),
        ({"subprotocols": "chat"}, "subprotocols"),
        ({"handler": None}, "handler"),
        ({"handler": dict}, "handler"),
        ({"extensions": ["permessage-deflate"]}, "extensions"),
        ({"port": None, "unix_path": "/x", "reuse_port": True}, "reuse_port"),
        ({"max_size": 5}, "max_size"),
    ],
)
def test_an_option_that_cannot_work_is_named_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        serve(**{"handler": echo, "port": 0, **options})


@trio_test
async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(OSError, match="in use"):
            async with serve(echo, "127.0.0.1", server.port):
                pytest.fail("it listens")


@trio_test
async def test_where_to_listen() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    async with serve(echo, sock=sock) as server, connect(url(server)) as ws:
        await ws.send("x")
        assert await ws.recv() == "x"
    async with serve(echo, ["127.0.0.1", "127.0.0.2"], 0) as server:
        assert len(server.sockets) == 2
    async with serve(echo, None, 0) as server, connect(url(server)) as ws:
        pass
    async with (
        serve(echo, "127.0.0.1", 0, reuse_port=True) as first,
        serve(echo, "127.0.0.1", first.port, reuse_port=True) as second,
    ):
        assert first.port == second.port


@trio_test
async def test_started_in_a_nursery() -> None:
    async with trio.open_nursery() as nursery:
        server: Server = await nursery.start(serve(echo, "127.0.0.1", 0))
        async with connect(url(server)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
        await server.close()  # which ends the task


async def status_of(server: Server, **options: Any) -> int:
    """101, or the status of the refusal."""
    try:
        async with connect(url(server), **options):
            pass
    except HandshakeRejected as rejected:
        return rejected.status
    return 101


@trio_test
async def test_origins_and_subprotocols() -> None:
    def choose(offered: tuple[str, ...]) -> str | None:
        if "boom" in offered:
            raise RuntimeError("boom")
        return offered[-1] if offered else None

    async with serve(echo, "127.0.0.1", 0, origins=["https://example.com", None], subprotocols=choose) as server:
        assert await status_of(server, origin="https://example.com") == 101
        assert await status_of(server, origin="https://example.com.evil.org") == 403
        async with connect(url(server), subprotocols=["a", "b"]) as ws:
            assert ws.subprotocol == "b"
        assert await status_of(server, subprotocols=["boom"]) == 500


# --- plain HTTP on the same port --------------------------------------------------------------------------------------


def page(ws: WebSocket, request: Request) -> Response | None:
    if request.path == "/health":
        return Response(status=200, headers=Headers({"Content-Type": "text/plain"}), body=b"OK\n")
    return None


async def page_later(ws: WebSocket, request: Request) -> Response | None:
    await trio.sleep(0)
    return page(ws, request)


@pytest.mark.parametrize("process_request", [page, page_later])
@trio_test
async def test_a_health_check(process_request: Process) -> None:
    async with serve(echo, "127.0.0.1", 0, process_request=process_request) as server:
        head, _, body = (await http(server.port, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b"OK\n"
        async with connect(url(server)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405),
        ("nonsense\r\n\r\n", 400),
    ],
)
@trio_test
async def test_what_is_no_websocket_and_not_the_applications(request_text: str, status: int) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        assert int((await http(server.port, request_text)).split()[1]) == status


@pytest.mark.parametrize("kind", ["raises", "raises later", "no response", "bad status", "bad later"])
def test_a_process_request_that_fails_is_a_500_and_one_log_line(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def bad(ws: WebSocket, request: Request) -> Any:
        match kind:
            case "no response":
                return ("200", "OK")
            case "bad status":
                return Response(status=99)
            case "raises":
                raise RuntimeError("the database is gone")
        return bad_later()

    async def bad_later() -> Response | None:
        await trio.sleep(0)
        if kind == "bad later":
            return Response(status=99)
        raise RuntimeError("the database is gone")

    @trio_test
    async def scenario() -> None:
        async with serve(echo, "127.0.0.1", 0, process_request=bad) as server:
            assert await status_of(server) == 500

    scenario()
    (error,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert error.exc_info is not None


@trio_test
async def test_a_process_request_that_takes_too_long_is_a_503() -> None:
    async def slow(ws: WebSocket, request: Request) -> None:
        await trio.sleep_forever()

    async with serve(echo, "127.0.0.1", 0, process_request=slow, timeouts=QUICK) as server:
        assert (await http(server.port, HANDSHAKE)).startswith(b"HTTP/1.1 503 ")
        await server.close(grace_period=0.01)


@trio_test
async def test_the_opening_timeout_of_a_server() -> None:
    async with serve(echo, "127.0.0.1", 0, timeouts=Timeouts(opening_timeout=0.1)) as server:
        assert (await http(server.port, HANDSHAKE[:-2])).startswith(b"HTTP/1.1 408 ")


STRAYS = [b"", b"GET / HTTP/1.1\r\nHo", b"\x00\xff\xfe\r\n\r\n", b"\x16\x03\x01\x02\x00\x01" + bytes(500), HANDSHAKE]


@pytest.mark.parametrize("sent", STRAYS)
@pytest.mark.parametrize("leaves", ["orderly", "by reset"])
def test_a_stray_visitor_is_one_debug_line_at_the_most(
    sent: bytes, leaves: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    @trio_test
    async def scenario() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            caplog.clear()
            async with Raw.connect(server.port, handshake=False) as raw:
                await raw.send(sent)
                if leaves == "by reset":
                    raw.reset()
                else:
                    await raw.send_eof()
                    await raw.rest()
            await eventually(lambda: not server._reception.everyone)
            assert await status_of(server) == 101
            assert len([record for record in caplog.records if "1000" not in record.getMessage()]) <= 1

    scenario()
    assert all(record.levelno == logging.DEBUG for record in caplog.records)


# --- how many may come in ---------------------------------------------------------------------------------------------


@trio_test
async def test_beyond_max_connections_is_a_503_and_the_slot_is_freed() -> None:
    async with serve(echo, "127.0.0.1", 0, max_connections=2) as server:
        async with connect(url(server)), connect(url(server)):
            with pytest.raises(HandshakeRejected) as caught:
                async with connect(url(server)):
                    pytest.fail("it is full")
            assert caught.value.status == 503
            assert int(caught.value.headers["retry-after"]) > 0
        while (status := await status_of(server)) == 503:  # some moments after its client has left
            pass
        assert status == 101


@trio_test
async def test_racing_connects_never_overshoot() -> None:
    most = got = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal most
        most = max(most, len(server.connections))
        await ws.wait_closed()

    async def attempt() -> None:
        nonlocal got
        with contextlib.suppress(ConnectionFailed):  # told, or beyond those who are told
            async with connect(url(server)):
                got += 1
                await trio.sleep_forever()

    async with serve(handler, "127.0.0.1", 0, max_connections=20) as server:
        async with trio.open_nursery() as nursery:
            for _ in range(80):
                nursery.start_soon(attempt)
            await eventually(lambda: got == 20 and len(nursery.child_tasks) == 20)
            nursery.cancel_scope.cancel()
        assert most == 20
        await eventually(lambda: not server.connections)


@trio_test
async def test_running_out_of_files_is_a_pause() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        (listener,) = server._listeners
        accept, failures = listener.socket.accept, 2

        async def exhausted() -> Any:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise OSError(errno.EMFILE, "Too many open files")
            return await accept()

        listener.socket.accept = exhausted  # type: ignore[method-assign]  # the machine has no room
        for _ in range(2):
            async with connect(url(server)) as ws:
                await ws.send("x")
                assert await ws.recv() == "x"


# --- the server's own end ---------------------------------------------------------------------------------------------


@trio_test
async def test_close_tells_everyone_and_lets_handlers_finish() -> None:
    finished = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal finished
        await ws.wait_closed()
        await trio.sleep(0)
        finished += 1

    async with serve(handler, "127.0.0.1", 0) as server, trio.open_nursery() as nursery:
        address = url(server)
        clients = [await connect(address, nursery=nursery) for _ in range(10)]
        await server.close(1012, "back in a minute")
        assert finished == 10
        for ws in clients:
            report = await ws.wait_closed()
            assert (report.code, report.reason) == (1012, "back in a minute")
        with pytest.raises(ConnectionRefused):
            await connect(address, nursery=nursery)
        await server.close()
        await server.serve_forever()


@trio_test
async def test_close_aborts_after_the_grace_period() -> None:
    cancelled = trio.Event()

    async def stubborn(ws: WebSocket) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    async with serve(stubborn, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await eventually(lambda: server.connections)
        await server.close(grace_period=0.01)
        assert cancelled.is_set()
        assert not server.connections
        assert await raw.close_code() == 1001
        assert await raw.rest() == b""


@trio_test
async def test_close_ends_those_who_have_not_finished_their_handshake() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port, handshake=False) as raw:
        await raw.send(b"GET / HT")
        await server.close()
        assert await raw.rest() == b""


@trio_test
async def test_close_with_a_peer_that_does_not_read() -> None:
    async def flood(ws: WebSocket) -> None:
        while True:
            await ws.send(bytes(100_000))

    async with serve(flood, "127.0.0.1", 0) as server:
        with await deaf_socket(server.port):
            await eventually(lambda: server.connections and not next(iter(server.connections)).can_send)
            await server.close(grace_period=0.05)


@trio_test
async def test_close_that_is_cancelled_can_be_called_again() -> None:
    async def stubborn(ws: WebSocket) -> None:
        await trio.sleep_forever()

    async with serve(stubborn, "127.0.0.1", 0) as server, connect(url(server)):
        with pytest.raises(trio.TooSlowError), trio.fail_after(0.05):
            await server.close(grace_period=60)
        await server.close(grace_period=0.01)
        await server.serve_forever()


@pytest.mark.parametrize("where", ["in the handler", "in a task of the handler"])
@trio_test
async def test_a_handler_may_close_the_server(where: str) -> None:
    async def handler(ws: WebSocket) -> None:
        assert await ws.recv() == "shutdown"
        if where == "in the handler":
            await server.close()
        else:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: server.close(grace_period=0.05))

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await ws.send("shutdown")
        assert (await ws.wait_closed()).code == 1001
        with trio.move_on_after(0.2):
            await server.serve_forever()


@trio_test
async def test_the_body_of_the_server_raises() -> None:
    opened: list[WebSocket] = []
    with pytest.raises(KeyError) as caught:  # noqa: PT012  # the block is what raises
        async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
            opened.append(ws)
            raise KeyError("mine")
    assert caught.value.__context__ is None
    report = opened[0].close_report
    assert report is not None
    assert report.sent_code == 1011


@trio_test
async def test_cancelling_the_whole_scope_cleans_up() -> None:
    ended: list[str] = []

    async def stubborn(ws: WebSocket) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("handler")
            raise KeyError("while it is cancelled")  # which is logged, and leaks nowhere

    sockets: list[trio.socket.SocketType] = []
    with trio.CancelScope() as scope:
        async with serve(stubborn, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
            sockets.append(raw.socket.dup())
            await eventually(lambda: server.connections)
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert ended == ["handler"]
    assert trio.lowlevel.current_task().child_nurseries == []
    with sockets[0] as sock:
        data = b""
        while piece := await sock.recv(1000):
            data += piece
    assert data in (b"\x88\x02\x03\xe9", b"\x88\x02\x03\xf3")  # 1001 or, for the handler's exception, 1011


def test_closing_while_a_handler_sends_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[Exception] = []

    async def ticker(ws: WebSocket) -> None:
        try:
            while True:
                await ws.send("tick")
        except Exception as error:
            ends.append(error)
            raise

    @trio_test
    async def scenario() -> None:
        async with (
            serve(ticker, "127.0.0.1", 0) as server,
            connect(url(server)) as ws,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(drain, ws)
            await eventually(lambda: ws.statistics.messages_received > 20)
            await server.close()

    scenario()
    assert [type(end) for end in ends] == [ConnectionClosedOK]
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
