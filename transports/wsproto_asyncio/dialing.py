"""The steps of the way to a server, done with asyncio's means. Which steps those are is the core's business."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl as tls
from collections.abc import Generator
from typing import Any, Final, cast

from wsproto_core import OpenTcp, OpenUnix, Read, StartTls, Step, Write

__all__ = ["walk"]

#: Seconds after which another address of the same host is tried as well (RFC 8305 §5).
_HAPPY_EYEBALLS_DELAY: Final = 0.25
#: What a proxy may send ahead of being read.
_READ_AHEAD: Final = 64 * 1024


async def walk(
    steps: Generator[Step, bytes, bytes], *, sock: socket.socket | None, ssl: tls.SSLContext | None
) -> tuple[asyncio.Transport, bytes, bool]:
    """Do ``steps``, over ``sock`` if there is one; return the open transport, what the engine must be given first, and
    whether the server's end has come behind that.

    ``ssl`` is for the server, not for a proxy; ``None`` verifies against the system's authorities.
    """
    pipe = _Pipe()
    loop = asyncio.get_running_loop()
    try:
        if sock is not None:
            await loop.create_connection(lambda: pipe, sock=sock)
        step = next(steps)
        while True:
            try:
                answer = await _do(step, pipe, ssl)
            except OSError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return pipe.open_transport(), done.value + pipe.take(), pipe.has_ended
    except BaseException:
        if pipe.transport is not None:
            pipe.transport.abort()
        raise


async def _do(step: Step, pipe: _Pipe, ssl: tls.SSLContext | None) -> bytes:
    loop = asyncio.get_running_loop()
    match step:
        case OpenTcp(host, port):
            await loop.create_connection(lambda: pipe, host, port, **_race(loop, host))
        case OpenUnix(path):
            await loop.create_unix_connection(lambda: pipe, path)
        case StartTls(hostname, to_proxy):
            if pipe.has_ended:
                raise ConnectionResetError("the connection ended before TLS began")
            context = (None if to_proxy else ssl) or tls.create_default_context()
            pipe.transport = await loop.start_tls(pipe.open_transport(), pipe, context, server_hostname=hostname)
        case Write(data):
            pipe.open_transport().write(data)
        case Read():
            return await pipe.read()
    return b""


def _race(loop: asyncio.AbstractEventLoop, host: str) -> dict[str, Any]:
    """Try several addresses at once, but not on uvloop, which tries one after the other, and not without need: asyncio
    loses the socket when it is cancelled between the end of the race and its own.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return {"happy_eyeballs_delay": _HAPPY_EYEBALLS_DELAY} if isinstance(loop, asyncio.BaseEventLoop) else {}
    return {}


class _Pipe(asyncio.Protocol):
    """Holds the transport until the way is open: what comes waits to be read."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        #: Whether no more will come.
        self.has_ended: bool = False
        self._data = bytearray()
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def open_transport(self) -> asyncio.Transport:
        """The transport. Raises :exc:`ConnectionResetError` if it is lost already."""
        if self.transport is None or self._error is not None:
            raise self._error or ConnectionResetError("the connection was lost")
        return self.transport

    def take(self) -> bytes:
        """What has come and was not read; from now on the transport reads again."""
        data, self._data = bytes(self._data), bytearray()
        if len(data) > _READ_AHEAD and self.transport is not None:
            self.transport.resume_reading()
        return data

    async def read(self) -> bytes:
        """Wait for bytes and take them; empty at the end."""
        if not self._data and not self.has_ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if not self._data and self._error is not None:
            raise self._error
        return self.take()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Its class says nothing: uvloop's transports are no subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        was_below = len(self._data) <= _READ_AHEAD
        self._data += data
        if self.transport is not None and was_below and len(self._data) > _READ_AHEAD:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.has_ended = True
        self._wake()
        return self.transport is not None and self.transport.can_write_eof()  # whoever takes it over decides

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended = True
        self._error = exc
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
