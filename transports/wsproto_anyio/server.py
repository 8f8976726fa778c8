"""Servers: from a listening socket to a handler for each connection."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Collection, Generator, Sequence
from types import TracebackType
from typing import Any, Final, TypeAlias

from anyio import (
    CancelScope,
    ClosedResourceError,
    aclose_forcefully,
    create_task_group,
    current_time,
    get_current_task,
    move_on_after,
    sleep,
)
from anyio import (
    Event as Flag,
)
from anyio.abc import AnyByteStream, SocketAttribute, SocketListener, TaskGroup
from anyio.streams.tls import TLSStream

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

from .link import LOST, Signal
from .listening import Place, listen
from .peer import WebSocket

__all__ = ["Server", "serve"]

_logger = logging.getLogger("wsproto_anyio")

Handler: TypeAlias = Callable[[WebSocket], Awaitable[None]]
ProcessRequest: TypeAlias = Callable[[WebSocket, Request], Awaitable[Response | None] | Response | None]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()
#: Seconds without accepting when the system has no more sockets to give.
_ACCEPT_PAUSE: Final = 0.1


class Server:
    """A running server. Made by :func:`serve`."""

    def __init__(
        self,
        handler: Handler,
        *,
        process_request: ProcessRequest | None,
        reception: Reception[WebSocket],
        make_engine: Callable[[float], ServerConnection],
        group: TaskGroup,
        ssl: tls.SSLContext | None,
        tls_timeout: float | None,
    ) -> None:
        self._handler = handler
        self._process_request = process_request
        self._make_engine = make_engine
        self._group = group
        self._ssl = ssl
        self._tls_timeout = tls_timeout
        self._listeners: Sequence[SocketListener] = ()
        self._reception = reception
        # The handlers, each with the task that runs it: 0 before it has begun.
        self._running: dict[CancelScope, int] = {}
        self._door = CancelScope()
        self._door_is_closed = Flag()
        self._changed = Signal()
        self._is_closed = Flag()

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def connections(self) -> Collection[WebSocket]:
        """The open connections. A live view: copy it before you await."""
        return self._reception.open

    @property
    def sockets(self) -> Sequence[Any]:
        """The listening sockets."""
        return tuple(listener.extra(SocketAttribute.raw_socket) for listener in self._listeners)

    @property
    def port(self) -> int:
        """The port of the first listening socket: the one chosen by the system where 0 was asked for."""
        return int(self.sockets[0].getsockname()[1])

    # --- life ---------------------------------------------------------------------------------------------------------

    async def serve_forever(self) -> None:
        """Wait until the server is closed, or this is cancelled."""
        await self._is_closed.wait()

    async def close(self, code: int = 1001, reason: str = "", *, grace_period: float = 10.0) -> None:
        """Stop: no new connections, ``code`` to every open one, and after ``grace_period`` seconds an abrupt end.

        Handlers get to finish within the grace period and are cancelled then. Returns when nothing runs any more.
        """
        for ws in self._reception.everyone:
            ws.close_nowait(code, reason)  # raises before anything has happened, if at all
        self._reception.is_closing = True
        self._door.cancel()
        await self._door_is_closed.wait()
        await self._finish(grace_period)
        for ws in self._reception.everyone:
            ws.abort()
        for scope in self._others():
            scope.cancel()
        await self._finish(None)
        self._is_closed.set()

    async def _finish(self, timeout: float | None) -> None:
        """Wait for handlers and connections, for ``timeout`` seconds at the most."""
        with move_on_after(timeout):
            while self._reception.everyone or self._others():
                await self._changed.wait()

    def _others(self) -> list[CancelScope]:
        """The running handlers, but for one that closes the server itself."""
        this = get_current_task().id
        return [scope for scope, task in self._running.items() if task != this]

    def open_door(self, listeners: Sequence[SocketListener]) -> None:
        """Start to accept what comes to ``listeners``."""
        self._listeners = listeners
        self._group.start_soon(self._keep_door)

    async def _keep_door(self) -> None:
        try:
            with self._door:
                async with create_task_group() as visitors:
                    for listener in self._listeners:
                        visitors.start_soon(self._accept, listener, visitors)
        finally:
            listeners, self._listeners = self._listeners, ()
            for listener in listeners:
                await aclose_forcefully(listener)
            self._door_is_closed.set()

    async def _accept(self, listener: SocketListener, visitors: TaskGroup) -> None:
        while True:
            try:
                stream = await listener.accept()
            except ClosedResourceError:
                return
            except LOST as error:  # no sockets left, or a visitor who has gone already: no reason to stop
                _logger.warning("cannot accept a connection: %r", error)
                await sleep(_ACCEPT_PAUSE)
            else:
                if self._ssl is None:
                    self._group.start_soon(self._connection, stream)
                else:
                    visitors.start_soon(self._secure, stream, self._ssl)

    async def _secure(self, stream: AnyByteStream, context: tls.SSLContext) -> None:
        """Begin TLS. Before that is done nobody counts as a connection."""
        secured = None
        try:
            with move_on_after(self._tls_timeout):
                secured = await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False)
        except LOST as error:
            _logger.debug("TLS did not begin: %r", error)
        finally:
            if secured is None:
                await aclose_forcefully(stream)
        if secured is not None:
            self._group.start_soon(self._connection, secured)

    # --- connections --------------------------------------------------------------------------------------------------

    async def _connection(self, stream: AnyByteStream) -> None:
        """The life of a connection."""
        ws = WebSocket(self._make_engine(current_time()), stream, watch=self._watch)
        if not self._reception.arrive(ws):
            ws.abort()
        try:
            await ws.run()
        except Exception as error:  # whatever it is, it is no business of the other connections
            _logger.error("%r: the connection failed", ws, exc_info=error)
        finally:
            self._reception.leave(ws)
            self._changed.wake()

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
            self._spawn(self._answer_later, ws, answer)
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
        ws.link.flush()
        if opened:
            self._spawn(self._run, ws)

    async def _run(self, ws: WebSocket) -> None:
        """The life of a connection's handler. What it leaves open is closed behind it."""
        try:
            await self._handler(ws)
        except Exception as error:
            ws.fail(error, "the handler raised")
        else:
            ws.close_nowait()

    def _spawn(self, work: Callable[..., Awaitable[None]], *arguments: object) -> None:
        scope = CancelScope()
        self._running[scope] = 0
        self._group.start_soon(self._keep, scope, work, arguments)

    async def _keep(
        self, scope: CancelScope, work: Callable[..., Awaitable[None]], arguments: Sequence[object]
    ) -> None:
        """Run one of the application's coroutines so that :meth:`close` can wait for it and cancel it."""
        self._running[scope] = get_current_task().id
        try:
            with scope:
                await work(*arguments)
        finally:
            del self._running[scope]
            self._changed.wake()


