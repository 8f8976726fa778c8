"""Listening sockets, as a server's options describe them."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from anyio import aclose_forcefully, create_tcp_listener, create_unix_listener
from anyio.abc import SocketListener

__all__ = ["Place", "listen"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen: one of ``port``, ``sock`` and ``unix_path``."""

    host: str | Sequence[str] | None
    port: int | None
    sock: socket.socket | None
    unix_path: str | os.PathLike[str] | None
    backlog: int
    reuse_port: bool


async def listen(place: Place) -> list[SocketListener]:
    """Listen there. Raises :exc:`OSError` where that cannot be."""
    if place.unix_path is not None:
        return [await create_unix_listener(place.unix_path, backlog=place.backlog)]
    if place.sock is not None:
        place.sock.setblocking(False)
        place.sock.listen(place.backlog)
        return [await SocketListener.from_socket(place.sock)]
    hosts = [place.host] if place.host is None or isinstance(place.host, str) else place.host
    listeners: list[SocketListener] = []
    try:
        for host in hosts:
            listeners += await _listen_to(host or None, place)  # as for a socket, "" is every address
    except BaseException:
        for listener in listeners:
            await aclose_forcefully(listener)
        raise
    return listeners


async def _listen_to(host: str | None, place: Place) -> list[SocketListener]:
    made = await create_tcp_listener(
        local_host=host, local_port=place.port or 0, backlog=place.backlog, reuse_port=place.reuse_port
    )
    return [listener for listener in made.listeners if isinstance(listener, SocketListener)]
