"""wsproto_anyio: ``serve``: where to listen, strangers, and what is left behind."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio
import pytest
from anyio.abc import SocketStream

from tests.adapters.anyio_kit import Raw, echo, eventually, everywhere, url
from tests.adapters.kit import HANDSHAKE
from wsproto_anyio import connect, serve


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
        cast(Any, serve)(**{"handler": echo, "port": 0, **options})


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
            await eventually(lambda: server.reception.everyone)
            if leaves == "by reset":
                await raw.reset()
            else:
                await raw.stream.send_eof()
                await raw.rest()
        await eventually(lambda: not server.reception.everyone)
        async with connect(url(server)) as ws:  # it still serves
            await ws.send("x")
            assert await ws.recv() == "x"
    lines = [record for record in caplog.records if record.name == "wsproto_anyio"]
    assert len(lines) <= 2
    assert all(record.levelno == logging.DEBUG and record.exc_info is None for record in lines)


@everywhere
async def test_a_system_without_more_sockets_is_no_reason_to_stop(caplog: pytest.LogCaptureFixture) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        (door,) = server.listening
        listener = cast(Any, door)._listener
        accept, tries = cast(Callable[[], Awaitable[SocketStream]], listener.accept), 0

        async def fail_once() -> SocketStream:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise OSError(errno.EMFILE, "Too many open files")
            return await accept()

        listener.accept = fail_once  # from the second connection on
        for _ in range(3):
            async with connect(url(server)) as ws:
                await ws.send("x")
                assert await ws.recv() == "x"
    assert ["Too many" in record.getMessage() for record in caplog.records] == [True]


# --- the server's own end ---------------------------------------------------------------------------------------------


@everywhere
async def test_nothing_is_kept_of_connections_that_are_gone() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        for _ in range(5):
            async with connect(url(server)) as ws:
                await ws.send("x")
                assert await ws.recv() == "x"
        await eventually(lambda: not server.reception.everyone and not server._running)
        assert not server.connections
