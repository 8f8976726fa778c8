"""How a thread waits: for sockets, and for something to happen."""

from __future__ import annotations

import selectors
import socket
import sys
import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

from ._speedups import Entrance

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["READ", "WRITE", "Waiters", "Waker", "make_selector", "remaining", "wait_for"]

_T = TypeVar("_T")

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE


def make_selector() -> selectors.BaseSelector:
    """A selector that takes no file descriptor of its own, and sockets of any number where the system can."""
    return selectors.SelectSelector() if sys.platform == "win32" else selectors.PollSelector()


def remaining(deadline: float | None) -> float | None:
    """Seconds until ``deadline``, not less than 0; ``None`` for never."""
    return None if deadline is None else max(0.0, deadline - monotonic())


def wait_for(stream: Stream, deadline: float | None, *, writing: bool = False) -> None:
    """Wait until there is something to read from ``stream``, or room where it is for ``writing``. Raises
    :exc:`TimeoutError` at ``deadline``.
    """
    writing = writing and not stream.is_stuck
    interest = (0 if writing else READ) | (WRITE if writing or stream.wants_write else 0)
    with make_selector() as selector:
        selector.register(stream.socket, interest)
        if not selector.select(remaining(deadline)):
            raise TimeoutError


class Waker:
    """Ends a wait in :meth:`watch` from another thread."""

    def __init__(self) -> None:
        self._selector = make_selector()
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._selector.register(self._inner, READ)
        self._interests: dict[socket.socket, int] = {}

    def watch(self, sock: socket.socket, interest: int) -> None:
        """From now on wait for ``sock`` as well: readable, writable, both, or neither."""
        before = self._interests.get(sock, 0)  # the selector knows as well, but asks the system for what it does not
        if interest == before:
            return
        self._interests[sock] = interest
        # A socket without interest must not be known to the selector, which would tell of its errors without end.
        if not before:
            self._selector.register(sock, interest)
        elif not interest:
            self._selector.unregister(sock)
        else:
            self._selector.modify(sock, interest)

    def wait(self, timeout: float | None) -> dict[socket.socket, int]:
        """Wait; return what each socket is ready for."""
        ready: dict[socket.socket, int] = {}
        for key, events in self._selector.select(timeout):
            assert isinstance(key.fileobj, socket.socket), "nothing else is registered"
            if key.fileobj is self._inner:
                self._inner.recv(64)
            else:
                ready[key.fileobj] = events
        return ready

    def wake(self) -> None:
        """Let the wait end, or the next one."""
        try:
            self._outer.send(b"\0")
        except OSError:
            pass  # there is more than enough to wake it, or nobody left to be woken

    def close(self) -> None:
        self._selector.close()
        self._inner.close()
        self._outer.close()


class Waiters(Entrance):
    """Threads that wait for something to happen. Every one tries its own attempt again."""

    def __init__(self) -> None:
        Entrance.__init__(self)  # by its name: what comes behind this class in a link is made otherwise
        #: The lock, which is notified of changes.
        self.changed: threading.Condition = threading.Condition(self.lock)
        # How many wait for a change.
        self._waiting: int = 0

    def until(self, attempt: Callable[[], _T | None], timeout: float | None = None) -> _T:
        """The first result of ``attempt`` that is not ``None``: tried at once, and again after every change.

        Raises :exc:`TimeoutError` after ``timeout`` seconds; nothing is lost then, because ``attempt`` is tried with
        the lock held.
        """
        deadline = None if timeout is None else monotonic() + timeout
        with self.lock:
            while (result := attempt()) is None:
                left = remaining(deadline)
                if left == 0:
                    raise TimeoutError(f"nothing within {timeout} seconds")
                self._wait(left)
            return result

    def _wait(self, timeout: float | None) -> None:
        """Wait for a change, without the lock."""
        self._waiting += 1
        try:
            self.changed.wait(timeout)
        finally:
            self._waiting -= 1
