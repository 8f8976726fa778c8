"""Listening sockets, and what comes in by them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from wsproto_core import ListenPlan
from wsproto_net import bind_tcp, bind_udp, bind_unix

from ._speedups import accept
from .link import Link

__all__ = ["Acceptor", "Newcomer", "bound_sockets", "listening_sockets"]

#: Accepted in one turn of the loop, so that those who are connected get theirs.
_MAX_AT_ONCE: Final = 64
#: Seconds without accepting when the system has no more sockets to give.
_PAUSE: Final = 0.1
#: A connection, and the address of the other end.
Newcomer: TypeAlias = tuple[socket.socket, Any]
_OVER_TCP: Final = (socket.AF_INET, socket.AF_INET6)


async def listening_sockets(plan: ListenPlan) -> list[socket.socket]:
    """The listening sockets that ``plan`` asks for. Raises :exc:`OSError`, and then none is left open."""
    sockets = await bound_sockets(plan, socket.SOCK_STREAM)
    try:
        if plan.path is not None:
            sockets.append(bind_unix(plan.path))
        for sock in sockets:
            sock.setblocking(False)
            if sock.family in _OVER_TCP:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted ones inherit it
            sock.listen(plan.backlog)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


async def bound_sockets(plan: ListenPlan, kind: int) -> list[socket.socket]:
    """The sockets of ``plan``, and those of ``kind`` for its hosts and port. Raises :exc:`OSError`."""
    sockets: list[socket.socket] = list(plan.sockets)
    if plan.port is not None:
        loop = asyncio.get_running_loop()
        bind = bind_tcp if kind == socket.SOCK_STREAM else bind_udp
        found = [
            address
            for host in plan.hosts
            for address in await loop.getaddrinfo(host or None, plan.port, type=kind, flags=socket.AI_PASSIVE)
        ]
        sockets += bind(found, reuse_port=plan.reuse_port)
    return sockets


class Acceptor:
    """Hands the connections that come to ``sock`` to ``welcome``, all that have come at once: they do not block.

    Not ``loop.create_server``: a PROXY header has to be read before there is a transport, which reads ahead.
    """

    def __init__(self, sock: socket.socket, welcome: Callable[[Sequence[Newcomer]], None]) -> None:
        self._socket = sock
        self._welcome = welcome
        self._loop = asyncio.get_running_loop()
        # Where a loop cannot watch sockets, a task waits; elsewhere only during a pause.
        self._task: asyncio.Task[None] | None = None
        #: Whether the loop can watch sockets.
        self.is_watching: bool = True
        try:
            self._watch()
        except NotImplementedError:  # Windows
            self.is_watching = False
            self._task = self._loop.create_task(self._accept_by_turns())

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The one that listens; none once it is closed."""
        return () if self._socket.fileno() < 0 else (self._socket,)

    def close(self) -> None:
        """Stop to listen. Harmless twice."""
        if self._task is not None:
            self._task.cancel()
        if self._socket.fileno() >= 0:
            with contextlib.suppress(NotImplementedError):
                self._loop.remove_reader(self._socket)
            self._socket.close()

    def _watch(self) -> None:
        self._loop.add_reader(self._socket, self._accept_some)

    def _accept_some(self) -> None:
        newcomers: list[Newcomer] = []
        try:
            while len(newcomers) < _MAX_AT_ONCE and (newcomer := accept(self._socket)) is not None:
                newcomers.append(newcomer)
        except OSError as error:
            self._complain(error)
            self._loop.remove_reader(self._socket)
            self._task = self._loop.create_task(self._pause())
        self._welcome(newcomers)

    async def _pause(self) -> None:
        await asyncio.sleep(_PAUSE)
        self._watch()

    async def _accept_by_turns(self) -> None:
        while True:
            try:
                sock, address = await self._loop.sock_accept(self._socket)
            except OSError as error:
                self._complain(error)
                await asyncio.sleep(_PAUSE)
            else:
                self._welcome([(sock, address)])

    def _complain(self, error: OSError) -> None:
        Link.log.error("cannot accept a connection now: %s", error)
