"""Nothing is left behind, nothing is said without need, and strangers harm nobody."""

from __future__ import annotations

import errno
import gc
import logging
import os
import socket
import subprocess
import sys
import threading
import weakref

import pytest

from tests.adapters.kit import HANDSHAKE, TEXT, frame
from tests.adapters.sockets_kit import PATIENCE, Raw, descriptors, echo, eventually, http, run, tidy, url
from tests.adapters.test_asyncio_hygiene import VISITORS
from wsproto_core import Request, Response
from wsproto_sockets import WebSocket, connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")


@pytest.mark.parametrize("visitor", VISITORS)
@pytest.mark.parametrize("leaves", ["orderly", "by reset"])
def test_a_stray_visitor_is_one_debug_line_at_the_most(
    visitor: str, leaves: str, caplog: pytest.LogCaptureFixture
) -> None:
    def health(ws: WebSocket, request: Request) -> Response | None:
        return Response(200, body=b"OK") if request.path == "/health" else None

    caplog.set_level(logging.DEBUG)
    with serve(echo, "127.0.0.1", 0, process_request=health) as server, connect(url(server)) as bystander:
        with Raw.connect(server.port, handshake=False) as raw:
            if sent := VISITORS[visitor]:
                raw.send(sent)
            if leaves == "by reset":
                raw.reset()
            else:
                raw.socket.shutdown(socket.SHUT_WR)
                raw.rest()
        eventually(lambda: len(server.reception.everyone) == 1)
        lines = [record for record in caplog.records if record.name == "wsproto_sockets"]
        assert len(lines) <= 1
        assert all(record.levelno == logging.DEBUG and record.exc_info is None for record in lines)
        bystander.send("x")
        assert bystander.recv(PATIENCE) == "x"


def test_an_ordinary_connection_is_one_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        ws.send("x")
    lines = [record for record in caplog.records if record.name == "wsproto_sockets"]
    assert [record.levelno for record in lines] == [logging.DEBUG]
    assert "1000" in lines[0].getMessage()


def test_an_offence_is_told_to_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"x", mask=None))
        raw.rest()
    (line,) = caplog.records
    assert "RFC 6455 §5.1" in line.getMessage()
    assert line.exc_info is None


def test_no_connection_survives_its_end() -> None:
    remembered: list[weakref.ref[object]] = []

    def handler(ws: WebSocket) -> None:
        remembered.extend(map(weakref.ref, (ws, ws.link, ws.engine)))
        echo(ws)

    def visit(port: int) -> None:
        ws = connect(f"ws://127.0.0.1:{port}/")
        remembered.extend(map(weakref.ref, (ws, ws.link, ws.engine)))
        ws.send("x")
        assert ws.recv(PATIENCE) == "x"
        ws.ping(timeout=PATIENCE)
        ws.close()

    with serve(handler, "127.0.0.1", 0) as server:
        visits = [run(visit, server.port) for _ in range(10)]
        while visits:
            visits.pop().result(PATIENCE)
        with Raw.connect(server.port) as raw:
            raw.send(b"\xff\xff")
            raw.rest()
        http(server.port, "GET / HTTP/1.1\r\n\r\n")
        eventually(lambda: not server.reception.everyone)
        eventually(lambda: gc.collect() is not None and not any(ref() for ref in remembered))
        assert not server._threads
    assert len(remembered) >= 60


def test_a_hundred_connections_leave_no_thread_and_no_descriptor() -> None:
    """Three descriptors and a thread each, on either side; a second thread for the handler; and then nothing."""
    with serve(echo, "127.0.0.1", 0) as server:
        threads, files = threading.active_count(), descriptors()
        clients = [connect(url(server)) for _ in range(100)]
        eventually(lambda: len(server.connections) == 100)
        assert threading.active_count() == threads + 300
        assert descriptors() == files + 600
        for ws in clients:
            ws.close()
        assert threading.active_count() <= threads + 200  # close() waits for its own thread
        eventually(lambda: (threading.active_count(), descriptors()) == (threads, files))


def test_out_of_descriptors(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It is told, and tried again a moment later."""
    accept = socket.socket.accept
    failures = [OSError(errno.EMFILE, os.strerror(errno.EMFILE)), ConnectionAbortedError(errno.ECONNABORTED, "gone")]

    def fail(sock: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return accept(sock)

    with serve(echo, "127.0.0.1", 0) as server:
        monkeypatch.setattr(socket.socket, "accept", fail)
        with connect(url(server)) as ws:
            ws.send("x")
            assert ws.recv(PATIENCE) == "x"
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "accept" in line.getMessage()


def test_an_open_connection_does_not_hold_up_the_interpreters_exit() -> None:
    program = """
from wsproto_sockets import connect, serve
def echo(ws):
    for message in ws:
        ws.send(message)
server = serve(echo, "127.0.0.1", 0)
ws = connect(f"ws://127.0.0.1:{server.port}/")
ws.send("x")
assert ws.recv(5) == "x"
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_it_knows_no_event_loop() -> None:
    program = "import sys, wsproto_sockets; sys.exit('asyncio' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


def test_a_client_that_sends_its_request_byte_by_byte() -> None:
    with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port, handshake=False) as raw:
        for byte in HANDSHAKE:
            raw.send(bytes([byte]))
        assert raw.head().startswith(b"HTTP/1.1 101 ")
