"""``serve`` of ``wsproto_sockets``: its options, plain HTTP, limits on connections, and the server's own end."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

import pytest

from tests.adapters.kit import HANDSHAKE, QUICK, TEXT, frame
from tests.adapters.sockets_kit import PATIENCE, Raw, deaf_socket, drain, echo, eventually, http, run, tidy, url
from wsproto_core import (
    SAME_ORIGIN,
    ConnectionClosedOK,
    ConnectionFailed,
    ConnectionRefused,
    HandshakeRejected,
    LocalProtocolError,
    Request,
    Response,
    Timeouts,
)
from wsproto_sockets import Server, WebSocket, connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")


async def coroutine(*_: object) -> None:
    """What does not work without an event loop."""


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
        ({"handler": coroutine}, "handler"),
        ({"process_request": coroutine}, "process_request"),
        ({"extensions": ["permessage-deflate"]}, "extensions"),
        ({"port": None, "unix_path": "/x", "reuse_port": True}, "reuse_port"),
        ({"max_size": 5}, "max_size"),
    ],
)
def test_an_option_that_cannot_work_is_named_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        serve(**{"handler": echo, "port": 0, **options})


def test_a_port_that_is_taken_is_an_os_error() -> None:
    with serve(echo, "127.0.0.1", 0) as server, pytest.raises(OSError, match=r"in use"):
        serve(echo, "127.0.0.1", server.port)


def test_an_inherited_socket_several_addresses_and_a_shared_port() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    with serve(echo, sock=sock) as server, connect(url(server)) as ws:
        assert server.port == sock.getsockname()[1]
        ws.send("x")
        assert ws.recv(PATIENCE) == "x"
    with serve(echo, ["127.0.0.1", "127.0.0.2"], 0) as server:
        assert len(server.sockets) == 2
        for one in server.sockets:
            with Raw.connect(one.getsockname()[1]) if one.getsockname()[0] == "127.0.0.1" else one.dup():
                pass
    with (
        serve(echo, "127.0.0.1", 0, reuse_port=True) as first,
        serve(echo, "127.0.0.1", first.port, reuse_port=True) as second,
    ):
        clients = [connect(url(second)) for _ in range(32)]
        eventually(lambda: len(first.connections) + len(second.connections) == 32)
        assert first.connections
        assert second.connections
        for ws in clients:
            ws.close()


def status_of(server: Server, **options: Any) -> int:
    """101, or the status of the refusal."""
    try:
        with connect(url(server), **options):
            return 101
    except HandshakeRejected as rejected:
        return rejected.status


def test_origins_and_hosts() -> None:
    with serve(echo, "127.0.0.1", 0, origins=[SAME_ORIGIN]) as server:
        assert status_of(server, origin=f"http://127.0.0.1:{server.port}") == 101
        assert status_of(server, origin="http://127.0.0.1:1") == 403
    with serve(echo, "127.0.0.1", 0, hosts=["example.com"]) as server:
        assert status_of(server) == 421


# --- plain HTTP on the same port --------------------------------------------------------------------------------------


def test_a_health_check() -> None:
    def page(ws: WebSocket, request: Request) -> Response | None:
        return Response(200, {"Content-Type": "text/plain"}, b"OK\n") if request.path == "/health" else None

    with serve(echo, "127.0.0.1", 0, process_request=page) as server:
        head, _, body = http(server.port, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b"OK\n"
        with connect(url(server)) as ws:
            ws.send("x")
            assert ws.recv(PATIENCE) == "x"


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405),
        ("nonsense\r\n\r\n", 400),
    ],
)
def test_what_is_no_websocket_and_not_the_applications(request_text: str, status: int) -> None:
    with serve(echo, "127.0.0.1", 0) as server:
        assert int(http(server.port, request_text).split()[1]) == status


@pytest.mark.parametrize("kind", ["raises", "no response", "bad status"])
def test_a_process_request_that_fails_is_a_500_and_one_log_line(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def bad(ws: WebSocket, request: Request) -> Any:
        if kind == "raises":
            raise RuntimeError("the database is gone")
        return Response(99) if kind == "bad status" else ("200", "OK")

    with serve(echo, "127.0.0.1", 0, process_request=bad) as server, pytest.raises(HandshakeRejected, match="500"):
        connect(url(server))
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(errors) == 1
    assert errors[0].exc_info is not None


def test_a_process_request_that_takes_too_long_is_a_503() -> None:
    enough = threading.Event()

    def slow(ws: WebSocket, request: Request) -> None:
        enough.wait(PATIENCE)

    with serve(echo, "127.0.0.1", 0, process_request=slow, timeouts=QUICK) as server:
        assert http(server.port, HANDSHAKE).startswith(b"HTTP/1.1 503 ")
        enough.set()


def test_what_a_client_sends_behind_its_request_is_not_lost() -> None:
    def slow(ws: WebSocket, request: Request) -> None:
        eventually(lambda: ws.statistics.bytes_received > len(HANDSHAKE))

    with (
        serve(echo, "127.0.0.1", 0, process_request=slow) as server,
        Raw.connect(server.port, handshake=False) as raw,
    ):
        raw.send(HANDSHAKE + frame(TEXT, b"early"))
        raw.head()
        assert raw.frame().payload == b"early"


def test_a_client_that_does_not_wait_for_process_request() -> None:
    there, done = threading.Event(), threading.Event()

    def slow(ws: WebSocket, request: Request) -> Response:
        there.set()
        ws.wait_closed(PATIENCE)
        done.set()
        return Response(200)

    with serve(echo, "127.0.0.1", 0, process_request=slow) as server:
        with Raw.connect(server.port, handshake=False) as raw:
            raw.send(HANDSHAKE)
            assert there.wait(PATIENCE)
            raw.reset()
        assert done.wait(PATIENCE)


def test_the_opening_timeout_of_a_server() -> None:
    with serve(echo, "127.0.0.1", 0, timeouts=Timeouts(opening_timeout=0.1)) as server:
        assert http(server.port, HANDSHAKE[:-2]).startswith(b"HTTP/1.1 408 ")


# --- how many may come in ---------------------------------------------------------------------------------------------


def test_beyond_max_connections_is_a_503_with_retry_after_and_the_slot_is_freed() -> None:
    with serve(echo, "127.0.0.1", 0, max_connections=2) as server:
        with connect(url(server)), connect(url(server)):
            with pytest.raises(HandshakeRejected) as caught:
                connect(url(server))
            assert caught.value.status == 503
            assert int(caught.value.headers["retry-after"]) > 0
        eventually(lambda: status_of(server) == 101)


def test_racing_connects_never_overshoot() -> None:
    counted: list[int] = []

    def handler(ws: WebSocket) -> None:
        counted.append(len(server.connections))
        ws.wait_closed()

    def attempt() -> WebSocket | None:
        try:
            return connect(url(server))
        except ConnectionFailed:  # told, or beyond those who are told
            return None

    with serve(handler, "127.0.0.1", 0, max_connections=20) as server:
        attempts = [run(attempt) for _ in range(80)]
        clients = [ws for work in attempts if (ws := work.result(PATIENCE)) is not None]
        assert len(clients) == 20
        eventually(lambda: len(counted) == 20)
        assert max(counted) <= 20
        for ws in clients:
            ws.close()
        eventually(lambda: not server._reception.everyone)
        assert status_of(server) == 101


def test_a_refused_and_an_aborted_handshake_free_their_slot() -> None:
    with serve(echo, "127.0.0.1", 0, max_connections=1) as server:
        for _ in range(5):
            http(server.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with Raw.connect(server.port, handshake=False) as raw:
                raw.send(b"GET ")
        eventually(lambda: status_of(server) == 101)


def test_no_thread_for_a_connection_harms_nobody_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = threading.Thread.start
    refused: list[str] = []

    def refuse(thread: threading.Thread) -> None:
        if thread.name in refused[-1:]:
            raise RuntimeError("can't start new thread")
        start(thread)

    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        for name in ("wsproto_sockets handler", "wsproto_sockets link"):
            refused.append(name)
            assert http(server.port, HANDSHAKE) == b""
        refused.clear()
        eventually(lambda: len(server._reception.everyone) == 1)
        ws.send("x")
        assert ws.recv(PATIENCE) == "x"
        assert status_of(server) == 101
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 2


# --- the server's own end ---------------------------------------------------------------------------------------------


def test_close_says_1001_to_everyone_and_lets_handlers_finish() -> None:
    finished: list[WebSocket] = []

    def handler(ws: WebSocket) -> None:
        echo(ws)
        finished.append(ws)

    server = serve(handler, "127.0.0.1", 0)
    address = url(server)
    clients = [connect(address) for _ in range(10)]
    server.close()
    assert len(finished) == 10
    for ws in clients:
        report = ws.wait_closed(PATIENCE)
        assert (report.code, report.ok) == (1001, True)
    with pytest.raises(ConnectionRefused):
        connect(address)


def test_close_with_a_code_and_a_reason_twice_and_at_the_same_time() -> None:
    with serve(echo, "127.0.0.1", 0) as server:
        ws = connect(url(server))
        for work in [run(server.close, 1012, "back in a minute") for _ in range(3)]:
            work.result(PATIENCE)
        server.close()
        report = ws.wait_closed(PATIENCE)
        assert (report.code, report.reason) == (1012, "back in a minute")


def test_close_aborts_after_the_grace_period() -> None:
    ended = threading.Event()

    def stubborn(ws: WebSocket) -> None:
        ws.wait_closed()
        ended.set()

    with serve(stubborn, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        eventually(lambda: server.connections)
        server.close(grace_period=0.01)
        assert ended.is_set()
        assert not server.connections
        assert raw.close_code() == 1001
        assert raw.rest() == b""


def test_a_handler_that_does_not_end_is_left_behind_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    released = threading.Event()
    with serve(lambda ws: released.wait(PATIENCE), "127.0.0.1", 0) as server, connect(url(server)):
        eventually(lambda: server.connections)
        server.close(grace_period=0.01)
        (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert "1 handlers" in warning.getMessage()
        released.set()


def test_close_ends_those_who_have_not_finished_their_handshake() -> None:
    with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port, handshake=False) as raw:
        raw.send(b"GET / HT")
        server.close()
        assert raw.rest() == b""


def test_close_with_a_peer_that_does_not_read() -> None:
    def flood(ws: WebSocket) -> None:
        while True:
            ws.send(bytes(100_000))

    with serve(flood, "127.0.0.1", 0) as server, deaf_socket(server.port):
        eventually(lambda: server.connections and not next(iter(server.connections)).can_send)
        server.close(grace_period=0.05)


def test_close_with_a_code_that_cannot_be_sent_changes_nothing() -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(LocalProtocolError, match="code"):
            server.close(1006)
        ws.send("still served")
        assert ws.recv(PATIENCE) == "still served"


def test_handlers_may_close_the_server() -> None:
    both_are_told = threading.Barrier(2)

    def handler(ws: WebSocket) -> None:
        assert ws.recv() == "shutdown"
        both_are_told.wait(PATIENCE)  # else the first close reaches the second client before it has sent
        server.close()

    with serve(handler, "127.0.0.1", 0) as server:
        clients = [connect(url(server)) for _ in range(2)]
        for ws in clients:
            ws.send_nowait("shutdown")
        server.serve_forever()
        for ws in clients:
            assert ws.wait_closed(PATIENCE).code in (1001, 1006)


def test_serve_forever_ends_with_close() -> None:
    with serve(echo, "127.0.0.1", 0) as server:
        waiting = run(server.serve_forever)
        assert status_of(server) == 101
        assert not waiting.done()
        server.close()
        waiting.result(PATIENCE)


def test_closing_while_a_handler_sends_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """A ticker does not know that the server is closing; it learns by ConnectionClosed, not by a traceback."""
    ends: list[Exception] = []

    def ticker(ws: WebSocket) -> None:
        try:
            while True:
                ws.send("tick")
        except Exception as error:
            ends.append(error)
            raise

    with serve(ticker, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        reading = run(drain, ws)
        eventually(lambda: ws.statistics.messages_received > 20)
        server.close()
        reading.result(PATIENCE)
    assert [type(end) for end in ends] == [ConnectionClosedOK]
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
