"""Other libraries as servers, each in the way its own documentation shows, with its checks on and its extras off.

Keepalive is off where it is on by default, since it does no work in so short a time but keeps timers.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wish import LARGEST, NEWS, Wish, forever

if TYPE_CHECKING:
    import aiohttp.web

__all__ = [
    "serve_aiohttp",
    "serve_node",
    "serve_picows",
    "serve_picows_websockets",
    "serve_trio_websocket",
    "serve_websockets",
    "serve_websockets_sync",
    "serve_websockets_trio",
]

NODE_SERVER: Final = Path(__file__).with_name("server.js")
NODE_MODULES: Final = Path(__file__).resolve().parent.parent / "tests" / "interop" / "node" / "node_modules"


async def serve_websockets(wish: Wish) -> None:
    """``websockets``, a coroutine for each connection."""
    from websockets.asyncio.server import broadcast, serve

    async def speak(ws: Any) -> None:
        async for _ in ws:
            broadcast(server.connections, NEWS)

    server = await serve(speak if wish.broadcasts else _echo, sock=wish.sock, **_like_websockets(wish))
    await forever()


async def serve_picows_websockets(wish: Wish) -> None:
    """The interface of ``websockets`` that comes with ``picows``."""
    from picows.websockets.asyncio.server import serve

    await serve(_echo, sock=wish.sock, **_like_websockets(wish))
    await forever()


def serve_websockets_sync(wish: Wish) -> None:
    """``websockets`` on blocking sockets, a thread for each connection."""
    from websockets.sync.server import ServerConnection, serve

    def echo(ws: ServerConnection) -> None:
        for message in ws:
            ws.send(message)

    with serve(echo, sock=wish.sock, **_like_websockets(wish)) as server:
        server.serve_forever()


def serve_websockets_trio(wish: Wish) -> None:
    """``websockets`` on trio."""
    import trio
    from websockets.trio.server import serve

    async def main() -> None:
        wish.sock.setblocking(False)
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(wish.sock))]
        await serve(_echo, listeners=listeners, **_like_websockets(wish))

    trio.run(main)


async def _echo(ws: Any) -> None:
    async for message in ws:
        await ws.send(message)


def _like_websockets(wish: Wish) -> dict[str, Any]:
    compression = "deflate" if wish.deflate else None
    return {"compression": compression, "max_size": LARGEST, "ping_interval": None, "ssl": wish.ssl}


async def serve_aiohttp(wish: Wish) -> None:
    """``aiohttp``."""
    from aiohttp import WSMsgType, web

    everybody: set[web.WebSocketResponse] = set()

    async def handle(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=wish.deflate, max_msg_size=LARGEST)
        await ws.prepare(request)
        everybody.add(ws)
        async for message in ws:
            if wish.broadcasts:
                for each in everybody:
                    await each.send_str(NEWS)
            elif message.type is WSMsgType.TEXT:
                await ws.send_str(message.data)
            else:
                await ws.send_bytes(message.data)
        everybody.discard(ws)
        return ws

    await _serve_application(handle, wish)


async def _serve_application(handle: Callable[[Any], Awaitable[aiohttp.web.StreamResponse]], wish: Wish) -> None:
    from aiohttp import web

    application = web.Application()
    application.router.add_get("/", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.SockSite(runner, wish.sock, ssl_context=wish.ssl).start()
    await forever()


async def serve_picows(wish: Wish) -> None:
    """``picows``, by its listeners, which get frames and need not make messages of them."""
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

    everybody: set[WSTransport] = set()
    news = NEWS.encode()

    class Echo(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type is WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
                transport.disconnect()
            else:
                transport.send(frame.msg_type, frame.get_payload_as_memoryview())

    class Speaker(WSListener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            everybody.add(transport)

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002  # only a trigger
            for each in everybody:
                each.send(WSMsgType.TEXT, news)

    listener = Speaker if wish.broadcasts else Echo
    await ws_create_server(lambda _: listener(), sock=wish.sock, max_frame_size=LARGEST)
    await forever()


def serve_trio_websocket(wish: Wish) -> None:
    """``trio-websocket``."""
    import trio
    from trio_websocket import ConnectionClosed, WebSocketRequest, WebSocketServer

    async def echo(request: WebSocketRequest) -> None:
        ws = await request.accept()
        while True:
            try:
                await ws.send_message(await ws.get_message())
            except ConnectionClosed:
                return

    async def main() -> None:
        wish.sock.setblocking(False)
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(wish.sock))
        await WebSocketServer(echo, [listener], max_message_size=LARGEST).run()

    trio.run(main)


def serve_node(wish: Wish) -> None:
    """``ws`` on Node, in the place of this process."""
    os.set_inheritable(wish.sock.fileno(), True)
    environment = os.environ | {"NODE_PATH": str(NODE_MODULES)}
    deflate = "deflate" if wish.deflate else "plain"
    role = "speak" if wish.broadcasts else "echo"
    os.execvpe("node", ["node", str(NODE_SERVER), str(wish.sock.fileno()), role, deflate], environment)
