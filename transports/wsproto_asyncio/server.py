"""Servers: from a listening socket to a handler for each connection."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Sequence
from types import TracebackType
from typing import Any, Final, TypeAlias

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

from .listener import Listener
from .peer import WebSocket

__all__ = ["Server", "serve"]

_logger = logging.getLogger("wsproto_asyncio")

Handler: TypeAlias = Callable[[WebSocket], Awaitable[None]] | type[Listener]
ProcessRequest: TypeAlias = Callable[[WebSocket, Request], Awaitable[Response | None] | Response | None]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


class Server:
    """A running server. Made by :func:`serve`."""

    def __init__(
        self,
        handler: Handler,
        *,
        process_request: ProcessRequest | None,
        reception: Reception[WebSocket],
        make_engine: Callable[[float], ServerConnection],
    ) -> None:
        self._handler = handler
        self._process_request = process_request
        self._make_engine = make_engine
        self._listening: asyncio.Server | None = None
        self._reception = reception
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = asyncio.get_running_loop().create_future()

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def connections(self) -> Collection[WebSocket]:
        """The open connections. A live view: copy it before you await."""
        return self._reception.open

    @property
    def sockets(self) -> Sequence[Any]:
        """The listening sockets."""
        return () if self._listening is None else self._listening.sockets

    @property
    def port(self) -> int:
        """The port of the first listening socket: the one chosen by the system where 0 was asked for."""
        return int(self.sockets[0].getsockname()[1])

    # --- life ---------------------------------------------------------------------------------------------------------

    async def serve_forever(self) -> None:
        """Wait until the server is closed, or this is cancelled."""
        await asyncio.shield(self._is_closed)

    async def close(self, code: int = 1001, reason: str = "", *, grace_period: float = 10.0) -> None:
        """Stop: no new connections, ``code`` to every open one, and after ``grace_period`` seconds an abrupt end.

        Handlers get to finish within the grace period and are cancelled then. Returns when nothing runs any more.
        """
        for ws in self._reception.everyone:
            ws.close_nowait(code, reason)  # raises before anything has happened, if at all
        self._reception.is_closing = True
        if self._listening is not None:
            self._listening.close()
        await self._finish(grace_period)
        for ws in self._reception.everyone:
            ws.abort()
        for task in self._other_tasks():
            task.cancel()
        await self._finish(None)
        if not self._is_closed.done():
            self._is_closed.set_result(None)

    async def _finish(self, timeout: float | None) -> None:
        """Wait for handlers and transports, for ``timeout`` seconds at the most."""
        waiting = [asyncio.ensure_future(ws.wait_closed()) for ws in self._reception.everyone]
        tasks = self._other_tasks()
        try:
            if waiting or tasks:
                await asyncio.wait({*waiting, *tasks}, timeout=timeout)
        finally:
            for waiter in waiting:
                waiter.cancel()

    def _other_tasks(self) -> set[asyncio.Task[None]]:
        """The running handlers, but for one that closes the server itself."""
        return {task for task in self._tasks if task is not asyncio.current_task()}

    async def listen(self, start: Callable[..., Awaitable[asyncio.Server]], *where: Any, **options: Any) -> None:
        """Start to listen, with the event loop's ``start`` function."""
        self._listening = await start(self._connection, *where, **options)

    # --- connections --------------------------------------------------------------------------------------------------

    def _connection(self) -> asyncio.BaseProtocol:
        """A new connection. It counts once its transport is made, which a failed TLS handshake never is."""
        listener = self._handler() if isinstance(self._handler, type) else None
        ws = WebSocket(self._make_engine(asyncio.get_running_loop().time()), listener=listener, watch=self._watch)
        ws.link.on_made = lambda: self._admit(ws)
        ws.link.on_lost = lambda: self._reception.leave(ws)
        return ws.link

    def _admit(self, ws: WebSocket) -> None:
        if not self._reception.arrive(ws):
            ws.abort()

    def _watch(self, ws: WebSocket, event: Event) -> None:
        match event:
            case Request():
                self._decide(ws, event)
            case Closed(report):
                is_news = self._reception.ended(ws, report)
                _logger.log(logging.INFO if is_news else logging.DEBUG, "%r %s", ws, report)
            case _:
                pass

    def _decide(self, ws: WebSocket, request: Request) -> None:
        """Find the answer to a request: at once where that is possible."""
        early = self._reception.early_answer(ws)
        if early is not None or self._process_request is None:
            self._answer(ws, early)
        else:
            self._ask(self._process_request, ws, request)

    def _ask(self, process_request: ProcessRequest, ws: WebSocket, request: Request) -> None:
        try:
            answer = process_request(ws, request)
        except Exception as error:
            self._request_failed(ws, error)
            return
        if inspect.isawaitable(answer):
            self._spawn(self._answer_later(ws, answer))
        else:
            self._answer(ws, answer)

    async def _answer_later(self, ws: WebSocket, pending: Awaitable[Response | None]) -> None:
        try:
            answer = await pending
        except Exception as error:
            self._request_failed(ws, error)
        else:
            self._answer(ws, answer)

    def _answer(self, ws: WebSocket, answer: Response | None) -> None:
        """Answer the request, with 500 if the application's answer or choice of subprotocol is none."""
        try:
            self._respond(ws, answer)
        except Exception as error:
            self._request_failed(ws, error)

    def _request_failed(self, ws: WebSocket, error: Exception) -> None:
        _logger.error("%r: the request could not be answered", ws, exc_info=error)
        self._respond(ws, Response(500))

    def _respond(self, ws: WebSocket, answer: Response | None) -> None:
        opened = self._reception.answer(ws, answer)
        ws.link.flush_soon()
        if opened:
            ws.opened()
            if not isinstance(self._handler, type):
                self._spawn(self._run(self._handler, ws))

    async def _run(self, handler: Callable[[WebSocket], Awaitable[None]], ws: WebSocket) -> None:
        """The life of a connection's handler. What it leaves open is closed behind it."""
        try:
            await handler(ws)
        except Exception as error:
            ws.fail(error, "the handler raised")
        else:
            ws.close_nowait()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class serve:  # noqa: N801  (it is used like a function, and is awaitable and a context manager as well)
    """Serve WebSocket: ``async with serve(handler, host, port) as server`` or ``server = await serve(...)``.

    * ``handler``: a coroutine function, called with each open :class:`WebSocket` (which is closed when it returns),
      or a :class:`Listener` class, of which each connection gets an instance.
    * ``host``, ``port``: where to listen; ``sock``, a listening or bound socket, or ``unix_path`` instead.
    * ``ssl``: an ``SSLContext`` for ``wss://``.
    * ``max_connections``: beyond it a handshake is answered with 503; ``None`` for no limit.
    * ``process_request(ws, request)``: a function, or coroutine function, that may answer any HTTP request with a
      :class:`Response` of its own (a health check, a page, a refusal); ``None`` goes on with the handshake.
    * ``origins``, ``hosts``, ``subprotocols``: as in :class:`ServerConnection`.
    * ``compression``: ``PerMessageDeflate()``, or ``None``, the default; ``extensions``: others to accept.
    * ``limits``, ``timeouts``, ``receive``: for each connection.
    * ``backlog``, ``reuse_port``: of the listening socket.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`OSError` where it cannot listen.
    """

    # budget: one parameter a line, and one check for each that cannot work
    def __init__(
        self,
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
    ) -> None:
        if isinstance(handler, type) and not issubclass(handler, Listener):
            raise TypeError(f"handler must be a coroutine function or a Listener class, not {handler!r}")
        if not callable(handler):
            raise TypeError(f"handler must be a coroutine function or a Listener class, not {handler!r}")
        if sum((port is not None, sock is not None, unix_path is not None)) != 1:
            raise ValueError("give one of port, sock and unix_path")
        if reuse_port and port is None:
            raise ValueError("reuse_port needs port")
        self._handler = handler
        self._make_reception = functools.partial(Reception[WebSocket], max_connections)
        self._process_request = process_request
        self._make_engine = functools.partial(
            ServerConnection,
            origins=origins,
            hosts=hosts,
            subprotocols=subprotocols,
            extensions=[*extensions, *([compression] if compression else [])],
            limits=limits,
            timeouts=timeouts,
            receive=receive,
        )
        self._make_reception()
        self._make_engine()  # so that an option that cannot work is told now, and not by every connection
        self._host, self._port, self._sock, self._unix_path = host, port, sock, unix_path
        self._options: dict[str, Any] = {"ssl": ssl, "backlog": backlog}
        if ssl is not None and timeouts.opening_timeout is not None:
            self._options["ssl_handshake_timeout"] = timeouts.opening_timeout
        if reuse_port:
            self._options["reuse_port"] = True
        self._server: Server | None = None

    def __await__(self) -> Generator[Any, None, Server]:
        return self._serve().__await__()

    async def __aenter__(self) -> Server:
        self._server = await self._serve()
        return self._server

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None, "entered"
        await self._server.close()

    async def _serve(self) -> Server:
        server = Server(
            self._handler,
            process_request=self._process_request,
            reception=self._make_reception(),
            make_engine=lambda now: self._make_engine(now=now),
        )
        loop = asyncio.get_running_loop()
        if self._unix_path is not None:
            await server.listen(loop.create_unix_server, os.fspath(self._unix_path), **self._options)
        elif self._sock is not None:
            await server.listen(loop.create_server, sock=self._sock, **self._options)
        else:
            await server.listen(loop.create_server, self._host, self._port, **self._options)
        return server
