"""``serve`` on trio: where to listen, in whose nursery, and what ends it."""

from __future__ import annotations

import errno
import logging
import socket
from typing import Any, cast

import pytest
import trio

from tests.adapters.kit import HANDSHAKE
from tests.adapters.trio_kit import Raw, echo, eventually, trio_test, url
from wsproto_core import (
    HandshakeRejected,
)
from wsproto_trio import Server, WebSocket, connect, serve


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
        ({"extensions": ["permessage-deflate"]}, "extensions"),
        ({"port": None, "unix_path": "/x", "reuse_port": True}, "reuse_port"),
        ({"max_size": 5}, "max_size"),
    ],
)
def test_an_option_that_cannot_work_is_named_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        cast(Any, serve)(**{"handler": echo, "port": 0, **options})


@trio_test
async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(OSError, match="in use"):
            async with serve(echo, "127.0.0.1", server.port):
                pytest.fail("it listens")


@trio_test
async def test_where_to_listen() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    async with serve(echo, sock=sock) as server, connect(url(server)) as ws:
        await ws.send("x")
        assert await ws.recv() == "x"
    async with serve(echo, ["127.0.0.1", "127.0.0.2"], 0) as server:
        assert len(server.sockets) == 2
    async with serve(echo, None, 0) as server, connect(url(server)) as ws:
        pass
    async with (
        serve(echo, "127.0.0.1", 0, reuse_port=True) as first,
        serve(echo, "127.0.0.1", first.port, reuse_port=True) as second,
    ):
        assert first.port == second.port


@trio_test
async def test_started_in_a_nursery() -> None:
    async with trio.open_nursery() as nursery:
        server: Server[Any] = await nursery.start(serve(echo, "127.0.0.1", 0))
        async with connect(url(server)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
        await server.close()  # which ends the task


async def status_of(server: Server[Any], **options: Any) -> int:
    """101, or the status of the refusal."""
    try:
        async with connect(url(server), **options):
            pass
    except HandshakeRejected as rejected:
        return rejected.status
    return 101


# --- plain HTTP on the same port --------------------------------------------------------------------------------------


STRAYS = [b"", b"GET / HTTP/1.1\r\nHo", b"\x00\xff\xfe\r\n\r\n", b"\x16\x03\x01\x02\x00\x01" + bytes(500), HANDSHAKE]


@pytest.mark.parametrize("sent", STRAYS)
@pytest.mark.parametrize("leaves", ["orderly", "by reset"])
def test_a_stray_visitor_is_one_debug_line_at_the_most(
    sent: bytes, leaves: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    @trio_test
    async def scenario() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            caplog.clear()
            async with Raw.connect(server.port, handshake=False) as raw:
                await raw.send(sent)
                if leaves == "by reset":
                    raw.reset()
                else:
                    await raw.send_eof()
                    await raw.rest()
            await eventually(lambda: not server.reception.everyone)
            assert await status_of(server) == 101
            assert len([record for record in caplog.records if "1000" not in record.getMessage()]) <= 1

    scenario()
    assert all(record.levelno == logging.DEBUG for record in caplog.records)


# --- how many may come in ---------------------------------------------------------------------------------------------


@trio_test
async def test_running_out_of_files_is_a_pause() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        (listening,) = server.sockets
        accept, failures = listening.accept, 2

        async def exhausted() -> Any:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise OSError(errno.EMFILE, "Too many open files")
            return await accept()

        listening.accept = exhausted  # the machine has no room
        for _ in range(2):
            async with connect(url(server)) as ws:
                await ws.send("x")
                assert await ws.recv() == "x"


# --- the server's own end ---------------------------------------------------------------------------------------------


@trio_test
async def test_the_body_of_the_server_raises() -> None:
    opened: list[WebSocket] = []
    with pytest.raises(KeyError) as caught:  # noqa: PT012  # the block is what raises
        async with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
            opened.append(ws)
            raise KeyError("mine")
    assert caught.value.__context__ is None
    report = opened[0].close_report
    assert report is not None
    assert report.sent_code == 1011


@trio_test
async def test_cancelling_the_whole_scope_cleans_up() -> None:
    ended: list[str] = []

    async def stubborn(ws: WebSocket) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("handler")
            raise KeyError("while it is cancelled")  # which is logged, and leaks nowhere

    sockets: list[trio.socket.SocketType] = []
    with trio.CancelScope() as scope:
        async with serve(stubborn, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
            sockets.append(raw.socket.dup())
            await eventually(lambda: server.connections)
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert ended == ["handler"]
    assert trio.lowlevel.current_task().child_nurseries == []
    with sockets[0] as sock:
        data = b""
        while piece := await sock.recv(1000):
            data += piece
    assert data in (b"\x88\x02\x03\xe9", b"\x88\x02\x03\xf3")  # 1001 or, for the handler's exception, 1011
