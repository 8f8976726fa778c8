"""The steps of the way to a server, done with anyio's means. Which steps those are is the core's business."""

from __future__ import annotations

import socket
import ssl as tls
from collections.abc import Generator
from typing import cast

from anyio import (
    BrokenResourceError,
    ClosedResourceError,
    EndOfStream,
    aclose_forcefully,
    connect_tcp,
    connect_unix,
)
from anyio.abc import AnyByteStream, SocketStream, UNIXSocketStream
from anyio.streams.tls import TLSStream

from wsproto_core import OpenTcp, OpenUnix, Read, StartTls, Step, Write

__all__ = ["walk"]


async def walk(
    steps: Generator[Step, bytes, bytes], *, opened: socket.socket | AnyByteStream | None, ssl: tls.SSLContext | None
) -> tuple[AnyByteStream, bytes]:
    """Do ``steps``, over what is ``opened`` if there is something; return the open stream and what the engine must be
    given first.

    ``ssl`` is for the server, not for a proxy; ``None`` verifies against the system's authorities.
    """
    walker = _Walker(ssl)
    try:
        if opened is not None:
            walker.stream = await _adopt(opened) if isinstance(opened, socket.socket) else opened
        step = next(steps)
        while True:
            try:
                answer = await walker.do(step)
            except (OSError, BrokenResourceError, ClosedResourceError, EndOfStream) as error:
                step = steps.throw(_as_os_error(error))
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return walker.open_stream(), done.value
    except BaseException:
        if walker.stream is not None:
            await aclose_forcefully(walker.stream)
        raise


class _Walker:
    """Holds the stream until the way is open."""

    def __init__(self, ssl: tls.SSLContext | None) -> None:
        self.stream: AnyByteStream | None = None
        self._ssl = ssl

    def open_stream(self) -> AnyByteStream:
        assert self.stream is not None, "the first step opens it"
        return self.stream

    async def do(self, step: Step) -> bytes:
        """Do one step; return its answer."""
        match step:
            case OpenTcp(host, port):
                self.stream = await connect_tcp(host, port)
            case OpenUnix(path):
                self.stream = await connect_unix(path)
            case StartTls(hostname, to_proxy):
                context = (None if to_proxy else self._ssl) or tls.create_default_context()
                self.stream = await TLSStream.wrap(
                    self.open_stream(),
                    server_side=False,
                    hostname=hostname,
                    ssl_context=context,
                    standard_compatible=False,  # the closing handshake is WebSocket's own
                )
            case Write(data):
                await self.open_stream().send(data)
            case Read():
                return await self._read()
        return b""

    async def _read(self) -> bytes:
        try:
            return await self.open_stream().receive()
        except EndOfStream:
            return b""


async def _adopt(sock: socket.socket) -> SocketStream:
    sock.setblocking(False)
    if sock.family is getattr(socket, "AF_UNIX", None):
        return await UNIXSocketStream.from_socket(sock)
    return await SocketStream.from_socket(sock)


def _as_os_error(error: Exception) -> OSError:
    """``error`` in the words of the operating system, which anyio keeps below its own."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):  # one for each address that was tried
        tries = cast("BaseExceptionGroup[BaseException]", cause).exceptions
        return OSError(f"Multiple exceptions: {', '.join(map(str, tries))}")
    if isinstance(cause, OSError):
        return cause
    return error if isinstance(error, OSError) else ConnectionResetError("the connection was lost")
