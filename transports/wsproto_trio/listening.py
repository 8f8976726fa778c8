"""Listening sockets, and what comes in by them."""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
from collections.abc import Callable, Sequence
from typing import Final

import trio

__all__ = ["accept", "bound_socket", "tcp_sockets", "unix_socket"]

_logger = logging.getLogger("wsproto_trio")

#: The machine has no room for another connection, for now.
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE: Final = 0.1


async def tcp_sockets(
    host: str | Sequence[str] | None, port: int, *, backlog: int, reuse_port: bool
) -> list[socket.socket]:
    """A listening socket for every address of ``host``; ``None`` is every address of this machine."""
    sockets: list[socket.socket] = []
    hosts = [host] if host is None or isinstance(host, str) else host
    try:
        for name in hosts:
            found = await trio.socket.getaddrinfo(name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, _, _, _, address in dict.fromkeys(found):
                if sock := _tcp_socket(family, address, backlog, reuse_port):
                    sockets.append(sock)
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, f"no address to listen on for {host!r}")
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _tcp_socket(family: int, address: tuple[object, ...], backlog: int, reuse_port: bool) -> socket.socket | None:
    try:
        return socket.create_server(address, family=family, backlog=backlog, reuse_port=reuse_port)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:  # getaddrinfo knows IPv6, this machine does not
            return None
        raise


def unix_socket(path: str, *, backlog: int) -> socket.socket:
    """A listening Unix socket; one that was left behind at ``path`` makes way."""
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.remove(path)
    except FileNotFoundError:
        pass
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(path)
    except BaseException:
        sock.close()
        raise
    return bound_socket(sock, backlog=backlog)


def bound_socket(sock: socket.socket, *, backlog: int) -> socket.socket:
    """``sock``, which is bound, or listens already, as a listening one."""
    sock.listen(backlog)
    return sock


async def accept(listener: trio.SocketListener, welcome: Callable[[trio.SocketStream], None]) -> None:
    """Hand every new connection to ``welcome``, for ever. Running out of resources is a pause, not the end."""
    with listener.socket:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                _logger.error("cannot accept a connection now: %s", error)
                await trio.sleep(_PAUSE)
            else:
                welcome(stream)
