"""wsproto_anyio and the ``websockets`` library, whose server and client run in a thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import anyio.to_thread
import pytest
from websockets.exceptions import ConnectionClosed as TheirConnectionClosed
from websockets.sync.client import connect as their_connect
from websockets.sync.server import ServerConnection as TheirConnection
from websockets.sync.server import serve as their_serve

from tests.adapters.anyio_kit import echo, everywhere, url
from tests.adapters.kit import Authority
from wsproto_anyio import WebSocket, connect, serve
from wsproto_core import PerMessageDeflate

pytestmark = pytest.mark.interop

MESSAGES: list[str | bytes] = ["", "x", "é" * 1000, b"", bytes(range(256)) * 100, bytes(1_000_000)]


def their_echo(ws: TheirConnection) -> None:
    for message in ws:
        if message == "close":
            ws.close(4001, "as you wish")
            return
        ws.send(message)


@contextlib.contextmanager
def their_server(authority: Authority | None = None) -> Iterator[int]:
    context = None if authority is None else authority.server()
    with their_serve(their_echo, "127.0.0.1", 0, ssl=context, max_size=2_000_000) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])
@everywhere
async def test_our_client_and_their_server(
    secure: bool, compression: PerMessageDeflate | None, authority: Authority
) -> None:
    with their_server(authority if secure else None) as port:
        uri = f"{'wss' if secure else 'ws'}://127.0.0.1:{port}/"
        context = authority.client() if secure else None
        async with connect(uri, compression=compression, ssl=context) as ws:
            assert ws.extensions == (("permessage-deflate",) if compression else ())
            for message in MESSAGES:
                await ws.send(message)
                assert await ws.recv() == message
            await ws.send_fragment("a", final=False)
            assert await ws.ping() >= 0
            await ws.send_fragment("b", final=True)
            assert await ws.recv() == "ab"
        assert ws.close_report is not None
        assert ws.close_report.ok
        async with connect(uri, ssl=context) as ws:
            await ws.send("close")
            report = await ws.wait_closed()
            assert (report.code, report.reason, report.clean) == (4001, "as you wish", True)


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("compression", [None, "deflate"])
@everywhere
async def test_our_server_and_their_client(secure: bool, compression: str | None, authority: Authority) -> None:
    codes: list[int] = []

    async def handler(ws: WebSocket) -> None:
        await echo(ws)
        codes.append((await ws.wait_closed()).code)

    def talk(uri: str) -> None:
        context = authority.client() if secure else None
        with their_connect(uri, compression=compression, ssl=context, max_size=2_000_000) as ws:
            for message in MESSAGES:
                ws.send(message)
                assert ws.recv() == message
            assert ws.ping().wait(5)
            ws.send(iter(["a", "b"]))
            assert ws.recv() == "ab"

    async with serve(
        handler, "127.0.0.1", 0, ssl=authority.server() if secure else None, compression=PerMessageDeflate()
    ) as server:
        await anyio.to_thread.run_sync(talk, url(server, secure=secure))
    assert codes == [1000]


@everywhere
async def test_their_client_learns_of_our_close() -> None:
    async def bye(ws: WebSocket) -> None:
        await ws.close(4002, "bye")

    def talk(uri: str) -> tuple[int, str]:
        with their_connect(uri) as ws, pytest.raises(TheirConnectionClosed) as caught:
            ws.recv()
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code, caught.value.rcvd.reason

    async with serve(bye, "127.0.0.1", 0) as server:
        assert await anyio.to_thread.run_sync(talk, url(server)) == (4002, "bye")
