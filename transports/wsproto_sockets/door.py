"""Servers of what goes over streams, WebSocket and TCP: from a listening socket to an open stream."""

from __future__ import annotations

import functools
import logging
import socket
import ssl as tls
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Generic, TypeVar, cast

from wsproto_core import (
    BeginTls,
    ByteEngine,
    IntroductionStep,
    ProxiedFrom,
    ReadUpTo,
    RemoteProtocolError,
    StreamServePlan,
)

from .link import Link
from .listening import Acceptor, listen
from .peer import StreamPeer
from .serving import BlockingListening, Server
from .stream import Plain, Stream, Tls
from .waiting import wait_for

__all__ = ["stream_doors"]

_P = TypeVar("_P", bound=StreamPeer[Any])


def stream_doors(
    plan: StreamServePlan[ByteEngine], make_peer: Callable[..., _P], ssl: tls.SSLContext | None
) -> Callable[[Server[_P]], Sequence[BlockingListening]]:
    """What opens the sockets of ``plan`` for a server, which gets an object of ``make_peer`` for each connection."""
    return lambda server: [_Door(server, plan, make_peer, ssl)]


class _Door(Generic[_P]):
    """The listening sockets of ``server``."""

    def __init__(
        self,
        server: Server[_P],
        plan: StreamServePlan[ByteEngine],
        make_peer: Callable[..., _P],
        ssl: tls.SSLContext | None,
    ) -> None:
        self._server = server
        self._plan = plan
        self._make_peer = make_peer
        self._ssl = ssl
        self._acceptor = Acceptor(listen(plan.where), self._welcome)

    @property
    def sockets(self) -> Sequence[socket.socket]:
        return self._acceptor.sockets

    def stop_accepting(self) -> None:
        self._acceptor.close()

    close = stop_accepting

    def _welcome(self, sock: socket.socket, address: Any) -> None:
        """A new connection. It counts from now on."""
        visitor, since = Plain(sock), monotonic()
        peer = self._make_peer(self._plan.engine(since), watch=self._server.watch)
        peer.link.on_abort = functools.partial(_shut, sock)
        peer.link.on_lost = functools.partial(self._server.tell, peer)
        begin = functools.partial(self._begin, peer, visitor, address, since)
        introduces = self._plan.where.needs_introduction(address, secure=self._ssl is not None)
        if not self._server.admit(peer, begin, introduces=introduces):
            visitor.close()

    def _begin(self, peer: _P, visitor: Plain, address: Any, since: float) -> bool:
        """Let a connection introduce itself, and ``peer`` have it. Returns whether that went well."""
        limit = self._plan.opening_timeout
        steps = self._plan.where.introduction(address, secure=self._ssl is not None)
        try:
            stream, peer.proxied = _walk(steps, visitor, self._ssl, None if limit is None else since + limit)
        except (OSError, RemoteProtocolError) as error:
            peer.link.give_up(visitor)
            Link.log.log(logging.DEBUG, "%s was dropped, and no connection yet: %r", address, error)
            return False
        peer.link.start(stream)
        return True


def _walk(
    steps: Generator[IntroductionStep, bytes, ProxiedFrom | None],
    visitor: Plain,
    context: tls.SSLContext | None,
    deadline: float | None,
) -> tuple[Stream, ProxiedFrom | None]:
    """Do ``steps``; return the open stream, and what a proxy has told."""
    stream: Stream = visitor
    try:
        step = next(steps)
        while True:
            answer = b""
            match step:
                case ReadUpTo(size):
                    answer = _receive(visitor, size, deadline)
                case BeginTls():
                    stream = _secured(visitor, context, deadline)
            step = steps.send(answer)
    except StopIteration as done:
        return stream, cast(ProxiedFrom | None, done.value)


def _receive(visitor: Plain, size: int, deadline: float | None) -> bytes:
    while (data := visitor.receive(size)) is None:
        wait_for(visitor, deadline)
    return data


def _secured(visitor: Plain, context: tls.SSLContext | None, deadline: float | None) -> Tls:
    assert context is not None, "TLS is asked for where there is a context"
    stream = Tls(visitor, context, server_side=True)
    while not stream.handshake():
        wait_for(stream, deadline)
    return stream


def _shut(sock: socket.socket) -> None:
    """Let whoever waits for ``sock`` go on."""
    with suppress(OSError):  # it is gone already
        sock.shutdown(socket.SHUT_RDWR)
