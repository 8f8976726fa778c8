"""trio against a library that nobody here wrote: ``websockets``, whose other end is a thread."""

from __future__ import annotations

import contextlib
import functools
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.to_thread
import websockets.exceptions
import websockets.sync.client
import websockets.sync.server

from tests.adapters.kit import Authority
from tests.adapters.trio_kit import echo, trio_test, url
from wsproto_core import ConnectionClosedError, PerMessageDeflate
from wsproto_trio import connect, serve

pytestmark = pytest.mark.interop

SIZES = [0, 1, 125, 126, 65535, 65536, 1_000_000]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@contextlib.contextmanager
def its_server(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Its echo server, in threads; yields the port."""

    def handler(ws: websockets.sync.server.ServerConnection) -> None:
        for message in ws:
            if message == "close":
                ws.close(4321, "as you wish")
            elif message == "fragments":
                ws.send(iter(["a", "b", "c"]))
            else:
                ws.send(message)

    with websockets.sync.server.serve(handler, "127.0.0.1", 0, ssl=context) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield int(server.socket.getsockname()[1])
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])
@pytest.mark.parametrize("secure", [False, True])
def test_our_client_and_its_server(compression: PerMessageDeflate | None, secure: bool, authority: Authority) -> None:
    with its_server(authority.server() if secure else None) as port:

        @trio_test
        async def scenario() -> None:
            options: dict[str, Any] = {"ssl": authority.client()} if secure else {}
            scheme = "wss" if secure else "ws"
            async with connect(f"{scheme}://127.0.0.1:{port}/", compression=compression, **options) as ws:
                assert ws.extensions == (("permessage-deflate",) if compression else ())
                for size in SIZES:
                    for message in ("é" * (size // 2), bytes(size)):
                        await ws.send(message)
                        assert await ws.recv() == message
                assert await ws.ping() > 0
                await ws.send("fragments")
                assert await ws.recv() == "abc"
                await ws.send("close")
                with pytest.raises(ConnectionClosedError, match="as you wish"):
                    await ws.recv()
            async with connect(f"{scheme}://127.0.0.1:{port}/", **options) as ws:
                pass
            assert ws.close_report is not None
            assert ws.close_report.ok

        scenario()


def talk(uri: str, **options: Any) -> None:
    """Its client's part."""
    with websockets.sync.client.connect(uri, max_size=None, **options) as ws:
        for size in SIZES:
            for message in ("é" * (size // 2), bytes(size)):
                ws.send(message)
                assert ws.recv() == message
        ws.send(iter(["frag", "ments"]))
        assert ws.recv() == "fragments"
        assert ws.ping().wait(5)
        ws.close(4000, "bye")
        with pytest.raises(websockets.exceptions.ConnectionClosedError) as caught:
            ws.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 4000


@pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])
@pytest.mark.parametrize("secure", [False, True])
@trio_test
async def test_its_client_and_our_server(
    compression: PerMessageDeflate | None, secure: bool, authority: Authority
) -> None:
    context = authority.server() if secure else None
    async with serve(echo, "127.0.0.1", 0, compression=compression, ssl=context) as server:
        options: dict[str, Any] = {"ssl": authority.client()} if secure else {}
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                work = functools.partial(talk, url(server, secure=secure), **options)
                nursery.start_soon(trio.to_thread.run_sync, work)
