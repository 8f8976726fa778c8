"""Listening sockets, and the one thread that accepts what comes to them."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Sequence
from selectors import EVENT_READ
from typing import Any, Final

from wsproto_core import ListenPlan
from wsproto_net import bind_tcp, bind_udp, bind_unix

from .link import Link
from .waiting import Waker

__all__ = ["Acceptor", "bound_sockets", "listen"]

#: Out of descriptors or memory, and how many seconds to wait until some may be free again.
_EXHAUSTION: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_EXHAUSTION_PAUSE: Final = 1.0


def listen(plan: ListenPlan) -> list[socket.socket]:
    """Sockets that listen, one for each address. Raises :exc:`OSError`, and then there is none."""
    sockets = bound_sockets(plan, socket.SOCK_STREAM)
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


def bound_sockets(plan: ListenPlan, kind: int) -> list[socket.socket]:
    """The sockets of ``plan``, and those of ``kind`` for its hosts and port. Raises :exc:`OSError`."""
    sockets: list[socket.socket] = list(plan.sockets)
    if plan.port is not None:
        bind = bind_tcp if kind == socket.SOCK_STREAM else bind_udp
        found = [
            address
            for host in plan.hosts
            for address in socket.getaddrinfo(host or None, plan.port, type=kind, flags=socket.AI_PASSIVE)
        ]
        sockets += bind(found, reuse_port=plan.reuse_port)
    return sockets


class Acceptor:
    """Hands every connection that comes to ``sockets`` to ``admit``, with its address, in a thread of its own."""

    def __init__(self, sockets: Sequence[socket.socket], admit: Callable[[socket.socket, Any], None]) -> None:
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
            sock, address = listening.accept()
        except OSError as error:
            if error.errno not in _EXHAUSTION:
                return True  # it has gone again, or another process was faster
            Link.log.error("cannot accept for now", exc_info=error)
            return False
        try:
            self._admit(sock, address)
        except Exception as error:  # whatever one client is the cause of, the others are served
            sock.close()
            Link.log.error("a connection could not be served", exc_info=error)
        return True

    def _close_sockets(self) -> None:
        for sock in self.sockets:
            sock.close()
        self.sockets = ()
