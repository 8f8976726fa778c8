"""``serve`` on asyncio: where to listen, and options that cannot work."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any, cast

import pytest

from tests.adapters.kit import drain, echo, eventually, url
from wsproto_asyncio import Listener, WebSocket, connect, serve
from wsproto_core import (
    ConnectionClosedOK,
    Headers,
    Request,
    Response,
)

# --- options that cannot work -----------------------------------------------------------------------------------------


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
        cast(Any, serve)(**{"handler": echo, "port": 0, **options})


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


# --- plain HTTP on the same port --------------------------------------------------------------------------------------


def page(ws: WebSocket, request: Request) -> Response | None:
    if request.path == "/health":
        return Response(status=200, headers=Headers({"Content-Type": "text/plain"}), body=b"OK\n")
    if request.path == "/nothing":
        return Response(status=204)
    return None


async def test_curl_gets_the_page() -> None:
    async with serve(echo, "127.0.0.1", 0, process_request=page) as server:
        for version in ("--http1.1", "--http1.0", "--http2"):  # the last asks for an upgrade to HTTP/2, in vain
            curl = await asyncio.create_subprocess_exec(
                "curl", "-sS", version, f"http://127.0.0.1:{server.port}/health", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await curl.communicate()
            assert (curl.returncode, output) == (0, b"OK\n")


# --- the server's own end ---------------------------------------------------------------------------------------------


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


async def test_a_handler_is_forgotten_within_its_last_step() -> None:
    """Without a callback, which would take a turn of the loop."""
    tasks = list[asyncio.Task[Any]]()

    async def handler(ws: WebSocket) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await ws.recv()

    async with serve(handler, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        await eventually(lambda: tasks)
        assert server._tasks == set(tasks)
        await ws.send("over")
        await eventually(tasks[0].done)
        assert server._tasks == set()


async def test_a_handler_that_was_cancelled_before_it_began_holds_up_nobody() -> None:
    async with serve(_never, "127.0.0.1", 0) as server:
        server.spawn(_forever).cancel()
        await asyncio.wait_for(server.close(), 5)


async def _never(ws: WebSocket) -> None:
    raise AssertionError("nobody connects")


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()
