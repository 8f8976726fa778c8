"""What the adapter tests share: handlers, raw sockets that speak just enough WebSocket, and bounded waiting."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import itertools
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import trustme

from wsproto_asyncio import Server, WebSocket
from wsproto_core import Timeouts

__all__ = [
    "CLOSE",
    "HANDSHAKE",
    "PING",
    "PONG",
    "QUICK",
    "Authority",
    "Frame",
    "Raw",
    "answer_to",
    "close_frame",
    "deaf_socket",
    "drain",
    "echo",
    "eventually",
    "frame",
    "http",
    "raw_server",
    "url",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()

#: For peers that do not answer: nothing takes longer than a moment.
QUICK = Timeouts(opening_timeout=0.3, closing_timeout=0.3)


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
    """Let the loop run until ``condition`` holds. The test's own time limit bounds it."""
    for pause in itertools.chain([0.0] * 20, itertools.repeat(0.002)):
        if condition():
            return
        await asyncio.sleep(pause)


# --- frames, written down a second time -------------------------------------------------------------------------------


class Frame(NamedTuple):
    """A frame as received."""

    opcode: int
    payload: bytes
    fin: bool = True


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes | None = b"\x12\x34\x56\x78", reserved: int = 0
) -> bytes:
    """A frame; ``mask=None`` makes a server's."""
    head = bytearray([(0x80 if fin else 0) | reserved | opcode])
    bit = 0 if mask is None else 0x80
    size = len(payload)
    if size < 126:
        head.append(bit | size)
    elif size < 65536:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    if mask is None:
        return bytes(head) + payload
    pattern = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return bytes(head) + mask + (int.from_bytes(payload, "big") ^ pattern).to_bytes(size, "big")


def close_frame(code: int = 1000, reason: str = "", *, mask: bytes | None = b"\x12\x34\x56\x78") -> bytes:
    """A close frame."""
    return frame(CLOSE, struct.pack("!H", code) + reason.encode(), mask=mask)


def answer_to(request: bytes, *headers: str) -> bytes:
    """The 101 that an honest server gives."""
    key = next(line[18:].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    token = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Accept: {token}", *headers, "", ""]).encode()


class Raw:
    """One end of a connection without any library behind it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls, port: int, *, handshake: bool = True, context: ssl.SSLContext | None = None
    ) -> AsyncIterator[Raw]:
        """A client; with ``handshake`` its connection is open."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        raw = cls(reader, writer)
        try:
            if handshake:
                writer.write(HANDSHAKE)
                assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
            yield raw
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    @property
    def socket(self) -> socket.socket:
        return self.writer.get_extra_info("socket")  # type: ignore[no-any-return]  # that is what it is

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        """An HTTP head."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """Everything up to the end, be it orderly or not."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while piece := await self.reader.read(65536):
                data += piece
        return data

    async def frame(self) -> Frame:
        """The next frame; masks are taken off."""
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self.reader.readexactly(8), "big")
        mask = await self.reader.readexactly(4) if second & 0x80 else None
        payload = await self.reader.readexactly(size)
        if mask is not None:
            payload = frame(0, payload, mask=mask)[-size:] if size else b""
        return Frame(first & 0x0F, payload, bool(first & 0x80))

    async def close_code(self) -> int:
        """Read up to a close frame; its code."""
        while (received := await self.frame()).opcode != CLOSE:
            pass
        return int.from_bytes(received.payload[:2], "big")

    def reset(self) -> None:
        """End it with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def http(port: int, request: str | bytes) -> bytes:
    """Send ``request`` as it is; the whole answer, up to the end of the connection."""
    async with Raw.connect(port, handshake=False) as raw:
        raw.send(request.encode() if isinstance(request, str) else request)
        return await raw.rest()


@contextlib.asynccontextmanager
async def raw_server(behave: Callable[[Raw], Awaitable[None]], *, handshake: bool = True) -> AsyncIterator[int]:
    """A server whose connections are in the hands of ``behave``; yields its port. Errors of sockets are no news."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        raw = Raw(reader, writer)
        try:
            if handshake:
                raw.send(answer_to(await raw.head()))
            await behave(raw)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def deaf_socket(port: int, *, handshake: bool = True) -> socket.socket:
    """A connected, non-blocking socket with a small receive buffer, whose owner reads only what it wants to."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", port))
    if handshake:
        await loop.sock_sendall(sock, HANDSHAKE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await loop.sock_recv(sock, 1)
    return sock


# --- TLS --------------------------------------------------------------------------------------------------------------


class Authority:
    """A throw-away certificate authority, and contexts of both sides."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self._server = self._ca.issue_cert("localhost", "127.0.0.1", "chat.example")
        self._client = self._ca.issue_cert("client@example.org")

    def server(self, *, version: ssl.TLSVersion | None = None, client_certificate: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._server.configure_cert(context)
        if client_certificate:
            self._ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return _only(context, version)

    def client(self, *, version: ssl.TLSVersion | None = None, certificate: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        if certificate:
            self._client.configure_cert(context)
        return _only(context, version)


def _only(context: ssl.SSLContext, version: ssl.TLSVersion | None) -> ssl.SSLContext:
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context
