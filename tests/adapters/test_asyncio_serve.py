"""``serve``: every option, plain HTTP on the same port, limits on connections, and the server's own end."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.kit import HANDSHAKE, QUICK, Raw, deaf_socket, drain, echo, eventually, http, url
from wsproto_asyncio import Listener, Server, WebSocket, connect, serve
from wsproto_core import (
    SAME_ORIGIN,
    BasicCredentials,
    ConnectionClosedOK,
    ConnectionFailed,
    ConnectionRefused,
    HandshakeRejected,
    Headers,
    LocalProtocolError,
    OriginRule,
    Request,
    Response,
    Timeouts,
)

Process = Callable[[WebSocket, Request], Awaitable[Response | None] | Response | None]


# --- options that cannot work -----------------------------------------------------------------------------------------


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
        ({"origins": ["x"]}, "origins"),
        ({"hosts": "x"}, "hosts"),
        ({"hosts": ["a*b"]}, "hosts"),
        ({"subprotocols": "chat"}, "subprotocols"),
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


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(OSError, match=r"in use"):
            await serve(echo, "127.0.0.1", server.port)


# --- sockets ----------------------------------------------------------------------------------------------------------


async def test_an_inherited_socket() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    async with serve(echo, sock=sock) as server, connect(url(server)) as ws:
        assert server.port == sock.getsockname()[1]
        await ws.send("x")
        assert await ws.recv() == "x"


async def test_reuse_port() -> None:
    async with (
        serve(echo, "127.0.0.1", 0, reuse_port=True) as first,
        serve(echo, "127.0.0.1", first.port, reuse_port=True) as second,
    ):
        clients = [await connect(url(second)) for _ in range(32)]
        await eventually(lambda: len(first.connections) + len(second.connections) == 32)
        assert first.connections
        assert second.connections
        await asyncio.gather(*(ws.close() for ws in clients))


async def test_several_addresses_and_a_unix_socket_again(tmp_path: Path) -> None:
    async with serve(echo, ["127.0.0.1", "127.0.0.2"], 0) as server:
        assert len(server.sockets) == 2
    for _ in range(2):  # what the first one leaves behind does not stop the second
        async with serve(echo, unix_path=tmp_path / "s"), connect("ws://x/", unix_path=tmp_path / "s") as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


# --- who may come in --------------------------------------------------------------------------------------------------


async def status_of(server: Server, **options: Any) -> int:
    """101, or the status of the refusal."""
    try:
        async with connect(url(server), **options):
            return 101
    except HandshakeRejected as rejected:
        return rejected.status


async def test_origins() -> None:
    rules: list[OriginRule] = ["https://example.com", re.compile(r"https://[a-z]+\.example\.org"), None]
    async with serve(echo, "127.0.0.1", 0, origins=rules) as server:
        assert await status_of(server, origin="https://example.com") == 101
        assert await status_of(server, origin="https://EXAMPLE.com:443") == 101
        assert await status_of(server, origin="https://a.example.org") == 101
        assert await status_of(server) == 101
        assert await status_of(server, origin="https://example.com.evil.org") == 403
        assert await status_of(server, origin="null") == 403
    async with serve(echo, "127.0.0.1", 0, origins=[SAME_ORIGIN]) as server:
        assert await status_of(server, origin=f"http://127.0.0.1:{server.port}") == 101
        assert await status_of(server, origin="http://127.0.0.1:1") == 403
        assert await status_of(server) == 403


async def test_hosts() -> None:
    async with serve(echo, "127.0.0.1", 0, hosts=["localhost", "*.example.com"]) as server:
        for host, status in [("localhost:1", 101), ("a.example.com", 101), ("evil.com", 421), ("example.com", 421)]:
            answer = HANDSHAKE.replace(b"Host: localhost", f"Host: {host}".encode())
            async with Raw.connect(server.port, handshake=False) as raw:
                raw.send(answer)
                assert int((await raw.head()).split()[1]) == status


async def test_subprotocol_by_a_callable() -> None:
    def choose(offered: tuple[str, ...]) -> str | None:
        if "boom" in offered:
            raise RuntimeError("boom")
        return offered[-1] if offered else None

    async with serve(echo, "127.0.0.1", 0, subprotocols=choose) as server:
        async with connect(url(server), subprotocols=["a", "b"]) as ws:
            assert ws.subprotocol == "b"
        assert await status_of(server, subprotocols=["boom"]) == 500
        assert await status_of(server) == 101


async def test_credentials_reach_the_application() -> None:
    def check(ws: WebSocket, request: Request) -> Response | None:
        if request.credentials == BasicCredentials("ann", "secret"):
            ws.data["user"] = "ann"
            return None
        return Response(status=401, headers=Headers({"WWW-Authenticate": 'Basic realm="x"'}))

    async def handler(ws: WebSocket) -> None:
        await ws.send(ws.data["user"])

    async with serve(handler, "127.0.0.1", 0, process_request=check) as server:
        async with connect(url(server), credentials=BasicCredentials("ann", "secret")) as ws:
            assert await ws.recv() == "ann"
        assert await status_of(server, credentials=BasicCredentials("ann", "wrong")) == 401


# --- plain HTTP on the same port --------------------------------------------------------------------------------------


def page(ws: WebSocket, request: Request) -> Response | None:
    if request.path == "/health":
        return Response(status=200, headers=Headers({"Content-Type": "text/plain"}), body=b"OK\n")
    if request.path == "/nothing":
        return Response(status=204)
    return None


async def page_later(ws: WebSocket, request: Request) -> Response | None:
    await asyncio.sleep(0)
    return page(ws, request)


@pytest.mark.parametrize("process_request", [page, page_later])
async def test_a_health_check(process_request: Process) -> None:
    async with serve(echo, "127.0.0.1", 0, process_request=process_request) as server:
        answer = await http(server.port, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Length: 3" in head
        assert b"Connection: close" in head
        assert body == b"OK\n"
        old = await http(server.port, "GET /health HTTP/1.0\r\n\r\n")
        assert old.startswith(b"HTTP/1.1 200 OK\r\n")
        assert old.endswith(b"\r\n\r\nOK\n")
        head = await http(server.port, "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"Content-Length: 3" in head
        assert head.endswith(b"\r\n\r\n")
        assert (await http(server.port, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
        async with connect(url(server)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


async def test_curl_gets_the_page() -> None:
    async with serve(echo, "127.0.0.1", 0, process_request=page) as server:
        for version in ("--http1.1", "--http1.0", "--http2"):  # the last asks for an upgrade to HTTP/2, in vain
            curl = await asyncio.create_subprocess_exec(
                "curl", "-sS", version, f"http://127.0.0.1:{server.port}/health", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await curl.communicate()
            assert (curl.returncode, output) == (0, b"OK\n")


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426),
        ("GET / HTTP/1.0\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
    ],
)
async def test_what_is_no_websocket_and_not_the_applications(request_text: str, status: int) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        answer = await http(server.port, request_text)
        assert int(answer.split()[1]) == status


async def test_version_negotiation() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        answer = await http(server.port, HANDSHAKE.replace(b"Version: 13", b"Version: 8"))
        assert answer.startswith(b"HTTP/1.1 426 ")
        assert b"Sec-WebSocket-Version: 13" in answer


async def test_letter_case_and_lists_of_options() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port, handshake=False) as raw:
        changed = HANDSHAKE.replace(b"Upgrade: websocket", b"UPGRADE: WebSocket")
        raw.send(changed.replace(b"Connection: Upgrade", b"connection: keep-alive\r\nConnection: foo, UPGRADE"))
        assert (await raw.head()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("kind", ["raises", "raises later", "no response", "bad status", "bad later"])
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
        await asyncio.sleep(0)
        if kind == "bad later":
            return Response(status=99)
        raise RuntimeError("the database is gone")

    async with serve(echo, "127.0.0.1", 0, process_request=bad) as server:
        with pytest.raises(HandshakeRejected, match="500"):
            await connect(url(server))
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(errors) == 1
    assert errors[0].exc_info is not None


async def test_a_process_request_that_takes_too_long_is_a_503() -> None:
    async def slow(ws: WebSocket, request: Request) -> None:
        await asyncio.Event().wait()

    async with serve(echo, "127.0.0.1", 0, process_request=slow, timeouts=QUICK) as server:
        assert (await http(server.port, HANDSHAKE)).startswith(b"HTTP/1.1 503 ")
        await server.close(grace_period=0.01)


async def test_a_client_that_does_not_wait_for_process_request() -> None:
    gone, done = asyncio.Event(), asyncio.Event()

    async def slow(ws: WebSocket, request: Request) -> Response:
        gone.set()
        await ws.wait_closed()
        done.set()
        return Response(status=200)

    async with serve(echo, "127.0.0.1", 0, process_request=slow) as server:
        async with Raw.connect(server.port, handshake=False) as raw:
            raw.send(HANDSHAKE)
            await gone.wait()
            raw.reset()
        await done.wait()


# --- how many may come in ---------------------------------------------------------------------------------------------


async def test_beyond_max_connections_is_a_503_with_retry_after_and_the_slot_is_freed() -> None:
    async with serve(echo, "127.0.0.1", 0, max_connections=2) as server:
        async with connect(url(server)), connect(url(server)):
            with pytest.raises(HandshakeRejected) as caught:
                await connect(url(server))
            assert caught.value.status == 503
            assert int(caught.value.headers["retry-after"]) > 0
        assert await eventual_status(server) == 101


async def test_racing_connects_never_overshoot() -> None:
    most = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal most
        most = max(most, len(server.connections))
        await ws.wait_closed()

    async def attempt() -> WebSocket | None:
        try:
            return await connect(url(server))
        except ConnectionFailed:  # told, or beyond those who are told
            return None

    async with serve(handler, "127.0.0.1", 0, max_connections=50) as server:
        clients = [ws for ws in await asyncio.gather(*(attempt() for _ in range(200))) if ws is not None]
        assert len(clients) == 50
        assert most == 50
        await asyncio.gather(*(ws.close() for ws in clients))
        await eventually(lambda: not server.connections)
        assert await eventual_status(server) == 101


async def eventual_status(server: Server) -> int:
    """Slots are free again, some moments after their clients have left."""
    while (status := await status_of(server)) == 503:
        pass
    return status


async def test_a_refused_and_an_aborted_handshake_free_their_slot() -> None:
    async with serve(echo, "127.0.0.1", 0, max_connections=1) as server:
        for _ in range(5):
            await http(server.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with Raw.connect(server.port, handshake=False) as raw:
                raw.send(b"GET ")
        assert await eventual_status(server) == 101


# --- the server's own end ---------------------------------------------------------------------------------------------


async def test_close_says_1001_to_everyone_and_lets_handlers_finish() -> None:
    finished = 0

    async def handler(ws: WebSocket) -> None:
        nonlocal finished
        await echo(ws)
        await asyncio.sleep(0)
        finished += 1

    server = await serve(handler, "127.0.0.1", 0)
    address = url(server)
    clients = [await connect(url(server)) for _ in range(10)]
    await server.close()
    assert finished == 10
    for ws in clients:
        report = await ws.wait_closed()
        assert (report.code, report.ok) == (1001, True)
    with pytest.raises(ConnectionRefused):
        await connect(address)


async def test_close_with_a_code_and_a_reason() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        ws = await connect(url(server))
        await server.close(1012, "back in a minute")
        report = await ws.wait_closed()
        assert (report.code, report.reason) == (1012, "back in a minute")


async def test_close_is_harmless_twice_and_at_the_same_time() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)):
        await asyncio.gather(server.close(), server.close())
        await server.close()


async def test_close_aborts_after_the_grace_period() -> None:
    cancelled = asyncio.Event()

    async def stubborn(ws: WebSocket) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serve(stubborn, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        await eventually(lambda: server.connections)
        await server.close(grace_period=0.01)
        assert cancelled.is_set()
        assert not server.connections
        assert await raw.close_code() == 1001
        assert await raw.rest() == b""


async def test_close_ends_those_who_have_not_finished_their_handshake() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port, handshake=False) as raw:
        raw.send(b"GET / HT")
        await raw.writer.drain()
        await server.close()
        assert await raw.rest() == b""


async def test_close_with_a_peer_that_does_not_read() -> None:
    async def flood(ws: WebSocket) -> None:
        while True:
            await ws.send(bytes(100_000))

    async with serve(flood, "127.0.0.1", 0) as server:
        with await deaf_socket(server.port):
            await eventually(lambda: server.connections and not next(iter(server.connections)).can_send)
            await server.close(grace_period=0.05)


async def test_close_with_a_code_that_cannot_be_sent_changes_nothing() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(LocalProtocolError, match="code"):
            await server.close(1005 + 1)
        await ws.send("still served")
        assert await ws.recv() == "still served"


async def test_close_that_is_cancelled_can_be_called_again() -> None:
    async def stubborn(ws: WebSocket) -> None:
        await asyncio.Event().wait()

    server = await serve(stubborn, "127.0.0.1", 0)
    async with connect(url(server)):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await server.close(grace_period=60)
        await server.close(grace_period=0.01)
        await server.serve_forever()


async def test_a_handler_may_close_the_server() -> None:
    async def handler(ws: WebSocket) -> None:
        assert await ws.recv() == "shutdown"
        await server.close()

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await ws.send("shutdown")
        await server.serve_forever()
        assert (await ws.wait_closed()).code == 1001


async def test_serve_forever_ends_with_close_and_with_cancellation() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        waiting = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with connect(url(server)) as ws:  # it still serves
            await ws.send("x")
            assert await ws.recv() == "x"
        waiting = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        await server.close()
        await waiting


async def test_closing_while_a_handler_sends_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """A ticker does not know that the server is closing; it learns by ConnectionClosed, not by a traceback."""
    ends: list[Exception] = []

    async def ticker(ws: WebSocket) -> None:
        try:
            while True:
                await ws.send("tick")
                await asyncio.sleep(0)
        except Exception as error:
            ends.append(error)
            raise

    async with serve(ticker, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        reading = asyncio.create_task(drain(ws))
        await eventually(lambda: ws.statistics.messages_received > 20)
        await server.close()
        await reading
    assert [type(end) for end in ends] == [ConnectionClosedOK]
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_closing_while_a_listener_answers_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    class Answer(Listener):
        def received(self, ws: WebSocket, message: object) -> None:
            ws.send_nowait("tock")

    async def talk(ws: WebSocket) -> None:
        while True:
            await ws.send("tick")
            await asyncio.sleep(0)

    async with serve(Answer, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        reading, talking = asyncio.create_task(drain(ws)), asyncio.create_task(talk(ws))
        await eventually(lambda: ws.statistics.messages_received > 20)
        await server.close()
        await reading
        with pytest.raises(ConnectionClosedOK, match="1001"):
            await talking
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_the_opening_timeout_of_a_server() -> None:
    async with serve(echo, "127.0.0.1", 0, timeouts=Timeouts(opening_timeout=0.1)) as server:
        assert (await http(server.port, HANDSHAKE[:-2])).startswith(b"HTTP/1.1 408 ")
