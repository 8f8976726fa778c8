"""What the tests of the trio adapter share: a runner, handlers, raw sockets, and bounded waiting."""

from __future__ import annotations

import contextlib
import functools
import itertools
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ParamSpec

import trio

from tests.adapters.kit import CLOSE, HANDSHAKE, Frame, answer_to, frame
from wsproto_trio import Server, WebSocket

__all__ = ["TEST_SECONDS", "Raw", "deaf_socket", "drain", "echo", "eventually", "raw_server", "trio_test", "url"]

#: No test takes longer than this.
TEST_SECONDS = 30.0

P = ParamSpec("P")


def trio_test(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run a coroutine test on trio. A plain function for pytest, so that the hooks for asyncio leave it alone."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            with trio.fail_after(TEST_SECONDS):
                await test(*args, **kwargs)

        trio.run(bounded)

    return run


# --- handlers and addresses -------------------------------------------------------------------------------------------


async def echo(ws: WebSocket) -> None:
    """Send back what comes."""
    async for message in ws:
        await ws.send(message)


async def drain(ws: WebSocket) -> None:
    """Read until the end, and say nothing."""
    async for _ in ws:
        pass


def url(server: Server[Any], path: str = "/", *, secure: bool = False) -> str:
    """Where ``server`` listens."""
    return f"{'wss' if secure else 'ws'}://127.0.0.1:{server.port}{path}"


async def eventually(condition: Callable[[], object]) -> None:
    """Let others run until ``condition`` holds. The test's own time limit bounds it."""
    for pause in itertools.chain([0.0] * 20, itertools.repeat(0.002)):
        if condition():
            return
        await trio.sleep(pause)


# --- connections without a library ------------------------------------------------------------------------------------


class Raw:
    """One end of a connection without any library behind it."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream
        self._data = bytearray()

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls, port: int, *, handshake: bool = True, context: ssl.SSLContext | None = None
    ) -> AsyncIterator[Raw]:
        """A client; with ``handshake`` its connection is open."""
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = await trio.open_tcp_stream("127.0.0.1", port)
        if context is not None:
            stream = trio.SSLStream(stream, context, server_hostname="127.0.0.1")  # type: ignore[arg-type]  # it is new
        raw = cls(stream)
        try:
            if handshake:
                await raw.send(HANDSHAKE)
                assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
            yield raw
        finally:
            await trio.aclose_forcefully(stream)

    @property
    def socket(self) -> trio.socket.SocketType:
        assert isinstance(self.stream, trio.SocketStream)
        return self.stream.socket

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def _more(self) -> None:
        piece = await self.stream.receive_some()
        if not piece:
            raise EOFError
        self._data += piece

    async def exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            await self._more()
        data, self._data = bytes(self._data[:size]), self._data[size:]
        return data

    async def head(self) -> bytes:
        """An HTTP head."""
        while b"\r\n\r\n" not in self._data:
            await self._more()
        return await self.exactly(self._data.index(b"\r\n\r\n") + 4)

    async def rest(self) -> bytes:
        """Everything up to the end, be it orderly or not."""
        with contextlib.suppress(EOFError, trio.BrokenResourceError):
            while True:
                await self._more()
        return bytes(self._data)

    async def frame(self) -> Frame:
        """The next frame; masks are taken off."""
        first, second = await self.exactly(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self.exactly(2 if size == 126 else 8), "big")
        mask = await self.exactly(4) if second & 0x80 else None
        payload = await self.exactly(size)
        if mask is not None:
            payload = frame(0, payload, mask=mask)[-size:] if size else b""
        return Frame(first & 0x0F, payload, bool(first & 0x80))

    async def close_code(self) -> int:
        """Read up to a close frame; its code."""
        while (received := await self.frame()).opcode != CLOSE:
            pass
        return int.from_bytes(received.payload[:2], "big")

    async def send_eof(self) -> None:
        assert isinstance(self.stream, trio.SocketStream)
        await self.stream.send_eof()

    def reset(self) -> None:
        """End it with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


@contextlib.asynccontextmanager
async def raw_server(behave: Callable[[Raw], Awaitable[None]], *, handshake: bool = True) -> AsyncIterator[int]:
    """A server whose connections are in the hands of ``behave``; yields its port. Errors of sockets are no news."""

    async def connected(stream: trio.SocketStream) -> None:
        raw = Raw(stream)
        try:
            if handshake:
                await raw.send(answer_to(await raw.head()))
            await behave(raw)
        except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await nursery.start(
            functools.partial(trio.serve_tcp, connected, 0, host="127.0.0.1")
        )
        yield int(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


async def http(port: int, request: str | bytes) -> bytes:
    """Send ``request`` as it is; the whole answer, up to the end of the connection."""
    async with Raw.connect(port, handshake=False) as raw:
        await raw.send(request.encode() if isinstance(request, str) else request)
        return await raw.rest()


async def deaf_socket(port: int, *, handshake: bool = True) -> trio.socket.SocketType:
    """A connected socket with a small receive buffer, whose owner reads only what it wants to."""
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await sock.connect(("127.0.0.1", port))
    if handshake:
        await sock.send(HANDSHAKE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await sock.recv(1)
    return sock
