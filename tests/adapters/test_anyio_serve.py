"""wsproto_anyio: ``serve``, plain HTTP on the same port, limits on connections, and the server's own end."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from tests.adapters.anyio_kit import Raw, drain, echo, eventually, everywhere, http, url
from tests.adapters.kit import HANDSHAKE, QUICK, frame
from wsproto_anyio import Server, WebSocket, connect, serve
from wsproto_core import (
    ConnectionClosedOK,
    ConnectionFailed,
    ConnectionRefused,
    HandshakeRejected,
    Headers,
    LocalProtocolError,
    Request,
    Response,
    Timeouts,
)

Process = Callable[[WebSocket, Request], Awaitable[Response | None] | Response | None]


def test_an_unknown_keyword_is_a_type_error_at_once() -> None:
    with pytest.raises(TypeError, match="max_size"):
        serve(echo, port=0, max_size=5)  # type: ignore[call-arg]  # that is the point


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": None}, "port"),
        ({"unix_path": "/x"}, "port"),
        ({"max_connections": 0}, "max_connections"),
        ({"origins": "https://x"}, "origins"),
        ({"hosts": ["a*b"]}, "hosts"),
        ({"subprotocols": [""]}, "subprotocols"),
        ({"handler": None}, "handler"),
        ({"handler": dict}, "handler"),
        ({"extensions": ["permessage-deflate"]}, "extensions"),
        ({"port": None, "unix_path": "/x", "reuse_port": True}, "reuse_port"),
    ],
)
def test_an_option_that_cannot_work_is_named_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        serve(**{"handler": echo, "port": 0, **options})


# --- sockets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listening", [False, True])
@everywhere
async def test_an_inherited_socket(listening: bool) -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    if listening:
        sock.listen()
    port = sock.getsockname()[1]
    async with serve(echo, sock=sock) as server, connect(url(server)) as ws:
        assert server.port == port
        await ws.send("x")
        assert await ws.recv() == "x"


@everywhere
async def test_several_addresses_and_reuse_port() -> None:
    async with serve(echo, ["127.0.0.1", "127.0.0.2"], 0) as server:
        assert len(server.sockets) == 2
    async with (
        serve(echo, "127.0.0.1", 0, reuse_port=True) as first,
        serve(echo, "127.0.0.1", first.port, reuse_port=True) as second,
        anyio.create_task_group() as group,
    ):
        clients = [await connect(url(second), task_group=group) for _ in range(32)]
        await eventually(lambda: len(first.connections) + len(second.connections) == 32)
        assert first.connections
        assert second.connections
        for ws in clients:
            group.start_soon(ws.close)


# --- who may come in --------------------------------------------------------------------------------------------------


async def status_of(server: Server, **options: Any) -> int:
    """101, or the status of the refusal."""
    try:
        async with connect(url(server), **options):
            return 101
    except HandshakeRejected as rejected:
        return rejected.status


@everywhere
async def test_origins_and_a_subprotocol_by_a_callable() -> None:
    def choose(offered: tuple[str, ...]) -> str | None:
        if "boom" in offered:
            raise RuntimeError("boom")
        return offered[-1] if offered else None

    async with serve(echo, "127.0.0.1", 0, origins=["https://example.com", None], subprotocols=choose) as server:
        assert await status_of(server, origin="https://example.com") == 101
        assert await status_of(server) == 101
        assert await status_of(server, origin="https://evil.org") == 403
        assert await status_of(server, subprotocols=["boom"]) == 500
        async with connect(url(server), subprotocols=["a", "b"]) as ws:
            assert ws.subprotocol == "b"


def page(ws: WebSocket, request: Request) -> Response | None:
    if request.path == "/health":
        return Response(status=200, headers=Headers({"Content-Type": "text/plain"}), body=b"OK\n")
    return None


async def page_later(ws: WebSocket, request: Request) -> Response | None:
    await anyio.sleep(0)
    return page(ws, request)


@pytest.mark.parametrize("process_request", [page, page_later])
@everywhere
async def test_a_health_check(process_request: Process) -> None:
    async with serve(echo, "127.0.0.1", 0, process_request=process_request) as server:
        answer = await http(server.port, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nOK\n")
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
@everywhere
async def test_what_is_no_websocket_and_not_the_applications(request_text: str, status: int) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        answer = await http(server.port, request_text)
        assert int(answer.split()[1]) == status


@pytest.mark.parametrize("kind", ["raises", "raises later", "no response", "bad status", "bad later"])
@everywhere
async def test_a_process_request_that_fails_is_a_500_and_one_log_line(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def bad(ws: WebSocket, request: Request) -> Any:
        if kind == "no response":
            return ("200", "OK")
        if kind == "bad status":
            return Response(status=99)
        if kind == "raises":
            raise RuntimeError("the database is gone")
        return bad_later()

    async def bad_later() -> Response | None:
        await anyio.sleep(0)
        if kind == "bad later":
            return Response(status=99)
        raise RuntimeError("the database is gone")

    async with serve(echo, "127.0.0.1", 0, process_request=bad) as server:
        assert await status_of(server) == 500
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [error.name for error in errors] == ["wsproto_anyio"]
    assert errors[0].exc_info is not None


@everywhere
async def test_a_process_request_that_takes_too_long_is_a_503() -> None:
    async def slow(ws: WebSocket, request: Request) -> None:
        await anyio.sleep_forever()

    async with serve(echo, "127.0.0.1", 0, process_request=slow, timeouts=QUICK) as server:
        assert (await http(server.port, HANDSHAKE)).startswith(b"HTTP/1.1 503 ")
        await server.close(grace_period=0.01)


@everywhere
async def test_the_opening_timeout_of_a_server() -> None:
    async with serve(echo, "127.0.0.1", 0, timeouts=Timeouts(opening_timeout=0.1)) as server:
        assert (await http(server.port, HANDSHAKE[:-2])).startswith(b"HTTP/1.1 408 ")


VISITORS = {
    "port scan": b"",
    "browser": b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n",
    "rubbish": b"\x00\xff\xfe\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "half a request": b"GET / HTTP/1.1\r\nHo",
    "WebSocket and gone": HANDSHAKE,
}


@pytest.mark.parametrize("visitor", VISITORS)
@pytest.mark.parametrize("leaves", ["orderly", "by reset"])
@everywhere
async def test_a_stray_visitor_is_one_debug_line_at_the_most(
    visitor: str, leaves: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(echo, "127.0.0.1", 0) as server:
        async with Raw.connect(server.port, handshake=False) as raw:
            if VISITORS[visitor]:
                await raw.send(VISITORS[visitor])
            await eventually(lambda: server._reception.everyone)
            if leaves == "by reset":
                await raw.reset()
            else:
                await raw.stream.send_eof()
                await raw.rest()
        await eventually(lambda: not server._reception.everyone)
        async with connect(url(server)) as ws:  # it still serves
            await ws.send("x")
            assert await ws.recv() == "x"
    lines = [record for record in caplog.records if record.name == "wsproto_anyio"]
    assert len(lines) <= 2
    assert all(record.levelno == logging.DEBUG and record.exc_info is None for record in lines)


@everywhere
async def test_garbage_after_the_handshake_hurts_nobody_else() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for garbage in (b"\xff" * 100, frame(1, b"\xff\xfe"), frame(3, b"?"), frame(1, b"x", reserved=0x40)):
            async with Raw.connect(server.port) as raw:
                await raw.send(garbage)
                assert await raw.close_code() in (1002, 1007)
        await ws.send("x")
        assert await ws.recv() == "x"


@everywhere
async def test_a_system_without_more_sockets_is_no_reason_to_stop(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        (listener,) = server._listeners
        accept, tries = listener.accept, 0

        async def fail_once() -> SocketStream:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise OSError(errno.EMFILE, "Too many open files")
            return await accept()

        listener.accept = fail_once  # type: ignore[method-assign]  # from the second connection on
        for _ in range(3):
            async with connect(url(server)) as ws:
                await ws.send("x")
                assert await ws.recv() == "x"
    assert ["Too many" in record.getMessage() for record in caplog.records] == [True]


# --- how many may come in ---------------------------------------------------------------------------------------------


@everywhere
async def test_beyond_max_connections_is_a_503_with_retry_after_and_the_slot_is_freed() -> None:
    async with serve(echo, "127.0.0.1", 0, max_connections=2) as server:
        async with connect(url(server)), connect(url(server)):
            with pytest.raises(HandshakeRejected) as caught:
                async with connect(url(server)):
                    pytest.fail("connected")
            assert caught.value.status == 503
            assert int(caught.value.headers["retry-after"]) > 0
        while (status := await status_of(server)) == 503:
            pass
        assert status == 101


@everywhere
async def test_racing_connects_never_overshoot() -> None:
    most = 0
    clients: list[WebSocket] = []

    async def handler(ws: WebSocket) -> None:
        nonlocal most
        most = max(most, len(server.connections))
        await ws.wait_closed()

    async with serve(handler, "127.0.0.1", 0, max_connections=20) as server, anyio.create_task_group() as group:

        async def attempt() -> None:
            try:
                clients.append(await connect(url(server), task_group=group))
            except ConnectionFailed:  # told, or beyond those who are told
                pass

        async with anyio.create_task_group() as attempts:
            for _ in range(60):
                attempts.start_soon(attempt)
        assert len(clients) == most == 20
        for ws in clients:
            group.start_soon(ws.close)


# --- the server's own end ---------------------------------------------------------------------------------------------


@everywhere
async def test_close_says_1001_to_everyone_and_lets_handlers_finish() -> None:
    finished = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal finished
        await echo(ws)
        await anyio.sleep(0)
        finished += 1

    async with serve(handler, "127.0.0.1", 0) as server, anyio.create_task_group() as group:
        address = url(server)
        clients = [await connect(address, task_group=group) for _ in range(10)]
        await server.close()
        assert finished == 10
        for ws in clients:
            report = await ws.wait_closed()
            assert (report.code, report.ok) == (1001, True)
        with pytest.raises(ConnectionRefused):
            await connect(address, task_group=group)


@everywhere
async def test_close_with_a_code_and_a_reason_twice_and_at_the_same_time() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        async with anyio.create_task_group() as group:
            group.start_soon(server.close, 1012, "back in a minute")
            group.start_soon(server.close, 1012, "back in a minute")
        await server.close()
        await server.serve_forever()
        report = await ws.wait_closed()
        assert (report.code, report.reason) == (1012, "back in a minute")


@everywhere
async def test_close_aborts_after_the_grace_period() -> None:
    cancelled = anyio.Event()

    async def stubborn(ws: WebSocket) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    async with serve(stubborn, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await eventually(lambda: server.connections)
        await server.close(grace_period=0.01)
        assert cancelled.is_set()
        assert not server.connections
        assert await raw.close_code() == 1001
        assert await raw.rest() == b""


@everywhere
async def test_close_ends_those_who_have_not_finished_their_handshake() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port, handshake=False) as raw:
        await raw.send(b"GET / HT")
        await eventually(lambda: server._reception.everyone)
        await server.close()
        assert await raw.rest() == b""


@everywhere
async def test_close_with_a_peer_that_does_not_read() -> None:
    async def flood(ws: WebSocket) -> None:
        while True:
            await ws.send(bytes(100_000))

    async with serve(flood, "127.0.0.1", 0) as server, Raw.connect(server.port):
        await eventually(lambda: server.connections and not next(iter(server.connections)).can_send)
        await server.close(grace_period=0.05)


@everywhere
async def test_close_with_a_code_that_cannot_be_sent_changes_nothing() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(LocalProtocolError, match="code"):
            await server.close(1006)
        await ws.send("still served")
        assert await ws.recv() == "still served"


@everywhere
async def test_close_that_is_cancelled_can_be_called_again() -> None:
    async def stubborn(ws: WebSocket) -> None:
        await anyio.sleep_forever()

    async with serve(stubborn, "127.0.0.1", 0) as server, connect(url(server)):
        with anyio.move_on_after(0.05) as scope:
            await server.close(grace_period=60)
        assert scope.cancelled_caught
        await server.close(grace_period=0.01)
        await server.serve_forever()


@everywhere
async def test_a_handler_may_close_the_server() -> None:
    async def handler(ws: WebSocket) -> None:
        assert await ws.recv() == "shutdown"
        await server.close()

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await ws.send("shutdown")
        await server.serve_forever()
        assert (await ws.wait_closed()).code == 1001


@everywhere
async def test_serve_forever_ends_with_cancellation_and_the_server_goes_on() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        with anyio.move_on_after(0.01):
            await server.serve_forever()
        async with connect(url(server)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


@everywhere
async def test_closing_while_a_handler_sends_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[Exception] = []

    async def ticker(ws: WebSocket) -> None:
        try:
            while True:
                await ws.send("tick")
                await anyio.sleep(0)
        except Exception as error:
            ends.append(error)
            raise

    async with (
        serve(ticker, "127.0.0.1", 0) as server,
        connect(url(server)) as ws,
        anyio.create_task_group() as group,
    ):
        group.start_soon(drain, ws)
        await eventually(lambda: ws.statistics.messages_received > 20)
        await server.close()
    assert [type(end) for end in ends] == [ConnectionClosedOK]
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


@everywhere
async def test_nothing_is_kept_of_connections_that_are_gone() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        for _ in range(5):
            async with connect(url(server)) as ws:
                await ws.send("x")
                assert await ws.recv() == "x"
        await eventually(lambda: not server._reception.everyone and not server._running)
        assert not server.connections
