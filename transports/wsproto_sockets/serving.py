"""Servers of every kind: who is connected, and a thread with a handler for each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from wsproto_core import (
    BindFailed,
    CloseCode,
    Closed,
    Event,
    Listening,
    Reception,
    Request,
    Response,
    ServerConnection,
    ServerFacts,
    Tally,
)

from .blocking import BlockingPeer
from .link import Link
from .waiting import remaining

__all__ = ["BlockingListening", "Server"]

_P = TypeVar("_P", bound=BlockingPeer[Any])

#: Seconds for a handler to notice that its connection was dropped.
_LAST_MOMENTS: Final = 1.0


class BlockingListening(Listening, Protocol):
    """Sockets that wait for visitors, without coroutines."""

    def stop_accepting(self) -> None:
        """Let nobody else in; who is there may stay."""
        ...

    def close(self) -> None: ...


class Server(ServerFacts[BlockingListening], Generic[_P]):
    """A running server. Made by :func:`serve` and :func:`serve_tcp`. As a context manager it closes itself behind the
    block.
    """

    def __init__(
        self,
        open_doors: Callable[[Server[_P]], Sequence[BlockingListening]],
        *,
        handler: Callable[[_P], object],
        process_request: Callable[[_P, Request], Response | None] | None = None,
        max_connections: int | None,
    ) -> None:
        super().__init__()
        self._handler = handler
        self._process_request = process_request
        # Guards what is below. Whoever needs a connection's lock as well takes that one first.
        self._lock = threading.Lock()
        #: Who gets in. Not for users: it is guarded by a lock.
        self.reception: Reception[_P] = Reception(max_connections)
        self._threads: set[threading.Thread] = set()
        self._closers: set[threading.Thread] = set()
        self._is_closed = threading.Event()
        try:
            self.listening.extend(open_doors(self))
        except OSError as error:
            raise BindFailed.from_error(error) from error

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def connections(self) -> Collection[_P]:
        """The open connections, as of now."""
        with self._lock:
            return tuple(self.reception.open)

    @property
    def tally(self) -> Tally:
        """What its connections have counted so far, those of the past included."""
        with self._lock:
            tally, present = self.reception.stocktaking()
        for peer in present:
            tally.add_traffic(peer)
        return tally

    # --- life ---------------------------------------------------------------------------------------------------------

    def serve_forever(self) -> None:
        """Wait until the server is closed."""
        self._is_closed.wait()

    def stop_accepting(self) -> None:
        """Close the listening sockets, and keep the connections: those that are open or on the way to it. Harmless
        twice.

        What waits in such a socket is lost, unless another process has the socket as well.
        """
        for listening in self.listening:
            listening.stop_accepting()

    def close(self, code: int = 1001, reason: str = "", *, grace_period: float = 10.0) -> None:
        """Stop: no new connections, ``code`` to every open one, and after ``grace_period`` seconds an abrupt end.

        Handlers get to finish within the grace period. So do opening handshakes that have begun: they are answered with
        503. A thread cannot be cancelled: a handler that goes on although its connection was dropped is left behind,
        with a warning in the log. Otherwise nothing runs any more when this returns.
        """
        for ws in self.connections:
            ws.close_nowait(code, reason)  # raises before anything has happened, if at all
        with self._lock:
            self.reception.begin_closing()
            self._closers.add(threading.current_thread())
        try:
            self.stop_accepting()
            for listening in self.listening:
                listening.close()
            for ws in self.connections:  # those who came in between
                ws.close_nowait(code, reason)
            self._see_off(grace_period)
            if stubborn := self._finish(_LAST_MOMENTS):
                Link.log.log(logging.WARNING, "%d handlers go on although their connections have ended", stubborn)
        finally:
            with self._lock:
                self._closers.discard(threading.current_thread())
        self._is_closed.set()

    def _see_off(self, grace_period: float) -> None:
        """Wait for everyone, and drop who does not go."""
        with self._lock:
            last_calls = self.reception.last_calls(grace_period)
        for seconds, overdue in last_calls:
            self._finish(seconds)
            with self._lock:
                dropped = overdue()
            for ws in dropped:
                ws.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _everyone(self) -> Iterable[_P]:
        with self._lock:
            return tuple(self.reception.everyone)

    def _finish(self, timeout: float) -> int:
        """Wait for connections and handlers, for ``timeout`` seconds at the most; return how many handlers go on."""
        deadline = monotonic() + timeout
        for ws in self._everyone():
            try:
                ws.wait_closed(remaining(deadline))
            except TimeoutError:
                break
        for thread in self._other_threads():
            thread.join(remaining(deadline))
        return len(self._other_threads())

    def _other_threads(self) -> Sequence[threading.Thread]:
        """The running handlers, but for those that close the server themselves."""
        with self._lock:
            return tuple(thread for thread in self._threads - self._closers if thread.is_alive())

    # --- connections --------------------------------------------------------------------------------------------------

    def admit(self, peer: _P, begin: Callable[[], bool], *, introduces: bool = False) -> bool:
        """A new connection: let a thread ``begin`` it, which tells whether there is one to go on with, and run the
        handler. Returns whether there was room for it. ``introduces``: whether there are steps before its engine hears
        what it says.

        From now on it counts, so that there are no more threads than there may be connections.
        """
        thread = threading.Thread(target=self._live, args=(peer, begin), name="wsproto_sockets handler", daemon=True)
        with self._lock:
            is_admitted = self.reception.arrive(peer)
            if is_admitted:
                if introduces:
                    self.reception.introducing.add(peer)
                self._threads.add(thread)
        try:
            if is_admitted:
                thread.start()
                return True
        except RuntimeError as error:
            Link.log.error("no thread for a connection", exc_info=error)
        self._leave(peer, thread)
        return False

    def _live(self, peer: _P, begin: Callable[[], bool]) -> None:
        """The life of a connection's handler, up to the end of both."""
        try:
            if self._introduce(peer, begin) and self._receive(peer):
                self._run(peer)
            peer.wait_closed()
        except (OSError, RuntimeError) as error:  # no descriptor or no thread for the link
            Link.log.error("%r could not be served", peer, exc_info=error)
        finally:
            self._leave(peer, threading.current_thread())

    def _introduce(self, peer: _P, begin: Callable[[], bool]) -> bool:
        is_introduced = begin()
        with self._lock:
            self.reception.introducing.discard(peer)
        return is_introduced

    def _leave(self, peer: _P, thread: threading.Thread) -> None:
        with peer.changing(), self._lock:  # its counts are read
            self.reception.leave(peer)
            self._threads.discard(thread)

    def watch(self, peer: _P, event: Event) -> None:
        """Note what ``event`` of ``peer`` means for the server."""
        if isinstance(event, Closed):
            with self._lock:
                peer.end_level = self.reception.ended(peer, event.report)

    def tell(self, peer: _P) -> None:
        """The transport of ``peer`` is gone: the operator's line."""
        Link.log.log(peer.end_level, "%r %s", peer, peer.close_report)

    def _receive(self, peer: _P) -> bool:
        """Let ``peer`` in, or not; return whether its connection is open."""
        if isinstance(peer.engine, ServerConnection):
            request = peer.await_request()
            return isinstance(request, Request) and self._answer(peer, request)
        with self._lock:  # its protocol has no handshake
            is_welcome = self.reception.welcomes(peer)
        if not is_welcome:
            peer.close_nowait(CloseCode.TRY_AGAIN_LATER)
        return is_welcome

    def _answer(self, peer: _P, request: Request) -> bool:
        with self._lock:
            answer = self.reception.early_answer(peer)
        try:
            if answer is None and self._process_request is not None:
                answer = self._process_request(peer, request)
            return self._respond(peer, answer)
        except Exception as error:
            Link.log.error("%r: the request could not be answered", peer, exc_info=error)
            return self._respond(peer, Response(500))

    def _respond(self, peer: _P, answer: Response | None) -> bool:
        with peer.changing(), self._lock:
            return self.reception.answer(peer, answer)

    def _run(self, peer: _P) -> None:
        """Run the handler. What it leaves open is closed behind it."""
        try:
            self._handler(peer)
        except Exception as error:
            peer.fail(error, "the handler raised")
        finally:
            peer.close_nowait()
