"""``aiohttp``, client and server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.adapters.kit import url
from tests.interop.kit import LARGE, MESSAGES, echo_all, talk
from wsproto_asyncio import connect, serve
from wsproto_core import HandshakeRejected, PerMessageDeflate, Request, Response

MAXIMUM = 20_000_000


class Adapter:
    """Its client connection, with the names that everybody else has."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            await self._ws.send_str(message)
        else:
            await self._ws.send_bytes(message)

    async def recv(self) -> Any:
        return (await self._ws.receive()).data


@contextlib.asynccontextmanager
async def its_server(*, compress: bool) -> AsyncIterator[str]:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/refuse":
            return web.Response(status=403, text="no entry")
        ws = web.WebSocketResponse(compress=compress, max_msg_size=MAXIMUM, protocols=["chat"])
        await ws.prepare(request)
        async for message in ws:
            if message.type is aiohttp.WSMsgType.TEXT and message.data.startswith("close "):
                _, code, reason = message.data.split(" ")
                await ws.close(code=int(code), message=reason.encode())
            elif message.type is aiohttp.WSMsgType.TEXT:
                await ws.send_str(message.data)
            else:
                await ws.send_bytes(message.data)
        return ws

    application = web.Application()
    application.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "deflate",
    [
        None,
        PerMessageDeflate(),
        PerMessageDeflate(threshold=0),
        PerMessageDeflate(client_no_context_takeover=True),
        PerMessageDeflate(server_no_context_takeover=True),
        PerMessageDeflate(server_max_window_bits=9),
        PerMessageDeflate(client_max_window_bits=9),
    ],
)
async def test_its_server(deflate: PerMessageDeflate | None) -> None:
    async with (
        its_server(compress=True) as address,
        connect(address + "/ws", compression=deflate, limits=LARGE, subprotocols=["chat"]) as ws,
    ):
        assert ws.subprotocol == "chat"
        await talk(ws)
        await ws.send_fragment("frag", final=False)
        assert await ws.ping() >= 0
        await ws.send_fragment("ments", final=True)
        assert await ws.recv() == "fragments"


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
async def test_its_server_closes(code: int) -> None:
    async with its_server(compress=False) as address:
        ws = await connect(address + "/ws")
        await ws.send(f"close {code} tschüß")
        report = await ws.wait_closed()
        assert (report.code, report.reason, report.clean) == (code, "tschüß", True)
        ws = await connect(address + "/ws")
        await ws.close(code, "bye")
        report = await ws.wait_closed()
        assert report.clean


async def test_its_server_refuses() -> None:
    async with its_server(compress=False) as address:
        with pytest.raises(HandshakeRejected) as caught:
            await connect(address + "/refuse")
        assert (caught.value.status, caught.value.body) == (403, b"no entry")


@pytest.mark.parametrize("compress", [0, 9, 15])
async def test_its_client(compress: int) -> None:
    accepted = PerMessageDeflate(threshold=0)
    async with (
        serve(echo_all, "127.0.0.1", 0, compression=accepted, limits=LARGE, subprotocols=["chat"]) as server,
        aiohttp.ClientSession() as session,
    ):
        options: dict[str, Any] = {"compress": compress, "max_msg_size": MAXIMUM, "protocols": ["x", "chat"]}
        async with session.ws_connect(url(server), **options) as ws:
            assert ws.protocol == "chat"
            assert bool(ws.compress) == bool(compress)
            await talk(Adapter(ws), MESSAGES)
            await ws.send_str("ping me")
            assert (await ws.receive()).data == "pong after some time"
            await ws.send_str("fragments")
            assert (await ws.receive()).data == "abc"
            await ws.send_str("close 4001 tschüß")
            last = await ws.receive()
            assert (last.type, last.data, last.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "tschüß")


async def test_its_client_closes_and_is_refused() -> None:
    def refuse(ws: object, request: Request) -> Response | None:
        return Response(status=403) if request.path == "/refuse" else None

    async with serve(echo_all, "127.0.0.1", 0, process_request=refuse) as server, aiohttp.ClientSession() as session:
        async with session.ws_connect(url(server)) as ws:
            await ws.send_str("x")
            await ws.receive()
            (there,) = server.connections
            await ws.close(code=4000, message=b"bye")
            report = await there.wait_closed()
            assert (report.code, report.reason, report.clean) == (4000, "bye", True)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(url(server, "/refuse"))
        assert caught.value.status == 403
