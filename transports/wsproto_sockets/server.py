"""Servers: from a listening socket to a thread with a handler for each connection."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import socket
import ssl as tls
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from wsproto_core import (
    Closed,
    Event,
    Extension,
    Limits,
    OriginRule,
    PerMessageDeflate,
    Receive,
    Reception,
    Request,
    Response,
    ServerConnection,
    Timeouts,
)

from .link import remaining
from .listening import Acceptor, listen
from .peer import WebSocket
from .stream import Plain, Stream, Tls

__all__ = ["Server", "serve"]

_logger = logging.getLogger("wsproto_sockets")

Handler: TypeAlias = Callable[[WebSocket], object]
ProcessRequest: TypeAlias = Callable[[WebSocket, Request], Response | None]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()
#: Seconds for a handler to notice that its connection was dropped.
_LAST_MOMENTS: Final = 1.0


class Server:
    """A running server. Made by :func:`serve`. As a context manager it closes itself at the end of the block."""

    def __init__(
        self,
        handler: Handler,
        sockets: Sequence[socket.socket],
        *,
        ssl: tls.SSLContext | None,
        process_request: ProcessRequest | None,
        reception: Reception[WebSocket],
        make_engine: Callable[[float], ServerConnection],
    ) -> None:
        self._handler = handler
        self._ssl = ssl
        self._process_request = process_request
        self._make_engine = make_engine
        # Guards what is below. Whoever needs a connection's lock as well takes that one first.
        self._lock = threading.Lock()
        self._reception = reception
        self._threads: set[threading.Thread] = set()
        self._closers: set[threading.Thread] = set()
        self._is_closed = threading.Event()
        self._acceptor = Acceptor(sockets, self._admit)

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def connections(self) -> Collection[WebSocket]:
        """The open connections, as of now."""
        with self._lock:
            return tuple(self._reception.open)

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The listening sockets."""
        return self._acceptor.sockets

    @property
    def port(self) -> int:
        """The port of the first listening socket: the one chosen by the system where 0 was asked for."""
        return int(self.sockets[0].getsockname()[1])

    # --- life ---------------------------------------------------------------------------------------------------------

    def serve_forever(self) -> None:
        """Wait until the server is closed."""
        self._is_closed.wait()

    def close(self, code: int = 1001, reason: str = "", *, grace_period: float = 10.0) -> None:
        """Stop: no new connections, ``code`` to every open one, and after ``grace_period`` seconds an abrupt end.

        Handlers get to finish within the grace period. A thread cannot be cancelled: a handler that goes on although
        its connection was dropped is left behind, with a warning in the log. Otherwise nothing runs any more when this
        returns.
        """
        for ws in self._everyone():
            ws.close_nowait(code, reason)  # raises before anything has happened, if at all
        with self._lock:
            self._reception.is_closing = True
            self._closers.add(threading.current_thread())
        try:
            self._acceptor.close()
            for ws in self._everyone():  # those who came in between
                ws.close_nowait(code, reason)
            self._finish(grace_period)
            for ws in self._everyone():
                ws.abort()
            if stubborn := self._finish(_LAST_MOMENTS):
                _logger.warning("%d handlers go on although their connections have ended", stubborn)
        finally:
            with self._lock:
                self._closers.discard(threading.current_thread())
        self._is_closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _everyone(self) -> Iterable[WebSocket]:
        with self._lock:
            return tuple(self._reception.everyone)

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

    def _admit(self, sock: socket.socket) -> None:
        """A new connection. From now on it counts, so that there are no more threads than there may be connections."""
        ws = WebSocket(self._make_engine(monotonic()), watch=self._watch)
        stream: Stream = Plain(sock)
        if self._ssl is not None:
            stream = Tls(stream, self._ssl, server_side=True)
        thread = threading.Thread(target=self._live, args=(ws, stream), name="wsproto_sockets handler", daemon=True)
        with self._lock:
            is_admitted = self._reception.arrive(ws)
            if is_admitted:
                self._threads.add(thread)
        try:
            if is_admitted:
                thread.start()
                return
        except RuntimeError as error:
            _logger.error("no thread for a connection", exc_info=error)
        stream.close()
        self._leave(ws, thread)

    def _live(self, ws: WebSocket, stream: Stream) -> None:
        """The life of a connection's handler, up to the end of both."""
        try:
            ws.link.on_lost = functools.partial(self._tell, ws)
            ws.link.start(stream)
            if self._receive(ws):
                self._run(ws)
            ws.wait_closed()
        except (OSError, RuntimeError) as error:  # no descriptor or no thread for the link
            _logger.error("%r could not be served", ws, exc_info=error)
        finally:
            self._leave(ws, threading.current_thread())

    def _leave(self, ws: WebSocket, thread: threading.Thread) -> None:
        with self._lock:
            self._reception.leave(ws)
            self._threads.discard(thread)

    def _watch(self, ws: WebSocket, event: Event) -> None:
        if isinstance(event, Closed):
            with self._lock:
                ws.is_news = self._reception.ended(ws, event.report)

    def _tell(self, ws: WebSocket) -> None:
        _logger.log(logging.INFO if ws.is_news else logging.DEBUG, "%r %s", ws, ws.close_report)

    def _receive(self, ws: WebSocket) -> bool:
        """Wait for the request and answer it; return whether the connection has opened."""
        request = ws.link.until(ws.arrival)
        if not isinstance(request, Request):
            return False
        with self._lock:
            answer = self._reception.early_answer(ws)
        try:
            if answer is None and self._process_request is not None:
                answer = self._process_request(ws, request)
            return self._respond(ws, answer)
        except Exception as error:
            _logger.error("%r: the request could not be answered", ws, exc_info=error)
            return self._respond(ws, Response(500))

    def _respond(self, ws: WebSocket, answer: Response | None) -> bool:
        with ws.link.changed:
            with self._lock:
                opened = self._reception.answer(ws, answer)
            ws.link.flush()
        return opened

    def _run(self, ws: WebSocket) -> None:
        """Run the handler. What it leaves open is closed behind it."""
        try:
            self._handler(ws)
        except Exception as error:
            ws.fail(error, "the handler raised")
        finally:
            ws.close_nowait()


