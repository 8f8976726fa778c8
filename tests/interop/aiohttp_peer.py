"""The ``aiohttp`` library."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web

from tests.adapters.kit import eventually
from tests.interop.kit import Ending, Over, oblige
from tests.interop.peers import EVIL, MAX_SIZE, REFUSAL, Guest, InPython, Opening, Papers, Refused
from wsproto_core import PerMessageDeflate

__all__ = ["Aiohttp"]


class AiohttpGuest(Guest):
    """A connection of ``aiohttp``, which neither fragments nor waits for pongs."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse | web.WebSocketResponse) -> None:
        self._ws = ws

    async def send(self, message: str | bytes) -> None:
        await (self._ws.send_str(message) if isinstance(message, str) else self._ws.send_bytes(message))

    async def send_parts(self, *parts: str) -> None:
        await self.send("".join(parts))

    async def recv(self) -> str | bytes:
        received = await self._ws.receive()
        if received.type is aiohttp.WSMsgType.CLOSE:
            raise Over(received.data, received.extra)
        if received.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            raise Over(self._ws.close_code)
        message: str | bytes = received.data
        return message

    async def ping(self) -> None:
        await self._ws.ping()

    async def close(self, code: int, reason: str) -> None:
        await self._ws.close(code=code, message=reason.encode())

    async def abort(self) -> None:
        raise NotImplementedError("its client cannot")


class AiohttpHost(AiohttpGuest):
    """The server's end."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        super().__init__(ws)
        self._request = request

    async def abort(self) -> None:
        assert self._request.transport is not None
        self._request.transport.abort()


class Aiohttp(InPython):
    """Its only parameter is the size of the client's own window; its server agrees to whatever it is offered."""

    name = "aiohttp"

    @contextlib.asynccontextmanager
    async def connect(self, uri: str, deflate: PerMessageDeflate | None, papers: Papers | None) -> AsyncIterator[Guest]:
        options: dict[str, Any] = {
            "compress": (deflate.client_max_window_bits or 15) if deflate else 0,
            "max_msg_size": MAX_SIZE,
            "protocols": ["x", "chat"],
            "ssl": papers.client() if papers else True,
        }
        async with aiohttp.ClientSession() as session:
            try:
                ws = await session.ws_connect(uri, **options)
            except aiohttp.WSServerHandshakeError as error:
                raise Refused(error.status) from error
            async with ws:
                guest = AiohttpGuest(ws)
                guest.opening = Opening(ws.protocol, bool(ws.compress))
                sock = ws.get_extra_info("socket")
                yield guest
        await eventually(lambda: sock.fileno() < 0)  # its session does not wait for the end of TLS

    @contextlib.asynccontextmanager
    async def listen(
        self, endings: list[Ending], deflate: PerMessageDeflate | None, papers: Papers | None
    ) -> AsyncIterator[int]:
        async def handler(request: web.Request) -> web.StreamResponse:
            if request.path == "/refuse" or request.headers.get("Origin") == EVIL:
                return web.Response(status=403, text=REFUSAL, headers={"X-Why": "closed"})
            ws = web.WebSocketResponse(compress=deflate is not None, max_msg_size=MAX_SIZE, protocols=["chat"])
            await ws.prepare(request)
            endings.append(await oblige(AiohttpHost(ws, request)))
            return ws

        application = web.Application()
        application.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=papers.server() if papers else None).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()
