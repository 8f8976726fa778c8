"""Servers of what goes over streams, WebSocket and TCP: from a listening socket to an open stream."""

from __future__ import annotations

import functools
import math
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Generic, TypeVar, cast

import trio

from wsproto_core import BeginTls, ByteEngine, IntroductionStep, ProcessRequest, ProxiedFrom, ReadUpTo, StreamServePlan

from .listening import accept, listening_sockets
from .peer import StreamPeer
from .serving import Listening, Server, Serving

__all__ = ["StreamServing"]

_P = TypeVar("_P", bound=StreamPeer[Any])


class StreamServing(Serving[_P]):
    """A server to be, for what goes over streams."""

    def __init__(
        self,
        handler: Callable[[_P], Awaitable[None]],
        plan: StreamServePlan[ByteEngine],
        make_peer: Callable[..., _P],
        *,
        process_request: ProcessRequest[_P] | None = None,
        max_connections: int | None,
        ssl: tls.SSLContext | None,
    ) -> None:
        super().__init__(handler, process_request=process_request, max_connections=max_connections)
        self._plan = plan
        self._make_peer = make_peer
        self._ssl = ssl

    async def _doors(self) -> Sequence[Callable[[Server[_P]], Listening]]:
        sockets = await listening_sockets(self._plan.where)
        return [functools.partial(_Door, sock, self._plan, self._make_peer, self._ssl) for sock in sockets]


class _Door(Generic[_P]):
    """One listening socket of ``server``."""

    def __init__(
        self,
        sock: socket.socket,
        plan: StreamServePlan[ByteEngine],
        make_peer: Callable[..., _P],
        ssl: tls.SSLContext | None,
        server: Server[_P],
    ) -> None:
        self._listening = trio.socket.from_stdlib_socket(sock)
        self._plan = plan
        self._make_peer = make_peer
        self._ssl = ssl
        self._server = server
        self._accepting = trio.CancelScope()

    @property
    def sockets(self) -> Sequence[trio.socket.SocketType]:
        return () if self._listening.fileno() < 0 else (self._listening,)

    async def run(self) -> None:
        with self._accepting:
            await accept(self._listening, self._welcome)

    async def stop_accepting(self) -> None:
        self._accepting.cancel()
        self._listening.close()
        await trio.lowlevel.checkpoint()

    close = stop_accepting

    def _welcome(self, stream: trio.SocketStream, address: Any) -> None:
        """A new connection. It counts from now on."""
        if self._server.reception.approach(stream):
            self._server.spawn(functools.partial(self._connection, stream, address, trio.current_time()))
        else:
            stream.socket.close()

    async def _connection(self, stream: trio.SocketStream, address: Any, since: float) -> None:
        """Carry a connection, from its introduction to its end."""
        limit = self._plan.opening_timeout
        steps = self._plan.where.introduction(address, secure=self._ssl is not None)
        try:
            with trio.fail_at(math.inf if limit is None else since + limit) as scope:
                self._server.reception.introduce(stream, scope.cancel)
                opened, proxied = await _walk(steps, stream, self._ssl)
        except BaseException as error:
            await trio.aclose_forcefully(stream)
            self._server.retreated(stream, address, error)
            if not isinstance(error, Exception):
                raise
        else:
            await self._carry(opened, proxied, stream, since)

    async def _carry(
        self, opened: trio.abc.Stream, proxied: ProxiedFrom | None, visitor: trio.SocketStream, since: float
    ) -> None:
        reception = self._server.reception
        peer = self._make_peer(self._plan.engine(since), watch=reception.watch)
        peer.proxied = proxied
        peer.link.take_over(opened)
        if not reception.arrive(peer, visitor):
            peer.abort()
        try:
            await peer.link.run(shield=True)  # whoever stops the server stops this
        finally:
            self._server.left(peer)


async def _walk(
    steps: Generator[IntroductionStep, bytes, ProxiedFrom | None],
    visitor: trio.SocketStream,
    context: tls.SSLContext | None,
) -> tuple[trio.abc.Stream, ProxiedFrom | None]:
    """Do ``steps``; return the open stream, and what a proxy has told."""
    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = visitor
    try:
        step = next(steps)
        while True:
            answer: bytes | bytearray = b""
            match step:
                case ReadUpTo(size):
                    answer = await stream.receive_some(size)
                case BeginTls():
                    assert context is not None, "TLS is asked for where there is a context"
                    stream = trio.SSLStream(visitor, context, server_side=True, https_compatible=True)
                    await stream.do_handshake()
            step = steps.send(bytes(answer))
    except StopIteration as done:
        return stream, cast(ProxiedFrom | None, done.value)