class serve:  # noqa: N801  (it is used like a function, and is awaitable and a context manager as well)
    """Serve WebSocket: ``async with serve(handler, host, port) as server``, or
    ``server = await serve(..., task_group=group)``.

    * ``handler``: a coroutine function, called with each open :class:`WebSocket` (which is closed when it returns).
    * ``host``, ``port``: where to listen; ``sock``, a listening or bound socket, or ``unix_path`` instead.
    * ``ssl``: an ``SSLContext`` for ``wss://``.
    * ``max_connections``: beyond it a handshake is answered with 503; ``None`` for no limit.
    * ``process_request(ws, request)``: a function, or coroutine function, that may answer any HTTP request with a
      :class:`Response` of its own (a health check, a page, a refusal); ``None`` goes on with the handshake.
    * ``origins``, ``hosts``, ``subprotocols``: as in :class:`ServerConnection`.
    * ``compression``: ``PerMessageDeflate()``, or ``None``, the default; ``extensions``: others to accept.
    * ``limits``, ``timeouts``, ``receive``: for each connection.
    * ``backlog``, ``reuse_port``: of the listening socket.
    * ``task_group``: where the server's tasks live. Left out, ``async with`` opens one of its own, around the block and
      invisible: an exception of the block comes out as it is, in no group.

    Leaving the block closes the server as :meth:`Server.close` does. Cancelling it says 1001 to everybody and waits for
    nobody.

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
        task_group: TaskGroup | None = None,
    ) -> None:
        if isinstance(handler, type) or not callable(handler):
            raise TypeError(f"handler must be a coroutine function, not {handler!r}")
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
        self._make_reception = functools.partial(Reception[WebSocket], max_connections)
        self._make_reception()
        self._place = Place(host, port, sock, unix_path, backlog=backlog, reuse_port=reuse_port)
        self._make_server = functools.partial(
            Server,
            handler,
            process_request=process_request,
            make_engine=lambda now: make_engine(now=now),
            ssl=ssl,
            tls_timeout=timeouts.opening_timeout,
        )
        self._group = task_group
        self._own_group: TaskGroup | None = None
        self._server: Server | None = None

    def __await__(self) -> Generator[Any, Any, Server]:
        if self._group is None:
            raise RuntimeError("use `async with serve(...)`, or `await serve(..., task_group=group)`")
        return self._serve(self._group).__await__()

    async def __aenter__(self) -> Server:
        if self._group is not None:
            self._server = await self._serve(self._group)
            return self._server
        self._own_group = create_task_group()
        await self._own_group.__aenter__()
        try:
            self._server = await self._serve(self._own_group)
        except BaseException:
            await self._own_group.__aexit__(None, None, None)
            raise
        return self._server

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None, "entered"
        try:
            await self._server.close()
        finally:
            if self._own_group is not None:
                # Not told of the block's exception, which goes on as it is: a group would wrap it.
                await self._own_group.__aexit__(None, None, None)

    async def _serve(self, group: TaskGroup) -> Server:
        listeners = await listen(self._place)
        server = self._make_server(group=group, reception=self._make_reception())
        server.open_door(listeners)
        return server
