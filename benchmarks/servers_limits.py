"""The physical limits as servers: the same loops and sockets with nothing, or nearly nothing, on top of them.

``Bare`` returns bytes. ``Parser`` is a C extension without any rule that makes messages and frames, with one write a
read: for small messages no WebSocket server can be faster. Neither does a handshake; the generator leaves it out.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from functools import cache
from types import ModuleType
from typing import Final, cast

from native import limit_module
from wish import NEWS, Wish, forever

__all__ = [
    "serve_answer",
    "serve_answer_twice",
    "serve_bare",
    "serve_bare_fast",
    "serve_parser",
    "serve_parser_fast",
    "serve_sockets",
    "serve_trio",
]

READ_SIZE: Final = 256 * 1024
#: An answer to any handshake: a client that does not check it takes it for one.
RESPONSE: Final = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Bare(asyncio.BufferedProtocol):
    """Returns what comes. All connections read into one buffer: nothing stays there."""

    transport: asyncio.Transport
    scratch: Final = memoryview(bytearray(READ_SIZE))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by name

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # the protocol's signature
        return self.scratch

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(bytes(self.scratch[:nbytes]))


class Parser(Bare):
    """Makes messages of what comes, and frames of the messages, in two calls of the C extension."""

    def __init__(self) -> None:
        self.rest = bytearray()
        self.limit = _limit()

    def buffer_updated(self, nbytes: int) -> None:
        messages: list[str | bytes] = []
        data = self.scratch[:nbytes]
        if self.rest:
            self.rest += data
            del self.rest[: self.limit.decode(self.rest, messages)]
        else:
            used = self.limit.decode(data, messages)
            self.rest += data[used:]
        if messages:
            self.transport.write(self.limit.encode(messages, None))


class Answer(Bare):
    """Answers a handshake that it has not looked at, and closes at the next word: what connecting costs at least."""

    def __init__(self) -> None:
        self.is_open = False

    def buffer_updated(self, nbytes: int) -> None:  # noqa: ARG002  # whatever it is
        if self.is_open:
            self.hear()
        else:
            self.is_open = True
            self.transport.write(RESPONSE)

    def hear(self) -> None:
        self.transport.close()


class Speaker(Answer):
    """Answers likewise, and writes the same ready bytes to everybody at the next word."""

    everybody: Final[set[asyncio.Transport]] = set()
    news: Final = bytes((0x81, 126)) + len(NEWS).to_bytes(2, "big") + NEWS.encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.everybody.add(self.transport)

    def hear(self) -> None:
        for transport in self.everybody:
            transport.write(self.news)


async def serve_bare(wish: Wish) -> None:
    """The bare loop."""
    await asyncio.get_running_loop().create_server(Bare, sock=wish.sock)
    await forever()


async def serve_parser(wish: Wish) -> None:
    """The C parser on a loop."""
    await asyncio.get_running_loop().create_server(Parser, sock=wish.sock)
    await forever()


async def serve_bare_fast(wish: Wish) -> None:
    """The bare loop with the transports that picows brings to it."""
    await _serve_fast(Bare, wish)


async def serve_parser_fast(wish: Wish) -> None:
    """The C parser on the same."""
    await _serve_fast(Parser, wish)


async def _serve_fast(protocol: type[Bare], wish: Wish) -> None:
    import aiofastnet

    server = await aiofastnet.create_server(asyncio.get_running_loop(), protocol, sock=wish.sock)
    await server.serve_forever()


async def serve_answer(wish: Wish) -> None:
    """The bare handshake, or broadcast, on a loop."""
    await asyncio.get_running_loop().create_server(Speaker if wish.broadcasts else Answer, sock=wish.sock)
    await forever()


def serve_answer_twice(wish: Wish) -> None:
    """The bare handshake by two processes that share the listening socket. The second ends with the first."""
    left, right = os.pipe()
    is_second = os.fork() == 0
    os.close(right if is_second else left)

    async def main() -> None:
        if is_second:
            asyncio.get_running_loop().add_reader(left, os._exit, 0)  # nobody writes: the end of the other is the end
        await serve_answer(wish)

    asyncio.run(main())


def serve_sockets(wish: Wish) -> None:
    """Blocking sockets, a thread for each connection."""
    while True:
        connection, _ = wish.sock.accept()
        threading.Thread(target=_return_all, args=[connection], daemon=True).start()


def _return_all(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = memoryview(bytearray(READ_SIZE))
    with connection:
        while size := connection.recv_into(buffer):
            connection.sendall(buffer[:size])


def serve_trio(wish: Wish) -> None:
    """Trio's streams, a task for each connection."""
    import trio

    async def return_all(stream: trio.SocketStream) -> None:
        async with stream:
            async for data in stream:
                await stream.send_all(data)

    wish.sock.setblocking(False)
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(wish.sock))
    trio.run(trio.serve_listeners, return_all, [listener])


@cache
def _limit() -> ModuleType:
    return limit_module()
