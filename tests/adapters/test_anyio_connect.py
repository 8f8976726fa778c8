"""wsproto_anyio: ``connect``, over every kind of stream, and options that cannot work."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from anyio.streams.stapled import StapledObjectStream

from tests.adapters.anyio_kit import Raw, echo, everywhere, free_port, raw_server
from tests.adapters.kit import TEXT, answer_to, close_frame, frame
from wsproto_anyio import connect, serve
from wsproto_core import (
    ConnectionFailed,
    ConnectionRefused,
    ProxyFailed,
    Timeouts,
)


async def fail_to_connect(uri: str, **options: Any) -> None:
    async with connect(uri, **options):
        pytest.fail("connected")


@everywhere
async def test_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    for _ in range(2):  # what the first one leaves behind does not stop the second
        async with serve(echo, unix_path=path), connect("ws://localhost/x", unix_path=str(path)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
    with pytest.raises(ConnectionFailed):
        await fail_to_connect("ws://localhost/x", unix_path=tmp_path / "nobody")


@everywhere
async def test_over_a_socket_and_over_a_stream_that_are_open_already() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        async with connect("ws://somewhere.example/", sock=sock) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
        stream = await anyio.connect_tcp("127.0.0.1", server.port)
        async with connect("ws://somewhere.example/", stream=stream) as ws:
            assert ws.stream is stream
            await ws.send("x")
            assert await ws.recv() == "x"


@everywhere
async def test_over_a_stream_that_is_no_socket() -> None:
    outward, there = anyio.create_memory_object_stream[bytes](10)
    back, inward = anyio.create_memory_object_stream[bytes](10)

    async def behave() -> None:
        await back.send(answer_to(await there.receive()) + frame(TEXT, b"hello", mask=None))
        assert (await there.receive())[0] == 0x88
        await back.send(close_frame(mask=None))
        await back.aclose()

    async with anyio.create_task_group() as group, there:
        group.start_soon(behave)
        async with connect("ws://memory/", stream=StapledObjectStream(outward, inward)) as ws:
            assert (ws.local_address, ws.remote_address) == (None, None)
            assert await ws.recv() == "hello"
        assert ws.close_report is not None
        assert ws.close_report.clean


@everywhere
async def test_over_a_socket_pair() -> None:
    left, right = socket.socketpair()

    async def behave() -> None:
        right.setblocking(False)
        raw = Raw(await anyio.abc.UNIXSocketStream.from_socket(right))
        await raw.send(answer_to(await raw.head()))
        assert await raw.close_code() == 1000
        await anyio.aclose_forcefully(raw.stream)

    async with anyio.create_task_group() as group:
        group.start_soon(behave)
        async with connect("ws://pair/", sock=left):
            pass


@pytest.mark.parametrize("name", ["extra_headers", "max_size", "listener"])
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
        ({"stream": object(), "sock": socket.socket}, "exclude"),
        ({"ssl": "context"}, "wss"),
    ],
)
def test_an_option_that_cannot_work_is_named_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        cast(Any, connect)(**{"uri": "ws://localhost/", **options})


# --- no connection ----------------------------------------------------------------------------------------------------


@everywhere
async def test_refused_by_every_address_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect_tcp(host: str, port: int) -> None:
        tries = [ConnectionRefusedError(errno.ECONNREFUSED, "no", address) for address in ("::1", "127.0.0.1")]
        raise OSError("All connection attempts failed") from ExceptionGroup("tried", tries)

    monkeypatch.setattr("wsproto_anyio.dialing.connect_tcp", connect_tcp)
    with pytest.raises(ConnectionRefused, match=r"::1.*127\.0\.0\.1"):
        await fail_to_connect("ws://both.example/")


@everywhere
async def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(ConnectionFailed):
        await fail_to_connect("ws://does-not-exist.invalid/", timeouts=Timeouts(opening_timeout=5))


# --- proxies ----------------------------------------------------------------------------------------------------------


@everywhere
async def test_through_an_http_proxy() -> None:
    heads: list[bytes] = []

    async with serve(echo, "127.0.0.1", 0) as server:

        async def proxy(raw: Raw) -> None:
            heads.append(await raw.head())
            async with await anyio.connect_tcp("127.0.0.1", server.port) as onward, anyio.create_task_group() as group:
                await raw.send(b"HTTP/1.1 200 OK\r\n\r\n")

                async def back() -> None:
                    async for data in onward:
                        await raw.send(data)
                    group.cancel_scope.cancel()

                group.start_soon(back)
                async for data in raw.stream:
                    await onward.send(data)
                await onward.send_eof()

        async with (
            raw_server(proxy, handshake=False) as port,
            connect("ws://chat.example:1234/", proxy=f"http://ann:secret@127.0.0.1:{port}") as ws,
        ):
            await ws.send("x")
            assert await ws.recv() == "x"
    assert heads[0].startswith(b"CONNECT chat.example:1234 HTTP/1.1\r\n")
    assert b"roxy-" in heads[0]


@pytest.mark.parametrize("kind", ["refuses", "leaves", "is not there"])
@everywhere
async def test_a_proxy_that_cannot_be_used(kind: str) -> None:
    async def proxy(raw: Raw) -> None:
        await raw.head()
        if kind == "refuses":
            await raw.send(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
            await raw.rest()

    async with raw_server(proxy, handshake=False) as port:
        where = free_port() if kind == "is not there" else port
        with pytest.raises(ProxyFailed):
            await fail_to_connect("ws://chat.example/", proxy=f"http://127.0.0.1:{where}")
