"""Servers: from a listening socket to a handler for each connection."""

from __future__ import annotations

import functools
import inspect
import logging
import math
import os
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Collection, Generator, Sequence
from types import TracebackType
from typing import Any, Final, TypeAlias

import trio

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

from .household import Household
from .listening import accept, bound_socket, tcp_sockets, unix_socket
from .peer import WebSocket

__all__ = ["Server", "serve"]

_logger = logging.getLogger("wsproto_trio")

Handler: TypeAlias = Callable[[WebSocket], Awaitable[None]]
ProcessRequest: TypeAlias = Callable[[WebSocket, Request], Awaitable[Response | None] | Response | None]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


class Server:
    """A running server. Made by :func:`serve`."""

    def __init__(
        self,
        handler: Handler,
        nursery: trio.Nursery,
        *,
        process_request: ProcessRequest | None,
        reception: Reception[WebSocket],
        make_engine: Callable[[float], ServerConnection],
        secure: Callable[[trio.SocketStream], Awaitable[trio.abc.Stream]] | None,
    ) -> None:
        self._handler = handler
        self._nursery = nursery
        self._process_request = process_request
        self._reception = reception
        self._make_engine = make_engine
        self._secure = secure
        self._listeners: list[trio.SocketListener] = []
        self._accepting = trio.CancelScope()
        # The tasks that run the application's code.
        self._tasks: dict[trio.lowlevel.Task, trio.CancelScope] = {}
        self._leavers = trio.lowlevel.ParkingLot()
        self._is_closed = trio.Event()

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def connections(self) -> Collection[WebSocket]:
        """The open connections. A live view: copy it before you await."""
        return self._reception.open

    @property
    def sockets(self) -> Sequence[trio.socket.SocketType]:
        """The listening sockets."""
        return [listener.socket for listener in self._listeners]

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
        self._accepting.cancel()
        for listener in self._listeners:
            listener.socket.close()
        self._listeners = []
        with trio.move_on_after(grace_period):
            await self._until_idle()
        self.stop()
        await self._until_idle()
        self._is_closed.set()

    def stop(self) -> None:
        """Let go of every connection, and cancel the handlers, but for one that closes the server itself."""
        for ws in self._reception.everyone:
            ws.link.leave()
        for task, scope in self._tasks.items():
            if task is not trio.lowlevel.current_task():
                scope.cancel()

    async def _until_idle(self) -> None:
        """Wait for handlers and connections."""
        await trio.lowlevel.checkpoint()
        myself = {trio.lowlevel.current_task()}
        while self._reception.everyone or self._tasks.keys() - myself:
            await self._leavers.park()

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections from ``sockets``."""
        self._listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets]
        self._nursery.start_soon(self._accept_all, self._listeners)

    async def _accept_all(self, listeners: Sequence[trio.SocketListener]) -> None:
        with self._accepting:
            async with trio.open_nursery() as nursery:
                for listener in listeners:
                    nursery.start_soon(accept, listener, functools.partial(self._welcome, nursery))

    # --- connections --------------------------------------------------------------------------------------------------

    def _welcome(self, nursery: trio.Nursery, stream: trio.SocketStream) -> None:
        """A new connection. It counts once its stream is made, which a failed TLS handshake never is."""
        if self._secure is None:
            self._nursery.start_soon(self._connection, stream)
        else:
            nursery.start_soon(self._begin_tls, self._secure, stream)

    async def _begin_tls(
        self, secure: Callable[[trio.SocketStream], Awaitable[trio.abc.Stream]], stream: trio.SocketStream
    ) -> None:
        try:
            secured = await secure(stream)
        except BaseException as error:
            await trio.aclose_forcefully(stream)
            if not isinstance(error, Exception):
                raise
            _logger.debug("a TLS handshake failed: %s", error.__cause__ or error)
        else:
            self._nursery.start_soon(self._connection, secured)

    async def _connection(self, stream: trio.abc.Stream) -> None:
        """Carry a connection, to its end."""
        ws = WebSocket(self._make_engine(trio.current_time()), watch=self._watch)
        ws.link.take_over(stream)
        if not self._reception.arrive(ws):
            ws.abort()
        try:
            await ws.link.run(shield=True)  # whoever stops the server stops this
        finally:
            self._reception.leave(ws)
            self._leavers.unpark_all()

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
            self._spawn(functools.partial(self._answer_later, ws, answer), self._request_failed, ws)
        else:
            self._answer(ws, answer)

    async def _answer_later(self, ws: WebSocket, pending: Awaitable[Response | None]) -> None:
        self._answer(ws, await pending)

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
            self._spawn(functools.partial(self._run, ws), self._handler_failed, ws)

    async def _run(self, ws: WebSocket) -> None:
        """The life of a connection's handler. What it leaves open is closed behind it."""
        await self._handler(ws)
        ws.close_nowait()

    def _handler_failed(self, ws: WebSocket, error: Exception) -> None:
        ws.fail(error, "the handler raised")

    def _spawn(
        self, work: Callable[[], Awaitable[None]], failed: Callable[[WebSocket, Exception], None], ws: WebSocket
    ) -> None:
        self._nursery.start_soon(self._supervise, work, failed, ws)

    async def _supervise(
        self, work: Callable[[], Awaitable[None]], failed: Callable[[WebSocket, Exception], None], ws: WebSocket
    ) -> None:
        """Run the application's code. Neither its exceptions nor its cancellation are anybody else's."""
        task = trio.lowlevel.current_task()
        try:
            with trio.CancelScope() as scope:
                self._tasks[task] = scope
                await work()
        except trio.Cancelled:
            pass  # all of the server is: there is nobody to tell
        except Exception as error:
            failed(ws, error)
        except BaseExceptionGroup as group:
            failures: BaseException | None = group.split(trio.Cancelled)[1]
            if isinstance(failures, Exception):
                failed(ws, failures)
            elif failures is not None:
                raise failures from None
        finally:
            del self._tasks[task]
            self._leavers.unpark_all()


