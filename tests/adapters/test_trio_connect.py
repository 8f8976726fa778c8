"""``connect`` on trio: where to, whose nursery, and options that cannot work."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, cast

import pytest
import trio

from tests.adapters.trio_kit import Raw, echo, raw_server, trio_test, url
from wsproto_core import (
    ConnectionFailed,
    ConnectionRefused,
    Timeouts,
)
from wsproto_trio import WebSocket, connect, serve


async def fails(uri: str, kind: type[ConnectionFailed], **options: Any) -> ConnectionFailed:
    """Connect in vain; the exception, which is in no group."""
    with pytest.raises(kind) as caught:
        async with connect(uri, **options):
            pytest.fail("there is a connection")
    return caught.value


@trio_test
async def test_awaited_with_a_nursery_of_the_caller() -> None:
    clients: list[WebSocket] = []
    async with serve(echo, "127.0.0.1", 0) as server, trio.open_nursery() as nursery:
        ws = await connect(url(server), nursery=nursery)
        await ws.send("x")
        assert await ws.recv() == "x"
        await ws.close()
        clients.append(await connect(url(server), nursery=nursery))
        nursery.cancel_scope.cancel()
    report = clients[0].close_report
    assert report is not None
    assert (report.code, report.sent_code) == (1006, 1011)


@trio_test
async def test_without_a_nursery_it_cannot_be_awaited() -> None:
    with pytest.raises(TypeError, match="nursery"):
        await connect("ws://localhost/")
    with pytest.raises(TypeError, match="nursery"):
        await serve(echo, "127.0.0.1", 0)


@trio_test
async def test_a_group_of_the_body_comes_out_whole() -> None:
    group = ExceptionGroup("mine", [ExceptionGroup("inner", [KeyError("a")])])
    async with serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(ExceptionGroup) as caught:
            async with connect(url(server)):
                raise group
        assert caught.value is group
        assert isinstance(group.exceptions[0], ExceptionGroup)
    with pytest.raises(ExceptionGroup) as caught:
        async with serve(echo, "127.0.0.1", 0):
            raise group
    assert caught.value is group


@trio_test
async def test_over_a_unix_socket_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    for _ in range(2):  # what the first one leaves behind does not stop the second
        async with serve(echo, unix_path=path), connect("ws://localhost/x", unix_path=str(path)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
    await fails("ws://localhost/x", ConnectionRefused, unix_path=path)
    await fails("ws://localhost/x", ConnectionFailed, unix_path=tmp_path / "nobody")


@trio_test
async def test_over_a_socket_that_is_already_connected() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        async with connect("ws://somewhere.example/", sock=sock) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
            (there,) = server.connections
            assert there.request is not None
            assert there.request.headers["host"] == "somewhere.example"


@trio_test
async def test_over_a_stream_that_is_already_open() -> None:
    """Any that trio can make, which need not be a socket's."""
    async with serve(echo, "127.0.0.1", 0) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with connect("ws://somewhere.example/", stream=stream) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
    with socket.socket() as sock, pytest.raises(ValueError, match="sock and stream"):
        connect("ws://somewhere.example/", sock=sock, stream=stream)


@pytest.mark.parametrize("name", ["extra_headers", "max_size", "ping_interval", "timeout", "listener"])
def test_an_unknown_keyword_is_a_type_error_at_once(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        connect("ws://localhost/", **{name: 1})  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"uri": "http://localhost/"}, "ws"),
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


@trio_test
async def test_a_name_that_does_not_exist() -> None:
    await fails("ws://does-not-exist.invalid/", ConnectionFailed, timeouts=Timeouts(opening_timeout=5))


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@trio_test
async def test_through_a_proxy(scheme: str) -> None:
    async def proxy(raw: Raw) -> None:
        if scheme == "http":
            target = (await raw.head()).split()[1].decode()
            await raw.send(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            methods = await raw.exactly(2)
            await raw.exactly(methods[1])
            await raw.send(b"\x05\x00")
            await raw.exactly(3)
            kind = (await raw.exactly(1))[0]
            size = 4 if kind == 1 else (await raw.exactly(1))[0]
            await raw.exactly(size)
            target = f"x:{int.from_bytes(await raw.exactly(2), 'big')}"
            await raw.send(b"\x05\x00\x00\x01" + bytes(6))
        there = await trio.open_tcp_stream("127.0.0.1", int(target.rpartition(":")[2]))
        async with there, trio.open_nursery() as nursery:
            nursery.start_soon(pump, raw.stream, there)
            await pump(there, raw.stream)
            nursery.cancel_scope.cancel()

    async with (
        serve(echo, "127.0.0.1", 0) as server,
        raw_server(proxy, handshake=False) as port,
        connect(url(server), proxy=f"{scheme}://127.0.0.1:{port}") as ws,
    ):
        await ws.send("through")
        assert await ws.recv() == "through"


async def pump(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
    while data := await source.receive_some():
        await sink.send_all(data)
