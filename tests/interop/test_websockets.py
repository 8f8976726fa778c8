"""The ``websockets`` library, asyncio and threads, in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import websockets.asyncio.client
import websockets.asyncio.server
import websockets.exceptions
import websockets.sync.client
import websockets.sync.server
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

from tests.adapters.kit import url
from tests.interop.kit import ALL_DEFLATE, LARGE, MESSAGES, echo_all, talk
from wsproto_asyncio import connect, serve
from wsproto_core import (
    ConnectionClosedError,
    ConnectionClosedOK,
    HandshakeRejected,
    PerMessageDeflate,
    Request,
    Response,
)

HUGE: dict[str, Any] = {"max_size": 20_000_000}


def offer_of(deflate: PerMessageDeflate) -> ClientPerMessageDeflateFactory:
    """The same, in its words."""
    return ClientPerMessageDeflateFactory(
        server_no_context_takeover=deflate.server_no_context_takeover,
        client_no_context_takeover=deflate.client_no_context_takeover,
        server_max_window_bits=deflate.server_max_window_bits,
        client_max_window_bits=deflate.client_max_window_bits,
    )


@contextlib.asynccontextmanager
async def its_server(**options: Any) -> AsyncIterator[str]:
    """Its asyncio echo server."""

    async def handler(ws: websockets.asyncio.server.ServerConnection) -> None:
        async for message in ws:
            if message == "ping me":
                await (await ws.ping(b"from websockets"))
                await ws.send("ponged")
            elif message == "fragments":
                await ws.send(iter(["a", "b", "c"]))
            elif isinstance(message, str) and message.startswith("close "):
                _, code, reason = message.split(" ")
                await ws.close(int(code), reason)
            else:
                await ws.send(message)

    options = {"compression": None, **HUGE, **options}
    async with websockets.asyncio.server.serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"


async def everything(uri: str, compression: PerMessageDeflate | None) -> None:
    """Our client through all that an echo server can do."""
    async with connect(uri, compression=compression, limits=LARGE) as ws:
        assert bool(ws.extensions) == (compression is not None)
        await talk(ws)
        await ws.send_fragment("fra", final=False)
        assert await ws.ping() >= 0
        await ws.send_fragment("gments", final=True)
        assert await ws.recv() == "abc"
        await ws.send("ping me")
        assert await ws.recv() == "ponged"


async def test_its_server() -> None:
    async with its_server() as uri:
        await everything(uri, None)


@pytest.mark.parametrize("deflate", ALL_DEFLATE)
async def test_its_server_agrees_to_our_offer(deflate: PerMessageDeflate) -> None:
    async with its_server(compression="deflate") as uri:
        await everything(uri, deflate)


@pytest.mark.parametrize("deflate", ALL_DEFLATE)
async def test_its_server_makes_terms(deflate: PerMessageDeflate) -> None:
    terms = ServerPerMessageDeflateFactory(
        server_no_context_takeover=deflate.server_no_context_takeover,
        client_no_context_takeover=deflate.client_no_context_takeover,
        server_max_window_bits=deflate.server_max_window_bits,
        client_max_window_bits=deflate.client_max_window_bits,
    )
    async with its_server(extensions=[terms]) as uri:
        await everything(uri, PerMessageDeflate(threshold=0))


async def test_its_server_closes_and_refuses() -> None:
    async with its_server() as uri:
        for code in (1000, 1001, 1011, 3000, 4999):
            ws = await connect(uri)
            await ws.send(f"close {code} tschüß")
            with pytest.raises(ConnectionClosedOK if code < 1002 else ConnectionClosedError):
                await ws.recv()
            report = await ws.wait_closed()
            assert (report.code, report.reason, report.clean) == (code, "tschüß", True)
    async with its_server(subprotocols=["chat"], origins=["https://example.com"]) as uri:
        async with connect(uri, subprotocols=["x", "chat"], origin="https://example.com") as ws:
            assert ws.subprotocol == "chat"
        with pytest.raises(HandshakeRejected, match="403"):
            await connect(uri, subprotocols=["chat"], origin="https://evil.com")


@pytest.mark.parametrize("deflate", [None, *ALL_DEFLATE])
async def test_its_client(deflate: PerMessageDeflate | None) -> None:
    accepted = PerMessageDeflate() if deflate else None
    options: dict[str, Any] = {"compression": None, "extensions": [offer_of(deflate)] if deflate else None, **HUGE}
    async with (
        serve(echo_all, "127.0.0.1", 0, compression=accepted, limits=LARGE) as server,
        websockets.asyncio.client.connect(url(server), **options) as ws,
    ):
        assert len(ws.protocol.extensions) == (1 if deflate else 0)
        await talk(ws)
        assert await (await ws.ping()) >= 0
        await ws.send("ping me")
        assert await ws.recv() == "pong after some time"
        await ws.send(iter(["frag", "ments"]))
        assert await ws.recv() == "abc"


@pytest.mark.parametrize("deflate", ALL_DEFLATE)
async def test_its_client_agrees_to_our_terms(deflate: PerMessageDeflate) -> None:
    async with (
        serve(echo_all, "127.0.0.1", 0, compression=deflate, limits=LARGE) as server,
        websockets.asyncio.client.connect(url(server), compression="deflate", **HUGE) as ws,
    ):
        await talk(ws, MESSAGES)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
async def test_close_codes_with_its_client(code: int) -> None:
    reports = []

    async def handler(ws: Any) -> None:
        await echo_all(ws)

    async with serve(handler, "127.0.0.1", 0) as server:
        async with websockets.asyncio.client.connect(url(server)) as ws:
            await ws.send(f"close {code} tschüß")
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                await ws.recv()
            assert (ws.close_code, ws.close_reason) == (code, "tschüß")
        async with websockets.asyncio.client.connect(url(server)) as ws:
            await ws.send("x")
            await ws.recv()
            (there,) = server.connections
            await ws.close(code, "tschüß")
            reports.append(await there.wait_closed())
    assert [(report.code, report.reason, report.clean) for report in reports] == [(code, "tschüß", True)]


async def test_its_client_is_refused_and_told_why() -> None:
    def refuse(ws: object, request: Request) -> Response:
        return Response(status=401, body=b"who are you?")

    async with serve(echo_all, "127.0.0.1", 0, process_request=refuse) as server:
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
            async with websockets.asyncio.client.connect(url(server)):
                pass
        assert caught.value.response.status_code == 401
        assert caught.value.response.body == b"who are you?"


async def test_its_client_learns_of_its_offences() -> None:
    async with (
        serve(echo_all, "127.0.0.1", 0) as server,
        websockets.asyncio.client.connect(url(server), compression=None) as ws,
    ):
        await ws.send(bytes((1 << 20) + 1))
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            await ws.recv()
        assert ws.close_code == 1009


# --- its threads ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_its_threaded_client(compression: str | None) -> None:
    deflate = PerMessageDeflate() if compression else None

    def run(uri: str) -> None:
        with websockets.sync.client.connect(uri, compression=compression, **HUGE) as ws:
            for message in MESSAGES:
                ws.send(message)
                assert ws.recv() == message
            assert ws.ping().wait(10)
            ws.send(iter(["frag", "ments"]))
            assert ws.recv() == "abc"
            ws.close(4000, "bye")

    async with serve(echo_all, "127.0.0.1", 0, compression=deflate, limits=LARGE) as server:
        await asyncio.to_thread(run, url(server))


@pytest.fixture(params=[None, "deflate"])
def threaded_server(request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    def handler(ws: websockets.sync.server.ServerConnection) -> None:
        for message in ws:
            if message == "ping me":
                assert ws.ping().wait(10)
                ws.send("ponged")
            elif message == "fragments":
                ws.send(iter(["a", "b", "c"]))
            else:
                ws.send(message)

    with websockets.sync.server.serve(handler, "127.0.0.1", 0, compression=request.param, **HUGE) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/", request.param is not None
        server.shutdown()
        thread.join()


async def test_its_threaded_server(threaded_server: tuple[str, bool]) -> None:
    uri, compressed = threaded_server
    await everything(uri, PerMessageDeflate() if compressed else None)
