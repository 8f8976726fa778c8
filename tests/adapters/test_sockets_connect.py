"""``connect`` of ``wsproto_sockets``: where to, by which address, and options that cannot work."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.adapters.kit import QUICK, Authority, answer_to
from tests.adapters.sockets_kit import PATIENCE, Raw, drain, echo, free_port, proxy_server, raw_server, run, tidy, url
from wsproto_core import (
    ConnectionFailed,
    ConnectionTimeout,
    ProxyFailed,
    Timeouts,
)
from wsproto_sockets import connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    for _ in range(2):  # what the first one leaves behind does not stop the second
        with serve(echo, unix_path=path), connect("ws://localhost/x", unix_path=str(path)) as ws:
            ws.send("x")
            assert ws.recv(PATIENCE) == "x"
    with pytest.raises(ConnectionFailed):
        connect("ws://localhost/x", unix_path=tmp_path / "nobody")


def test_over_a_socket_that_is_already_connected() -> None:
    with serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        with connect("ws://somewhere.example/", sock=sock) as ws:
            ws.send("x")
            assert ws.recv(PATIENCE) == "x"


def test_over_a_socket_pair() -> None:
    left, right = socket.socketpair()

    def behave() -> None:
        with right:
            raw = Raw(right)
            raw.send(answer_to(raw.head()))
            assert raw.close_code() == 1000

    behaving = run(behave)
    with connect("ws://pair/", sock=left):
        pass
    behaving.result(PATIENCE)


def test_several_addresses_of_a_name() -> None:
    """Whichever of them the server listens on."""
    with serve(echo, "127.0.0.1", 0) as server, connect(f"ws://localhost:{server.port}/") as ws:
        ws.send("x")
        assert ws.recv(PATIENCE) == "x"


# --- proxies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("proxy", ["http", "https", "socks5"])
def test_through_a_proxy(scheme: str, proxy: str, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """With TLS in TLS where both ask for it. The proxy is verified like any server."""
    monkeypatch.setattr("wsproto_sockets.dialing.tls", SimpleNamespace(create_default_context=authority.client))
    secure = scheme == "wss"
    with (
        serve(echo, "127.0.0.1", 0, ssl=authority.server() if secure else None) as server,
        proxy_server(authority.server() if proxy == "https" else None) as port,
        connect(url(server, secure=secure), proxy=f"{proxy}://127.0.0.1:{port}") as ws,
    ):
        for message in ("x", bytes(range(256)) * 2000):
            ws.send(message)
            assert ws.recv(PATIENCE) == message


def test_a_proxy_that_cannot_be_reached_or_refuses() -> None:
    with pytest.raises(ProxyFailed):
        connect("ws://127.0.0.1/", proxy=f"http://127.0.0.1:{free_port()}")

    def refuse(raw: Raw) -> None:
        raw.head()
        raw.send(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

    with raw_server(refuse, handshake=False) as port, pytest.raises(ProxyFailed) as caught:
        connect("ws://127.0.0.1/", proxy=f"http://127.0.0.1:{port}")
    assert caught.value.status == 407


def test_a_proxy_that_never_answers() -> None:
    with raw_server(lambda raw: raw.rest(), handshake=False) as port, pytest.raises(ConnectionTimeout):
        connect("ws://127.0.0.1/", proxy=f"http://127.0.0.1:{port}", timeouts=QUICK)


# --- options that cannot work -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["extra_headers", "max_size", "ping_interval", "timeout", "listener"])
def test_an_unknown_keyword_is_a_type_error_at_once(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        connect("ws://localhost/", **{name: 1})  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"uri": "http://localhost/"}, "ws"),
        ({"uri": "ws://localhost/#fragment"}, "fragment"),
        ({"headers": {"Sec-WebSocket-Key": "x"}}, "Sec-WebSocket-Key"),
        ({"subprotocols": "chat"}, "subprotocols"),
        ({"unix_path": "/x", "sock": socket.socket}, "exclude"),
        ({"extensions": ["permessage-deflate"]}, "extensions"),
        ({"ssl": "context"}, "wss"),
    ],
)
def test_an_option_that_cannot_work_is_named_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        cast(Any, connect)(**{"uri": "ws://localhost/", **options})


# --- no connection ----------------------------------------------------------------------------------------------------


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(ConnectionFailed):
        connect("ws://does-not-exist.invalid/", timeouts=Timeouts(opening_timeout=5))


def test_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows no time limit, but ``connect`` does."""
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(PATIENCE) and [])
    try:
        with pytest.raises(ConnectionTimeout, match=r"0\.3 seconds"):
            connect("ws://slow.example/", timeouts=QUICK)
    finally:
        released.set()


def test_an_address_that_does_not_answer_does_not_hold_up_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(echo, "127.0.0.1", 0) as server, socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with full_queue(full.getsockname()):
            found = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
                for address in (full.getsockname(), ("127.0.0.1", server.port))
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            began = time.monotonic()
            with connect(f"ws://two.example:{server.port}/", timeouts=Timeouts(opening_timeout=10)) as ws:
                assert ws.remote_address == ("127.0.0.1", server.port)
            assert time.monotonic() - began < 5
            found.pop()
            with pytest.raises(ConnectionTimeout):
                connect("ws://one.example/", timeouts=QUICK)


class full_queue:  # noqa: N801  # it reads like a function
    """Takes all places in the queue of a listening socket, so that nobody else is answered."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> None:
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(self._address)
            self._sockets.append(sock)

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets:
            sock.close()


def test_many_clients_at_once() -> None:
    with serve(echo, "127.0.0.1", 0) as server:

        def visit(number: int) -> str | bytes:
            with connect(url(server)) as ws:
                ws.send(str(number))
                return ws.recv(PATIENCE)

        assert [work.result(PATIENCE) for work in [run(visit, number) for number in range(50)]] == [
            str(number) for number in range(50)
        ]
    with serve(drain, "127.0.0.1", 0) as server, connect(url(server), timeouts=Timeouts(opening_timeout=None)) as ws:
        assert ws.can_send
