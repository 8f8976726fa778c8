"""Many sockets that the loop watches as one.

asyncio makes a tuple for each event, which lives until all that came at once is done. Where that are thousands, the
garbage collector takes them for what stays: docs/decisions/0043-crowds.md tells what that costs.

Of those who are ready some are read before any is answered: what reading needs, and then what writing needs, is in the
processor's caches from the second on. docs/decisions/0045-step-by-step.md tells what that gains.

What lives here is who is called when a socket is ready. What must not: sockets, and what is done with them.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, Final, Protocol, TypeAlias

__all__ = ["Crowd", "crowd_of"]

#: Events that are asked for at once: so few stay in the processor's cache, no collection begins among them, and nobody
#: waits long for an answer that is ready.
_AT_ONCE: Final = 16
_Callbacks: TypeAlias = dict[int, tuple[Context, Callable[[], Any]]]


class Flushable(Protocol):
    """Who has something to say, perhaps."""

    def flush(self) -> None:
        """Say it."""
        ...

    def abort(self) -> None:
        """End it all, because that failed."""
        ...


def crowd_of(loop: asyncio.AbstractEventLoop) -> Crowd | None:
    """A new one for sockets of ``loop``; ``None`` where that makes nothing for an event, as uvloop, and where there is
    no ``epoll``.
    """
    return Crowd(loop) if isinstance(loop, asyncio.SelectorEventLoop) and hasattr(select, "epoll") else None


class Crowd:
    """Watches sockets with the methods of ``loop``, by an ``epoll`` of its own, which the loop watches.

    Who is called may find that the socket is not ready: its number was another one's when the system was asked.
    """

    __slots__ = (
        "_asked", "_calls", "_epoll", "_is_looking", "_loop", "_readers", "_writers", "call_exception_handler",
        "call_later", "due",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        #: The loop's own.
        self.call_exception_handler: Callable[..., Any] = loop.call_exception_handler
        self.call_later: Callable[..., Any] = loop.call_later
        #: Who is to be flushed once all who can be read now have been.
        self.due: deque[Flushable] = deque()
        # Who is to be called soon: behind those who are called now, or in the next turn of the loop.
        self._calls: deque[tuple[Context, Callable[..., Any], tuple[Any, ...]]] = deque()
        self._is_looking = False
        self._epoll = select.epoll()
        self._readers: _Callbacks = {}
        self._writers: _Callbacks = {}
        # What the system was asked to tell of each. The loop watches while there is anything.
        self._asked: dict[int, int] = {}

    def fileno(self) -> int:
        """What the loop watches, as long as there is anybody."""
        return self._epoll.fileno()

    def add_reader(self, fd: int, callback: Callable[[], Any], /) -> None:
        """Call ``callback``, in a copy of this context, whenever ``fd`` can be read.

        Raises :exc:`OSError` where the system does not watch it, and then ``callback`` is forgotten.
        """
        self._ask(fd, self._asked.get(fd, 0) | select.EPOLLIN)
        self._readers[fd] = copy_context(), callback

    def add_writer(self, fd: int, callback: Callable[[], Any], /) -> None:
        """Call ``callback``, in a copy of this context, whenever ``fd`` can be written. Raises as above."""
        self._ask(fd, self._asked.get(fd, 0) | select.EPOLLOUT)
        self._writers[fd] = copy_context(), callback

    def remove_reader(self, fd: int, /) -> None:
        """Watch ``fd``, which has a reader, no longer for that."""
        del self._readers[fd]
        self._ask(fd, self._asked[fd] & ~select.EPOLLIN)

    def remove_writer(self, fd: int, /) -> None:
        """Watch ``fd``, which has a writer, no longer for that."""
        del self._writers[fd]
        self._ask(fd, self._asked[fd] & ~select.EPOLLOUT)

    def call_soon(self, callback: Callable[..., Any], /, *arguments: Any) -> None:
        """Call ``callback``, in a copy of this context, once all who are called now have been, or in the next turn of
        the loop. It takes a handle of the loop's for all such calls at most.
        """
        if not (self._is_looking or self._calls):
            self._loop.call_soon(self._call_all)
        self._calls.append((copy_context(), callback, arguments))

    def flush(self) -> None:
        """Flush all who are due."""
        while self.due:
            who = self.due.popleft()
            try:
                who.flush()
            except Exception as error:
                self.call_exception_handler({"message": "Fatal error: a flush raised", "exception": error})
                who.abort()

    def _ask(self, fd: int, wanted: int) -> None:
        """Have told what is wanted of ``fd`` now. Where the system refuses, all is as it was."""
        if not wanted:
            self._forget(fd)
        elif fd in self._asked:
            self._epoll.modify(fd, wanted)
            self._asked[fd] = wanted
        else:
            self._epoll.register(fd, wanted)
            if not self._asked:
                try:
                    self._loop.add_reader(self, self._look)
                except OSError:
                    self._epoll.unregister(fd)
                    raise
            self._asked[fd] = wanted

    def _forget(self, fd: int) -> None:
        try:
            self._epoll.unregister(fd)
        except OSError:
            pass  # the socket was closed behind our back
        del self._asked[fd]
        if not self._asked:
            self._loop.remove_reader(self)

    def _look(self) -> None:
        """Call everybody who can go on, once."""
        self._is_looking = True
        try:
            for _ in range(0, len(self._asked), _AT_ONCE):
                if self._call_some() < _AT_ONCE:
                    break
        finally:
            self._is_looking = False
            self._call_all()

    def _call_some(self) -> int:
        """Call some who can go on, others than the last time; return how many these were."""
        readers, writers = self._readers, self._writers
        events = self._epoll.poll(0, _AT_ONCE)
        for fd, event in events:
            # An error, or the end of a connection, concerns both.
            if event & ~select.EPOLLOUT and (found := readers.get(fd)) is not None:
                found[0].run(found[1])
            if event & ~select.EPOLLIN and (found := writers.get(fd)) is not None:
                found[0].run(found[1])
        self.flush()
        return len(events)

    def _call_all(self) -> None:
        """Call all who are to be called soon."""
        try:
            while self._calls:
                context, callback, arguments = self._calls.popleft()
                try:
                    context.run(callback, *arguments)
                except Exception as error:
                    self.call_exception_handler({"message": f"Exception in callback {callback!r}", "exception": error})
        finally:
            if self._calls:  # somebody wants the program to end; if it goes on, so do the others
                self._loop.call_soon(self._call_all)
