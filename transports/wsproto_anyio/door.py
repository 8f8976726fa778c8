"""Servers of what goes over streams, WebSocket and TCP: from a listening socket to an open stream."""

from __future__ import annotations

import functools
import logging
import math
import ssl as tls
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Final, Generic, TypeVar, cast

from anyio import (
    CancelScope,
    ClosedResourceError,
    EndOfStream,
    aclose_forcefully,
    current_time,
    fail_after,
    sleep,
)
from anyio import Event as Flag
from anyio.abc import AnyByteStream, SocketAttribute, SocketListener, SocketStream, TaskGroup
from anyio.streams.tls import TLSStream

from wsproto_core import (
    BeginTls,
    ByteEngine,
    CloseCode,
    IntroductionStep,
    ProcessRequest,
    ProxiedFrom,
    ReadUpTo,
    StreamServePlan,
)

from .link import LOST, Link
from .listening import listen
from .peer import StreamPeer, address_of
from .serving import Listening, Server, Serving

__all__ = ["StreamServing"]

_P = TypeVar("_P", bound=StreamPeer[Any])

#: Seconds without accepting when the system has no more sockets to give.
_ACCEPT_PAUSE: Final = 0.1


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
        task_group: TaskGroup | None,
    ) -> None:
        super().__init__(
            handler, process_request=process_request, max_connections=max_connections, task_group=task_group
        )
        self._plan = plan
        self._make_peer = make_peer
        self._ssl = ssl

    async def _doors(self) -> Sequence[Callable[[Server[_P]], Listening]]:
        listeners = await listen(self._plan.where)
        return [functools.partial(_Door, one, self._plan, self._make_peer, self._ssl) for one in listeners]


class _Door(Generic[_P]):
    """One listening socket of ``server``."""

    def __init__(
        self,
        listener: SocketListener,
        plan: StreamServePlan[ByteEngine],
        make_peer: Callable[..., _P],
        ssl: tls.SSLContext | None,
        server: Server[_P],
    ) -> None:
        self._listener = listener
        self._plan = plan
        self._make_peer = make_peer
        self._ssl = ssl
        self._server = server
        self._scope = CancelScope()
        self._is_closed = Flag()

    @property
    def sockets(self) -> Sequence[Any]:
        return () if self._is_closed.is_set() else (self._listener.extra(SocketAttribute.raw_socket),)

    async def run(self) -> None:
        try:
            with self._scope:
                await self._accept()
        finally:
            await aclose_forcefully(self._listener)
            self._is_closed.set()

    async def stop_accepting(self) -> None:
        self._scope.cancel()
        await self._is_closed.wait()

    close = stop_accepting

    async def _accept(self) -> None:
        while True:
            try:
                stream = await self._listener.accept()
            except ClosedResourceError:
                return
            except LOST as error:  # no sockets left, or a visitor who has gone already: no reason to stop
                Link.log.log(logging.WARNING, "cannot accept a connection: %r", error)
                await sleep(_ACCEPT_PAUSE)
            else:
                await self._welcome(stream)

    async def _welcome(self, stream: SocketStream) -> None:
        """A new connection. It counts from now on."""
        if self._server.reception.approach(stream):
            self._server.spawn(functools.partial(self._connection, stream, current_time()))
        else:
            await aclose_forcefully(stream)

    async def _connection(self, stream: SocketStream, since: float) -> None:
        """Carry a connection, from its introduction to its end."""
        limit, address = self._plan.opening_timeout, address_of(stream, SocketAttribute.remote_address)
        steps = self._plan.where.introduction(address, secure=self._ssl is not None)
        try:
            with fail_after(None if limit is None else since + limit - current_time()) as scope:
                self._server.reception.introduce(stream, functools.partial(setattr, scope, "deadline", -math.inf))
                opened, proxied = await _walk(steps, stream, self._ssl)
        except BaseException as error:
            with CancelScope(shield=True):
                await aclose_forcefully(stream)
            self._server.retreated(stream, address, error)
            if not isinstance(error, Exception):
                raise
        else:
            await self._carry(opened, proxied, stream, since)

    async def _carry(
        self, opened: AnyByteStream, proxied: ProxiedFrom | None, visitor: SocketStream, since: float
    ) -> None:
        reception = self._server.reception
        peer = self._make_peer(self._plan.engine(since), opened, watch=reception.watch)
        peer.proxied = proxied
        peer.link.goodbye = CloseCode.GOING_AWAY
        if not reception.arrive(peer, visitor):
            peer.abort()
        try:
            await peer.run()
        except Exception as error:  # whatever it is, it is no business of the other connections
            Link.log.error("%r: the connection failed", peer, exc_info=error)
        finally:
            self._server.left(peer)


async def _walk(
    steps: Generator[IntroductionStep, bytes, ProxiedFrom | None],
    visitor: SocketStream,
    context: tls.SSLContext | None,
) -> tuple[AnyByteStream, ProxiedFrom | None]:
    """Do ``steps``; return the open stream, and what a proxy has told."""
    stream: AnyByteStream = visitor
    try:
        step = next(steps)
        while True:
            answer = b""
            match step:
                case ReadUpTo(size):
                    answer = await _receive(visitor, size)
                case BeginTls():
                    stream = await TLSStream.wrap(
                        visitor, server_side=True, ssl_context=context, standard_compatible=False
                    )
            step = steps.send(answer)
    except StopIteration as done:
        return stream, cast(ProxiedFrom | None, done.value)


async def _receive(stream: SocketStream, size: int) -> bytes:
    try:
        return await stream.receive(size)
    except EndOfStream:
        return b""
