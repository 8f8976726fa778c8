"""Listening sockets, and the one thread that accepts what comes to them."""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable, Sequence
from selectors import EVENT_READ
from typing import Final

from .link import Waker

__all__ = ["Acceptor", "listen"]

_logger = logging.getLogger("wsproto_sockets")

#: Out of descriptors or memory, and how many seconds to wait until some may be free again.
_EXHAUSTION: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_EXHAUSTION_PAUSE: Final = 1.0


def listen(
    host: str | Sequence[str] | None,
    port: int | None,
    *,
    sock: socket.socket | None,
    unix_path: str | None,
    backlog: int,
    reuse_port: bool,
) -> list[socket.socket]:
    """Sockets that listen, one for each address. Raises :exc:`OSError`, and then there is none."""
    if sock is not None:
        sock.listen(backlog)
        return [sock]
    sockets: list[socket.socket] = []
    try:
        if unix_path is not None:
            sockets.append(_bind_unix(unix_path))
        else:
            for family, address in _addresses(host, port):
                sockets.append(_bind(family, address, reuse_port))
        for one in sockets:
            one.listen(backlog)
    except BaseException:
        for one in sockets:
            one.close()
        raise
    return sockets


def _addresses(host: str | Sequence[str] | None, port: int | None) -> list[tuple[int, tuple[object, ...]]]:
    names: Sequence[str | None] = [host or None] if host is None or isinstance(host, str) else host
    found: dict[tuple[int, tuple[object, ...]], None] = {}  # in order, each once
    for name in names:
        for family, _, _, _, address in socket.getaddrinfo(
            name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            found[family, address] = None
    return list(found)


def _bind(family: int, address: tuple[object, ...], reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_unix(path: str) -> socket.socket:
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


class Acceptor:
    """Hands every connection that comes to ``sockets`` to ``admit``, in a thread of its own."""

    def __init__(self, sockets: Sequence[socket.socket], admit: Callable[[socket.socket], None]) -> None:
        #: Those that listen; none once it is closed.
        self.sockets: Sequence[socket.socket] = sockets
        self._admit = admit
        self._is_closing = False
        try:
            self._waker = Waker()
            self._thread = threading.Thread(target=self._run, name="wsproto_sockets acceptor", daemon=True)
            self._thread.start()
        except BaseException:
            self._close_sockets()
            raise

    def close(self) -> None:
        """Stop to listen; return once the thread has ended. Harmless twice, and from several threads."""
        self._is_closing = True
        self._waker.wake()
        self._thread.join()

    def _run(self) -> None:
        sockets = self.sockets
        for sock in sockets:
            sock.setblocking(False)
        pause: float | None = None
        while not self._is_closing:
            for sock in sockets:
                self._waker.watch(sock, EVENT_READ if pause is None else 0)
            ready = self._waker.wait(pause)
            pause = None
            for sock in ready:
                if not self._accept(sock):
                    pause = _EXHAUSTION_PAUSE
        self._close_sockets()
        self._waker.close()

    def _accept(self, listening: socket.socket) -> bool:
        """Accept one; return whether the next one may be accepted at once."""
        try:
            sock, _ = listening.accept()
        except OSError as error:
            if error.errno not in _EXHAUSTION:
                return True  # it has gone again, or another process was faster
            _logger.error("cannot accept for now", exc_info=error)
            return False
        try:
            self._admit(sock)
        except Exception as error:  # whatever one client is the cause of, the others are served
            sock.close()
            _logger.error("a connection could not be served", exc_info=error)
        return True

    def _close_sockets(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.sockets = ()
