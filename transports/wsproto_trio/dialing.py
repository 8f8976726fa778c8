"""The steps of the way to a server, done with trio's means. Which steps those are is the core's business."""

from __future__ import annotations

import socket
import ssl as tls
from collections.abc import Generator

import trio

from wsproto_core import OpenTcp, OpenUnix, Read, StartTls, Step, Write

from .link import as_os_error

__all__ = ["walk"]


async def walk(
    steps: Generator[Step, bytes, bytes], *, opened: socket.socket | trio.abc.Stream | None, ssl: tls.SSLContext | None
) -> tuple[trio.abc.Stream, bytes]:
    """Do ``steps``, over what is ``opened`` if there is something; return the open stream and what the engine must be
    given first.

    ``ssl`` is for the server, not for a proxy; ``None`` verifies against the system's authorities.
    """
    way = _Way(ssl)
    try:
        if opened is not None:
            way.stream = (
                trio.SocketStream(trio.socket.from_stdlib_socket(opened))
                if isinstance(opened, socket.socket)
                else opened
            )
        step = next(steps)
        while True:
            try:
                answer = await way.go(step)
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
                step = steps.throw(as_os_error(error))
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return way.open_stream(), done.value
    except BaseException:
        if way.stream is not None:
            await trio.aclose_forcefully(way.stream)
        raise


class _Way:
    """Holds the stream while the way is opened."""

    def __init__(self, ssl: tls.SSLContext | None) -> None:
        self.stream: trio.abc.Stream | None = None
        self._ssl = ssl

    def open_stream(self) -> trio.abc.Stream:
        """The stream, which an earlier step has opened."""
        assert self.stream is not None, "a step before this one opens it"
        return self.stream

    async def go(self, step: Step) -> bytes:
        """Do ``step``; return its answer."""
        match step:
            case OpenTcp(host, port):
                self.stream = await trio.open_tcp_stream(host, port)
            case OpenUnix(path):
                self.stream = await trio.open_unix_socket(path)
            case StartTls(hostname, to_proxy):
                context = (None if to_proxy else self._ssl) or tls.create_default_context()
                await self._start_tls(context, hostname)
            case Write(data):
                await self.open_stream().send_all(data)
            case Read():
                return bytes(await self.open_stream().receive_some())
        return b""

    async def _start_tls(self, context: tls.SSLContext, hostname: str) -> None:
        # Compatible with what HTTPS does: a peer may end without a close_notify. WebSocket has its own goodbye.
        self.stream = secured = trio.SSLStream(
            self.open_stream(), context, server_hostname=hostname, https_compatible=True
        )
        await secured.do_handshake()
