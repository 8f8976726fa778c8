"""Listening sockets, and what comes in by them."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

import trio

from wsproto_core import ListenPlan
from wsproto_net import bind_tcp, bind_udp, bind_unix

__all__ = ["accept", "bound_sockets", "listening_sockets"]

_logger = logging.getLogger("wsproto_trio")

#: The machine has no room for another connection, for now.
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE: Final = 0.1


async def listening_sockets(plan: ListenPlan) -> list[socket.socket]:
    """The listening sockets that ``plan`` asks for. Raises :exc:`OSError`, and then none is left open."""
    sockets = await bound_sockets(plan, socket.SOCK_STREAM)
    try:
        if plan.path is not None:
            sockets.append(bind_unix(plan.path))
        for sock in sockets:
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
        bind = bind_tcp if kind == socket.SOCK_STREAM else bind_udp
        found = [
            address
            for host in plan.hosts
            for address in await trio.socket.getaddrinfo(host or None, plan.port, type=kind, flags=socket.AI_PASSIVE)
        ]
        sockets += bind(found, reuse_port=plan.reuse_port)
    return sockets


async def accept(listening: trio.socket.SocketType, welcome: Callable[[trio.SocketStream, Any], None]) -> None:
    """Hand every new connection to ``welcome``, and its address, for ever. Running out of resources is a pause, not the
    end.
    """
    with listening:
        while True:
            try:
                sock, address = await listening.accept()
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                _logger.error("cannot accept a connection now: %s", error)
                await trio.sleep(_PAUSE)
            else:
                welcome(trio.SocketStream(sock), address)
