"""``serve`` of ``wsproto_sockets``: where to listen, and handlers as threads."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any, cast

import pytest

from tests.adapters.kit import HANDSHAKE, QUICK
from tests.adapters.sockets_kit import PATIENCE, Raw, echo, eventually, http, tidy, url
from wsproto_core import (
    HandshakeRejected,
    Request,
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
        cast(Any, serve)(**{"handler": echo, "port": 0, **options})


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


def status_of(server: Server[Any], **options: Any) -> int:
    """101, or the status of the refusal."""
    try:
        with connect(url(server), **options):
            return 101
    except HandshakeRejected as rejected:
        return rejected.status


# --- plain HTTP on the same port --------------------------------------------------------------------------------------


def test_a_process_request_that_takes_too_long_is_a_503() -> None:
    enough = threading.Event()

    def slow(ws: WebSocket, request: Request) -> None:
        enough.wait(PATIENCE)

    with serve(echo, "127.0.0.1", 0, process_request=slow, timeouts=QUICK) as server:
        assert http(server.port, HANDSHAKE).startswith(b"HTTP/1.1 503 ")
        enough.set()


# --- how many may come in ---------------------------------------------------------------------------------------------


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
        eventually(lambda: len(server.reception.everyone) == 1)
        ws.send("x")
        assert ws.recv(PATIENCE) == "x"
        assert status_of(server) == 101
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 2


# --- the server's own end ---------------------------------------------------------------------------------------------


def test_a_handler_that_does_not_end_is_left_behind_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    released = threading.Event()
    with serve(lambda ws: released.wait(PATIENCE), "127.0.0.1", 0) as server, connect(url(server)):
        eventually(lambda: server.connections)
        server.close(grace_period=0.01)
        (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert "1 handlers" in warning.getMessage()
        released.set()


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