# budget: one parameter a line, and one check for each that cannot work
def serve(
    handler: Handler,
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    sock: socket.socket | None = None,
    unix_path: str | os.PathLike[str] | None = None,
    ssl: tls.SSLContext | None = None,
    backlog: int = 1024,
    reuse_port: bool = False,
    max_connections: int | None = 1000,
    process_request: ProcessRequest | None = None,
    origins: Sequence[OriginRule] | None = None,
    hosts: Sequence[str] | None = None,
    subprotocols: Sequence[str] | Callable[[tuple[str, ...]], str | None] = (),
    compression: PerMessageDeflate | None = None,
    extensions: Sequence[Extension] = (),
    limits: Limits = _DEFAULT_LIMITS,
    timeouts: Timeouts = _DEFAULT_TIMEOUTS,
    receive: Receive = Receive.MESSAGES,
) -> Server:
    """Serve WebSocket: ``with serve(handler, host, port) as server`` or ``server = serve(...)``. It runs at once, in
    threads of its own.

    * ``handler``: a function, called in a thread with each open :class:`WebSocket`, which is closed when it returns.
    * ``host``, ``port``: where to listen; ``sock``, a listening or bound socket, or ``unix_path`` instead.
    * ``ssl``: an ``SSLContext`` for ``wss://``.
    * ``max_connections``: beyond it a handshake is answered with 503; ``None`` for no limit. A connection counts until
      its handler has returned, and each has two threads.
    * ``process_request(ws, request)``: a function that may answer any HTTP request with a :class:`Response` of its own
      (a health check, a page, a refusal); ``None`` goes on with the handshake.
    * ``origins``, ``hosts``, ``subprotocols``: as in :class:`ServerConnection`.
    * ``compression``: ``PerMessageDeflate()``, or ``None``, the default; ``extensions``: others to accept.
    * ``limits``, ``timeouts``, ``receive``: for each connection.
    * ``backlog``, ``reuse_port``: of the listening socket.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`OSError` where it cannot listen.
    """
    _check_function("handler", handler)
    if process_request is not None:
        _check_function("process_request", process_request)
    if sum((port is not None, sock is not None, unix_path is not None)) != 1:
        raise ValueError("give one of port, sock and unix_path")
    if reuse_port and port is None:
        raise ValueError("reuse_port needs port")
    make_engine = functools.partial(
        ServerConnection,
        origins=origins,
        hosts=hosts,
        subprotocols=subprotocols,
        extensions=[*extensions, *([compression] if compression else [])],
        limits=limits,
        timeouts=timeouts,
        receive=receive,
    )
    make_engine()  # so that an option that cannot work is told now, and not by every connection
    reception = Reception[WebSocket](max_connections)
    path = None if unix_path is None else os.fspath(unix_path)
    return Server(
        handler,
        listen(host, port, sock=sock, unix_path=path, backlog=backlog, reuse_port=reuse_port),
        ssl=ssl,
        process_request=process_request,
        reception=reception,
        make_engine=lambda now: make_engine(now=now),
    )


def _check_function(name: str, value: Any) -> None:
    if isinstance(value, type) or not callable(value) or inspect.iscoroutinefunction(value):
        raise TypeError(f"{name} must be a plain function, not {value!r}")
