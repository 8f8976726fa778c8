"""``connect`` on asyncio: where to, how it is awaited, and options that cannot work."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any, cast

import pytest

from tests.adapters.kit import Raw, answer_to, echo, url
from wsproto_asyncio import WebSocket, connect, connect_tcp, serve
from wsproto_core import (
    BasicCredentials,
    CloseCode,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    Request,
    Timeouts,
)


async def seen_by_server(uri_path: str = "/", **options: Any) -> Request:
    """The request that a server sees."""
    requests: list[Request] = []

    def look(ws: WebSocket, request: Request) -> None:
        requests.append(request)

    async with (
        serve(echo, "127.0.0.1", 0, process_request=look) as server,
        connect(options.pop("uri", url(server, uri_path)).replace("PORT", str(server.port)), **options),
    ):
        pass
    (request,) = requests
    return request


async def test_credentials_basic_and_from_the_uri() -> None:
    given = await seen_by_server(credentials=BasicCredentials("ann", "päss:word"))
    assert given.credentials == BasicCredentials("ann", "päss:word")
    from_uri = await seen_by_server(uri="ws://ann:p%40ss@127.0.0.1:PORT/")
    assert from_uri.credentials == BasicCredentials("ann", "p@ss")


async def test_awaited_instead_of_entered() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        ws = await connect(url(server))
        await ws.send("x")
        assert await ws.recv() == "x"
        await ws.close()


async def test_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with serve(echo, unix_path=path) as server, connect("ws://localhost/x", unix_path=str(path)) as ws:
        await ws.send("x")
        assert await ws.recv() == "x"
        (there,) = server.connections
        assert there.request is not None
        assert there.request.headers["host"] == "localhost"
    with pytest.raises(ConnectionFailed):
        await connect("ws://localhost/x", unix_path=tmp_path / "nobody")


async def test_over_a_socket_that_is_already_connected() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        async with connect("ws://somewhere.example/", sock=sock) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
            (there,) = server.connections
            assert there.request is not None
            assert there.request.headers["host"] == "somewhere.example"


async def test_over_a_socket_pair() -> None:
    left, right = socket.socketpair()
    with left:

        async def behave() -> None:
            reader, writer = await asyncio.open_connection(sock=right)
            raw = Raw(reader, writer)
            raw.send(answer_to(await raw.head()))
            assert await raw.close_code() == 1000
            writer.transport.abort()

        async with asyncio.TaskGroup() as group:
            group.create_task(behave())
            async with connect("ws://pair/", sock=left.dup()):
                pass


# --- options that cannot work -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["extra_headers", "additional_headers", "max_size", "ping_interval", "timeout"])
def test_an_unknown_keyword_is_a_type_error_at_once(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        connect("ws://localhost/", **{name: 1})  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"uri": "http://localhost/"}, "ws"),
        ({"uri": "localhost"}, "ws"),
        ({"uri": "ws://localhost/#fragment"}, "fragment"),
        ({"uri": "ws://localhost:99999/"}, "port"),
        ({"headers": {"Sec-WebSocket-Key": "x"}}, "Sec-WebSocket-Key"),
        ({"headers": {"X-A": "a\r\nB: c"}}, "header"),
        ({"headers": {"Host": "other"}}, "Host"),
        ({"subprotocols": "chat"}, "subprotocols"),
        ({"subprotocols": ["a b"]}, "subprotocols"),
        ({"subprotocols": ["a", "a"]}, "subprotocols"),
        ({"unix_path": "/x", "sock": socket.socket}, "exclude"),
        ({"extensions": ["permessage-deflate"]}, "extensions"),
        ({"ssl": "context"}, "wss"),
    ],
)
def test_an_option_that_cannot_work_is_named_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        cast(Any, connect)(**{"uri": "ws://localhost/", **options})


# --- no connection ----------------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_refused_by_every_address_of_a_name() -> None:
    with pytest.raises(ConnectionRefused):
        await connect(f"ws://localhost:{closed_port()}/")


async def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(ConnectionFailed):
        await connect("ws://does-not-exist.invalid/", timeouts=Timeouts(opening_timeout=5))


# --- a server that leaves before anybody looks ------------------------------------------------------------------------


async def test_an_end_that_came_on_the_way_is_told_behind_what_came_before_it() -> None:
    here, there = socket.socketpair()
    with there:
        there.sendall(b"\x00\x00\x00\x02hi")
        there.shutdown(socket.SHUT_WR)
        peer = await connect_tcp(sock=here)
        assert await peer.recv() == b"hi"
        with pytest.raises(ConnectionClosed) as caught:
            await peer.recv()
        assert caught.value.report.code == CloseCode.NO_STATUS_RECEIVED
        await peer.close()


async def test_tls_with_who_has_ended_fails_at_once() -> None:
    here, there = socket.socketpair()
    with there:
        there.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionFailed) as caught:
            await connect("wss://localhost/", sock=here)
        assert not isinstance(caught.value, ConnectionTimeout)
