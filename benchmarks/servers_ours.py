"""Our adapters as servers, as a user would write them, with keepalive off, as it is for everybody else.

It would do no work in so short a time, but keep a timer: a loop that has one looks at the clock in every turn.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, Final

from wish import LARGEST, NEWS, Wish, forever

import wsproto_asyncio
import wsproto_sockets
from wsproto_core import ConnectionClosed, Limits, PerMessageDeflate, ServeOptions, Timeouts

__all__ = ["serve_anyio", "serve_coroutine", "serve_listener", "serve_sockets", "serve_trio", "serve_workers"]

#: Where sockets that are handed down begin: ``sd_listen_fds(3)``.
FIRST_DESCRIPTOR: Final = 3


class Echo(wsproto_asyncio.Listener):
    """Sends back what comes."""

    def received(self, ws: wsproto_asyncio.WebSocket, message: Any) -> None:
        ws.send_nowait(message)


def options(wish: Wish) -> ServeOptions:
    return {
        "timeouts": Timeouts(ping_interval=None),
        "limits": Limits(message_size=LARGEST, outbox_size=4 * LARGEST),
        "compression": PerMessageDeflate() if wish.deflate else None,
    }


async def serve_coroutine(wish: Wish) -> None:
    """A coroutine for each connection."""

    async def echo(ws: wsproto_asyncio.WebSocket) -> None:
        async for message in ws:
            await ws.send(message)

    async def speak(ws: wsproto_asyncio.WebSocket) -> None:
        async for _ in ws:
            wsproto_asyncio.broadcast(server.connections, NEWS)

    handler = speak if wish.broadcasts else echo
    server = await wsproto_asyncio.serve(handler, sock=wish.sock, max_connections=None, **options(wish))
    await forever()


async def serve_listener(wish: Wish) -> None:
    """A ``Listener`` for each connection."""

    class Speaker(wsproto_asyncio.Listener):
        def received(self, ws: wsproto_asyncio.WebSocket, message: Any) -> None:  # noqa: ARG002  # only a trigger
            wsproto_asyncio.broadcast(server.connections, NEWS)

    listener = Speaker if wish.broadcasts else Echo
    server = await wsproto_asyncio.serve(listener, sock=wish.sock, max_connections=None, **options(wish))
    await forever()


def serve_trio(wish: Wish) -> None:
    """A coroutine for each connection, on trio."""
    import trio

    import wsproto_trio

    async def echo(ws: wsproto_trio.WebSocket) -> None:
        async for message in ws:
            await ws.send(message)

    async def main() -> None:
        async with wsproto_trio.serve(echo, sock=wish.sock, max_connections=None, **options(wish)) as server:
            await server.serve_forever()

    trio.run(main)


def serve_anyio(wish: Wish) -> None:
    """A coroutine for each connection, by anyio on asyncio."""
    import anyio

    import wsproto_anyio

    async def echo(ws: wsproto_anyio.WebSocket) -> None:
        async for message in ws:
            await ws.send(message)

    async def main() -> None:
        async with wsproto_anyio.serve(echo, sock=wish.sock, max_connections=None, **options(wish)) as server:
            await server.serve_forever()

    anyio.run(main)


def serve_sockets(wish: Wish) -> None:
    """Blocking sockets, a thread for each connection."""

    def echo(ws: wsproto_sockets.WebSocket) -> None:
        with suppress(ConnectionClosed):
            for message in ws:
                ws.send(message)

    with wsproto_sockets.serve(echo, sock=wish.sock, max_connections=None, **options(wish)) as server:
        server.serve_forever()


def serve_workers(wish: Wish) -> None:
    """The ``wsproto`` command with two workers, in the place of this process. The socket is handed down."""
    os.dup2(wish.sock.fileno(), FIRST_DESCRIPTOR)
    os.set_inheritable(FIRST_DESCRIPTOR, True)  # it may have been there already
    environment = os.environ | {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    command = [sys.executable, "-m", "wsproto_cli", "echo", "--workers", "2", "--max-connections", "none"]
    os.execve(sys.executable, command, environment)
