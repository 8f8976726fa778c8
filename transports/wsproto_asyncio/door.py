"""Servers of what goes over streams, WebSocket and TCP: from a listening socket to an open transport."""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextvars import copy_context
from functools import partial
from types import MethodType
from typing import Any, Final, Generic, TypeVar, cast

from wsproto_core import BeginTls, ByteEngine, IntroductionStep, ProcessRequest, ProxiedFrom, ReadUpTo, StreamServePlan

from .crowd import crowd_of
from .link import Link
from .listening import Acceptor, Newcomer, listening_sockets
from .peer import StreamPeer
from .serving import Server, Serving
from .stream import SocketTransport
from .transports import Adopt, adopt, chosen_adopt

__all__ = ["StreamServing"]

_P = TypeVar("_P", bound=StreamPeer[Any])
#: So many open connections are watched by the loop itself, which takes a microsecond less for a message that comes
#: alone. The others come and go for seven less.
_FEW: Final = 4


class StreamServing(Serving[_P]):
    """A server to be, for what goes over streams."""

    def __init__(
        self,
        handler: Callable[[_P], Awaitable[None]] | None,
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

    async def _listen(self, server: Server[_P]) -> None:
        chosen = chosen_adopt()
        for sock in await listening_sockets(self._plan.where):
            server.listening.append(_Door(sock, self._plan, self._make_peer, self._ssl, server, chosen))


class _Door(Generic[_P]):
    """One listening socket of ``server``."""

    def __init__(
        self,
        sock: socket.socket,
        plan: StreamServePlan[ByteEngine],
        make_peer: Callable[..., _P],
        ssl: tls.SSLContext | None,
        server: Server[_P],
        chosen: Adopt | None,
    ) -> None:
        self._plan = plan
        self._make_peer = make_peer
        self._ssl = ssl
        self._server = server
        self._watch = server.reception.watch
        self._leave = server.reception.leave
        self._loop = asyncio.get_running_loop()
        self._crowd = crowd_of(self._loop)
        self._acceptor = Acceptor(sock, self._welcome)
        # Whether there may be steps to take with who connects: nearly always there are none.
        self._may_introduce = ssl is not None or bool(plan.where.proxied_by)
        # ``None`` where connections have transports of our own, for which a loop must be able to watch sockets.
        self._adopt = chosen if self._acceptor.is_watching else adopt

    @property
    def sockets(self) -> Sequence[Any]:
        return self._acceptor.sockets

    async def stop_accepting(self) -> None:
        self._acceptor.close()

    close = stop_accepting

    def _welcome(self, newcomers: Sequence[Newcomer]) -> None:
        """New connections. They count from now on."""
        since, peers = self._loop.time(), list[_P]()
        are_few = len(self._server.reception.open) + len(newcomers) <= _FEW
        for sock, address in newcomers:
            try:
                peer = self._take_in(sock, address, since, are_few=are_few)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # the application's, or the system's, which knows no address of what broke
                Link.log.error("a connection from %s was dropped", address, exc_info=error)
                sock.close()
                continue
            if peer is not None:
                peers.append(peer)
        self._begin(peers)

    def _take_in(self, sock: socket.socket, address: Any, since: float, *, are_few: bool) -> _P | None:
        """Find out what is to be done with a new connection; return its peer, if nothing comes before it reads."""
        peer = self._peer(since)
        if self._adopt is None and not (self._may_introduce and self._needs_introduction(address)):
            self._carry(sock, peer, address, None, are_few=are_few)
            return peer
        if self._server.reception.approach(sock):
            self._introduce_later(sock, peer, address, since)
        else:
            sock.close()
        return None

    def _needs_introduction(self, address: Any) -> bool:
        return self._plan.where.needs_introduction(address, secure=self._ssl is not None)

    def _peer(self, since: float) -> _P:
        peer = self._make_peer(self._plan.engine(since), watch=self._watch)
        peer.link.on_lost = MethodType(self._leave, peer)  # as long as it is there: a partial is four times as large
        return peer

    def _carry(self, sock: socket.socket, peer: _P, address: Any, visitor: object, *, are_few: bool) -> None:
        """Give ``peer`` a transport of our own: nobody has to wait for it."""
        crowd = None if are_few else self._crowd
        peer.link.be_carried_by(SocketTransport(crowd or self._loop, sock, peer.link, address), crowd)
        self._admit(peer, visitor)

    def _begin(self, peers: Sequence[_P]) -> None:
        """Let ``peers`` read, each step for all of them: what it needs is in the processor's caches by then."""
        steps = [(copy_context().run, peer.link) for peer in peers]  # what a listener sets there, no other one sees
        for run, link in steps:
            run(link.begin)
        for run, link in steps:
            run(link.go_on)
        if self._crowd is not None:
            self._crowd.flush()

    def _introduce_later(self, sock: socket.socket, peer: _P, address: Any, since: float) -> None:
        task = self._server.spawn(partial(self._introduce, sock, peer, address, since))
        task.add_done_callback(partial(self._introduced, sock, peer, address))

    async def _introduce(self, sock: socket.socket, peer: _P, address: Any, since: float) -> None:
        """Find out who that is, and let ``peer`` have a transport."""
        task, limit = asyncio.current_task(), self._plan.opening_timeout
        assert task is not None, "the server has spawned it"
        self._server.reception.introduce(sock, task.cancel)
        steps = self._plan.where.introduction(address, secure=self._ssl is not None)
        async with asyncio.timeout_at(None if limit is None else since + limit):
            peer.proxied, ssl = await self._walk(steps, sock)
            make = self._adopt if ssl is None else partial(adopt, ssl=ssl, timeout=limit)
            if make is None:
                self._carry(sock, peer, address, sock, are_few=len(self._server.reception.open) < _FEW)
                self._begin([peer])
            else:
                peer.link.on_made = partial(self._admit, peer, sock)
                await make(sock, lambda: peer.link)

    async def _walk(
        self, steps: Generator[IntroductionStep, bytes, ProxiedFrom | None], sock: socket.socket
    ) -> tuple[ProxiedFrom | None, tls.SSLContext | None]:
        """Do ``steps``; return what a proxy has told, and what the transport is to be made with."""
        ssl = None
        try:
            step = next(steps)
            while True:
                answer = b""
                match step:
                    case ReadUpTo(size):
                        answer = await self._loop.sock_recv(sock, size)
                    case BeginTls():
                        ssl = self._ssl
                step = steps.send(answer)
        except StopIteration as done:
            return cast(ProxiedFrom | None, done.value), ssl

    def _introduced(self, sock: socket.socket, peer: _P, address: Any, task: asyncio.Task[Any]) -> None:
        """Also called where the task was cancelled before it began."""
        self._server.forget(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            return
        if peer.link.transport is None:
            sock.close()
            self._server.reception.retreat(sock, address, error)
        else:  # cut off at the last moment: uvloop closes the transport that it has made, and does not tell
            peer.link.abort()
            peer.link.connection_lost(None)

    def _admit(self, peer: _P, visitor: object) -> None:
        if not self._server.reception.arrive(peer, visitor):
            peer.abort()
