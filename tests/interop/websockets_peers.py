"""The ``websockets`` library, on asyncio and on threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import websockets.asyncio.client
import websockets.asyncio.server
import websockets.exceptions
import websockets.sync.client
import websockets.sync.server
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

from tests.interop.kit import Ending, Over, oblige
from tests.interop.peers import EVIL, MAX_SIZE, REFUSAL, Guest, InPython, Opening, Papers, Refused
from tests.interop.stepping import Stepped, finish
from wsproto_core import PerMessageDeflate

__all__ = ["WebsocketsAsyncio", "WebsocketsThreads"]

#: Seconds that a thread waits for a pong.
PATIENCE = 20.0


class AwaitedGuest(Guest):
    """A connection of ``websockets`` on asyncio."""

    def __init__(
        self, ws: websockets.asyncio.client.ClientConnection | websockets.asyncio.server.ServerConnection
    ) -> None:
        self._ws: Any = ws
        self.opening = Opening(ws.subprotocol, bool(ws.protocol.extensions))

    async def send(self, message: str | bytes) -> None:
        await self._ws.send(message)

    async def send_parts(self, *parts: str) -> None:
        await self._ws.send(iter(parts))

    async def recv(self) -> str | bytes:
        try:
            message: str | bytes = await self._ws.recv()
        except websockets.exceptions.ConnectionClosed as closed:
            raise (Over(closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else Over(None)) from None
        return message

    async def ping(self) -> None:
        await (await self._ws.ping())

    async def close(self, code: int, reason: str) -> None:
        await self._ws.close(code, reason)

    async def abort(self) -> None:
        self._ws.transport.abort()


class ThreadedGuest(AwaitedGuest):
    """A connection of ``websockets`` on threads."""

    def __init__(self, ws: websockets.sync.client.ClientConnection | websockets.sync.server.ServerConnection) -> None:
        self._blocking = ws
        self._ws = Stepped(ws)
        self.opening = Opening(ws.subprotocol, bool(ws.protocol.extensions))

    async def ping(self) -> None:
        assert self._blocking.ping().wait(PATIENCE)

    async def abort(self) -> None:
        self._blocking.close_socket()


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except websockets.exceptions.InvalidStatus as error:
        raise Refused(error.response.status_code, (error.response.body or b"").decode()) from error


def refuse(ws: Any, request: Any) -> Any:
    """A hook of both its servers."""
    if request.path != "/refuse" and request.headers.get("Origin") != EVIL:
        return None
    response = ws.respond(403, REFUSAL)
    response.headers["X-Why"] = "closed"
    return response


def parameters(deflate: PerMessageDeflate) -> dict[str, Any]:
    """The same in its words."""
    return {
        "server_no_context_takeover": deflate.server_no_context_takeover,
        "client_no_context_takeover": deflate.client_no_context_takeover,
        "server_max_window_bits": deflate.server_max_window_bits,
        "client_max_window_bits": deflate.client_max_window_bits,
    }


def client_options(deflate: PerMessageDeflate | None, papers: Papers | None) -> dict[str, Any]:
    return {
        "compression": None,
        "extensions": [ClientPerMessageDeflateFactory(**parameters(deflate))] if deflate else None,
        "max_size": MAX_SIZE,
        "subprotocols": ["x", "chat"],
        "ssl": papers.client() if papers else None,
        "proxy": None,
    }


def server_options(deflate: PerMessageDeflate | None, papers: Papers | None) -> dict[str, Any]:
    return {
        "compression": None,
        "extensions": [ServerPerMessageDeflateFactory(**parameters(deflate))] if deflate else None,
        "max_size": MAX_SIZE,
        "subprotocols": ["chat"],
        "select_subprotocol": lambda ws, offered: "chat" if "chat" in offered else None,
        "ssl": papers.server() if papers else None,
        "process_request": refuse,
    }


class WebsocketsAsyncio(InPython):
    name = "websockets"

    @contextlib.asynccontextmanager
    async def connect(self, uri: str, deflate: PerMessageDeflate | None, papers: Papers | None) -> AsyncIterator[Guest]:
        with refusals():
            ws = await websockets.asyncio.client.connect(uri, **client_options(deflate, papers))
        async with ws:
            yield AwaitedGuest(ws)

    @contextlib.asynccontextmanager
    async def listen(
        self, endings: list[Ending], deflate: PerMessageDeflate | None, papers: Papers | None
    ) -> AsyncIterator[int]:
        async def handler(ws: websockets.asyncio.server.ServerConnection) -> None:
            endings.append(await oblige(AwaitedGuest(ws)))

        options = server_options(deflate, papers)
        async with websockets.asyncio.server.serve(handler, "127.0.0.1", 0, **options) as server:
            yield next(iter(server.sockets)).getsockname()[1]


class WebsocketsThreads(InPython):
    name = "websockets-threads"

    @contextlib.asynccontextmanager
    async def connect(self, uri: str, deflate: PerMessageDeflate | None, papers: Papers | None) -> AsyncIterator[Guest]:
        with refusals():
            ws = websockets.sync.client.connect(uri, **client_options(deflate, papers))
        with ws:
            yield ThreadedGuest(ws)

    @contextlib.asynccontextmanager
    async def listen(
        self, endings: list[Ending], deflate: PerMessageDeflate | None, papers: Papers | None
    ) -> AsyncIterator[int]:
        def handler(ws: websockets.sync.server.ServerConnection) -> None:
            endings.append(finish(oblige(ThreadedGuest(ws))))

        with websockets.sync.server.serve(handler, "127.0.0.1", 0, **server_options(deflate, papers)) as server:
            serving = threading.Thread(target=server.serve_forever)
            serving.start()
            try:
                yield server.socket.getsockname()[1]
            finally:
                server.shutdown()
                serving.join()
