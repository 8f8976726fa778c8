"""What the tests of the anyio adapter share: every backend for each test, raw peers over anyio, bounded waiting."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import inspect
import itertools
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSStream

from tests.adapters.kit import CLOSE, HANDSHAKE, Frame, answer_to, frame
from wsproto_anyio import Server, WebSocket

__all__ = ["Raw", "drain", "echo", "eventually", "everywhere", "free_port", "http", "raw_server", "url"]

#: No test takes longer than this.
TEST_SECONDS = 20.0

BACKENDS: dict[str, tuple[str, dict[str, Any]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


def everywhere(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a coroutine test on every backend, within a time limit; on asyncio it may leave no task and no complaint."""

    @functools.wraps(test)
    def run(backend: str, **arguments: Any) -> None:
        complaints: list[object] = []

        async def bounded() -> None:
            if BACKENDS[backend][0] == "asyncio":
                asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
            with anyio.fail_after(TEST_SECONDS):
                await test(**arguments)
            if BACKENDS[backend][0] == "asyncio":
                await anyio.sleep(0.001)
                assert asyncio.all_tasks() == {asyncio.current_task()}

        name, options = BACKENDS[backend]
        anyio.run(bounded, backend=name, backend_options=options)
        gc.collect()  # an unclosed socket says so when it is collected
        assert complaints == []

    signature = inspect.signature(test)
    own = inspect.Parameter("backend", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), own])  # type: ignore[attr-defined]  # read by pytest
    parametrized: Callable[..., None] = pytest.mark.parametrize("backend", list(BACKENDS))(run)
    return parametrized


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


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def eventually(condition: Callable[[], object]) -> None:
    """Let others run until ``condition`` holds. The test's own time limit bounds it."""
    for pause in itertools.chain([0.0] * 20, itertools.repeat(0.002)):
        if condition():
            return
        await anyio.sleep(pause)


# --- peers without any library ----------------------------------------------------------------------------------------


class Raw:
    """One end of a connection without any library behind it."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._data = b""

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls, port: int, *, handshake: bool = True, context: ssl.SSLContext | None = None
    ) -> AsyncIterator[Raw]:
        """A client; with ``handshake`` its connection is open."""
        stream: ByteStream = await anyio.connect_tcp("127.0.0.1", port)
        try:
            if context is not None:
                stream = await TLSStream.wrap(
                    stream, hostname="127.0.0.1", ssl_context=context, standard_compatible=False
                )
            raw = cls(stream)
            if handshake:
                await raw.send(HANDSHAKE)
                assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
            yield raw
        finally:
            await anyio.aclose_forcefully(stream)

    async def send(self, data: bytes) -> None:
        await self.stream.send(data)

    async def exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            self._data += await self.stream.receive()
        data, self._data = self._data[:size], self._data[size:]
        return data

    async def head(self) -> bytes:
        """An HTTP head."""
        while b"\r\n\r\n" not in self._data:
            self._data += await self.stream.receive()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    async def rest(self) -> bytes:
        """Everything up to the end, be it orderly or not."""
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                self._data += await self.stream.receive()
        data, self._data = self._data, b""
        return data

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

    async def reset(self) -> None:
        """End it with a RST."""
        sock = self.stream.extra(SocketAttribute.raw_socket)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await anyio.aclose_forcefully(self.stream)


async def http(port: int, request: str | bytes) -> bytes:
    """Send ``request`` as it is; the whole answer, up to the end of the connection."""
    async with Raw.connect(port, handshake=False) as raw:
        await raw.send(request.encode() if isinstance(request, str) else request)
        return await raw.rest()


@contextlib.asynccontextmanager
async def raw_server(behave: Callable[[Raw], Awaitable[None]], *, handshake: bool = True) -> AsyncIterator[int]:
    """A server whose connections are in the hands of ``behave``; yields its port. Errors of sockets are no news."""

    async def connected(stream: SocketStream) -> None:
        raw = Raw(stream)
        try:
            if handshake:
                await raw.send(answer_to(await raw.head()))
            await behave(raw)
        except (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        finally:
            await anyio.aclose_forcefully(stream)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, connected)
        yield listener.extra(SocketAttribute.local_port)
        group.cancel_scope.cancel()