class serve:  # noqa: N801  (it is used like a function, and is a context manager)
    """Serve WebSocket: ``async with serve(handler, host, port) as server``, or
    ``server = await nursery.start(serve(handler, host, port))``, which runs until the server is closed.

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

    What leaves the block leaves it as itself, never in an exception group; a handler's exception is logged and closes
    its connection with 1011. When the block is cancelled, so are the handlers, at once: connections are told 1001, if
    that can be sent at once, and are gone.

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
        if isinstance(handler, type) or not callable(handler):
            raise TypeError(f"handler must be a coroutine function, not {handler!r}")
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
        self._backlog, self._reuse_port = backlog, reuse_port
        self._secure = None if ssl is None else functools.partial(_secured, ssl, timeouts.opening_timeout)
        self._household = Household()
        self._server: Server | None = None

    def __await__(self) -> Generator[Any, None, Server]:
        raise TypeError("on trio: async with serve(...) as server, or await nursery.start(serve(...))")

    async def __call__(self, *, task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until the server is closed: what ``nursery.start`` calls."""
        async with self as server:
            task_status.started(server)
            await server.serve_forever()

    async def __aenter__(self) -> Server:
        sockets = await self._sockets()
        self._server = Server(
            self._handler,
            await self._household.open(),
            process_request=self._process_request,
            reception=self._make_reception(),
            make_engine=lambda now: self._make_engine(now=now),
            secure=self._secure,
        )
        self._server.listen(sockets)
        return self._server

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None, "entered"
        try:
            await self._server.close()
        except trio.Cancelled:
            self._server.stop()
            if error is None:
                raise
        finally:
            await self._household.close(kind, error, trace)

    async def _sockets(self) -> list[socket.socket]:
        if self._unix_path is not None:
            return [unix_socket(os.fspath(self._unix_path), backlog=self._backlog)]
        if self._sock is not None:
            return [bound_socket(self._sock, backlog=self._backlog)]
        assert self._port is not None, "one of the three is given"
        return await tcp_sockets(self._host, self._port, backlog=self._backlog, reuse_port=self._reuse_port)


async def _secured(
    context: tls.SSLContext, timeout: float | None, stream: trio.SocketStream
) -> trio.SSLStream[trio.SocketStream]:
    """TLS over ``stream``, shaken hands within ``timeout`` seconds."""
    secured = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    with trio.fail_after(math.inf if timeout is None else timeout):
        await secured.do_handshake()
    return secured
