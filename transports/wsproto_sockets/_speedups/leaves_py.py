"""The leaves of a link: how a thread takes its lock and gives it up, and what it asks the system.

Each is small, and is the specification of a native one in ``leaves_c`` that may take its place.
"""

from __future__ import annotations

import socket
import threading
from abc import abstractmethod
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from wsproto_core import Buffer, Message

__all__ = ["Guarded", "Lock", "send"]

#: A lock that a thread may take more than once.
Lock: TypeAlias = threading.RLock

#: Makes one call non-blocking, and not the socket, so that one thread may wait in it. Windows has none.
_DONTWAIT: Final = getattr(socket, "MSG_DONTWAIT", 0)


class Guarded:
    """The ways of a message through a link, as far as its ``lock`` is concerned, which whoever changes it holds."""

    __slots__ = ("_is_wanted", "_sock", "_waiting", "changed", "lock")

    #: The lock; and its other face, which is notified of changes. Who looks after those who wait makes both.
    lock: Lock
    changed: threading.Condition
    # How many wait for a change; and whether somebody who is to go first waits for the lock.
    _waiting: int
    _is_wanted: bool
    # The socket, if bytes are taken from it as they come and a thread may wait in it.
    _sock: socket.socket | None

    def send_at_once(self, message: Message | Buffer) -> bool:
        """Send a message, if there is nothing else to do for it; return whether it was. Only for those who do not hold
        the lock.
        """
        if self._is_wanted:
            self.give_way()
        with self.lock:
            return self._send_at_once(message)

    def next_message(self) -> Message | None:
        """The next message, where waiting for one piece of input is all that it takes; else ``None``. Only for those
        who do not hold the lock.
        """
        with self.lock:
            return self._next_message()

    def _await_input(self, stream: _Source, timeout: float | None) -> bytes | memoryview | None:
        """Do what ``stream.wait(timeout)`` does, without the lock, and take it again, whatever happens. A view is valid
        until the next call.
        """
        try:
            self.lock.release()
            return stream.wait(timeout)
        finally:
            if not self.lock.acquire(False):
                self.come_first()

    # --- what else there is, for the link -----------------------------------------------------------------------------

    @abstractmethod
    def _send_at_once(self, message: Message | Buffer) -> bool:
        """What :meth:`send_at_once` does, with the lock."""

    @abstractmethod
    def _next_message(self) -> Message | None:
        """What :meth:`next_message` does, with the lock."""

    @abstractmethod
    def give_way(self) -> None:
        """Let who is to come first take the lock."""

    @abstractmethod
    def come_first(self) -> None:
        """Take the lock, ahead of those who :meth:`give_way`."""


def send(sock: socket.socket, data: bytes | memoryview) -> int:
    """Send the beginning of ``data``, without waiting; return how many bytes the system takes now. Raises
    :exc:`OSError`.
    """
    try:
        return sock.send(data, _DONTWAIT)
    except (BlockingIOError, InterruptedError):
        return 0


class _Source(Protocol):
    def wait(self, timeout: float | None) -> bytes | None: ...
