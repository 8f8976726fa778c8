"""Stream sockets to listen by."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

__all__ = ["AddressInfo", "bind", "bind_each", "bind_tcp", "bind_unix"]

#: What ``getaddrinfo`` tells of an address.
AddressInfo: TypeAlias = tuple[int, int, int, str, Sequence[Any]]


def bind_tcp(found: Iterable[AddressInfo], *, reuse_port: bool) -> list[socket.socket]:
    """A bound socket for each address that ``getaddrinfo`` has ``found``. Raises :exc:`OSError`, and then there is
    none.
    """
    return bind_each(found, lambda family, address: bind(family, socket.SOCK_STREAM, address, reuse_port))


def bind_each(found: Iterable[AddressInfo], bind: Callable[[int, Sequence[Any]], socket.socket]) -> list[socket.socket]:
    """What ``bind`` makes of each different address, but for those of families that this machine does not speak."""
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((one[0], tuple(one[4])) for one in found):
            try:
                sockets.append(bind(family, address))
            except OSError as error:
                if error.errno != errno.EAFNOSUPPORT:  # getaddrinfo knows IPv6, this machine does not
                    raise
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, "no address to listen on")
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def bind_unix(path: str) -> socket.socket:
    """A bound Unix socket; one that was left behind at ``path`` makes way. Raises :exc:`OSError`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if not path.startswith("\0"):
            _remove_leftover(path)
        sock.bind(path)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_leftover(path: str) -> None:
    """What an earlier server left behind."""
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.remove(path)
    except FileNotFoundError:
        pass


def bind(family: int, kind: int, address: Sequence[Any], reuse_port: bool) -> socket.socket:
    """A socket of ``family`` and ``kind``, bound to ``address``. Raises :exc:`OSError`."""
    sock = socket.socket(family, kind)
    try:
        if sys.platform != "win32" and kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(tuple(address))
    except BaseException:
        sock.close()
        raise
    return sock
