"""Listening sockets, as a server's options describe them."""

from __future__ import annotations

import socket

from anyio import getaddrinfo
from anyio.abc import SocketListener

from wsproto_core import ListenPlan
from wsproto_net import bind_tcp, bind_udp, bind_unix

__all__ = ["bound_sockets", "listen"]


async def listen(plan: ListenPlan) -> list[SocketListener]:
    """Listeners for all that ``plan`` asks for. Raises :exc:`OSError`, and then none is left open."""
    sockets = await bound_sockets(plan, socket.SOCK_STREAM)
    try:
        if plan.path is not None:
            sockets.append(bind_unix(plan.path))
        for sock in sockets:
            sock.setblocking(False)
            sock.listen(plan.backlog)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return [await SocketListener.from_socket(sock) for sock in sockets]


async def bound_sockets(plan: ListenPlan, kind: int) -> list[socket.socket]:
    """The sockets of ``plan``, and those of ``kind`` for its hosts and port. Raises :exc:`OSError`."""
    sockets: list[socket.socket] = list(plan.sockets)
    if plan.port is not None:
        bind = bind_tcp if kind == socket.SOCK_STREAM else bind_udp
        found = [
            address
            for host in plan.hosts
            for address in await getaddrinfo(host or None, plan.port, type=kind, flags=socket.AI_PASSIVE)
        ]
        sockets += bind(found, reuse_port=plan.reuse_port)
    return sockets
