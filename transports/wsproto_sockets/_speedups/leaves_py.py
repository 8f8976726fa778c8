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

__all__ = ["Entrance", "Guarded", "Lock", "send"]

#: A lock that a thread may take more than once.
Lock: TypeAlias = threading.RLock

#: Makes one call non-blocking, and not the socket, so that one thread may wait in it. Windows has none.
_DONTWAIT: Final = getattr(socket, "MSG_DONTWAIT", 0)


class Entrance:
    """The way to a ``lock``, which is not fair: busy senders would keep it from who is to come first."""

    __slots__ = ("_is_wanted", "_turnstile", "lock")

    def __init__(self) -> None:
        #: The lock of whatever may change. A thread may take it more than once.
        self.lock: Lock = Lock()
        # Held by who is to go first while it waits for the lock; and whether somebody does.
        self._turnstile: Lock = Lock()
        self._is_wanted: bool = False

    def come_first(self) -> None:
        """Take the lock, ahead of those who :meth:`give_way`."""
        if not self.lock.acquire(False):
            with self._turnstile:
                self._is_wanted = True
                try:
                    self.lock.acquire()
                finally:
                    self._is_wanted = False

    def give_way(self) -> None:
        """Let who is to come first take the lock, if it waits for it, and not for who calls this."""
        if self._is_wanted and not self.lock._is_owned():  # type: ignore[attr-defined]  # a condition asks it as well
            with self._turnstile:
                pass


class Guarded(Entrance):
    """The ways of a message through a link, as far as its ``lock`` is concerned, which whoever changes it holds."""

    __slots__ = ("_sock", "_waiting", "changed")

    #: The other face of the lock, which is notified of changes. Who looks after those who wait makes it.
    changed: threading.Condition
    # How many wait for a change.
    _waiting: int
    # The socket, if bytes are taken from it as they come and a thread may wait in it.
    _sock: socket.socket | None

    def send_at_once(self, message: Message | Buffer) -> bool:
        """Send a message, if there is nothing else to do for it; return whether it was. Only for those who do not hold
        the lock.
        """
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
            self.come_first()

    # --- what else there is, for the link -----------------------------------------------------------------------------

    @abstractmethod
    def _send_at_once(self, message: Message | Buffer) -> bool:
        """What :meth:`send_at_once` does, with the lock."""

    @abstractmethod
    def _next_message(self) -> Message | None:
        """What :meth:`next_message` does, with the lock."""


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
