"""Clients: from a URI to an open connection."""

from __future__ import annotations

import os
import socket
import ssl as tls
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Final

from anyio import create_task_group, fail_after
from anyio.abc import AnyByteStream, TaskGroup

from wsproto_core import (
    BasicCredentials,
    BearerCredentials,
    ConnectPlan,
    Extension,
    HandshakeRejected,
    HeadersLike,
    Limits,
    PerMessageDeflate,
    Proxy,
    Receive,
    Timeouts,
    connection_failure,
)

from .dialing import walk
from .peer import WebSocket

__all__ = ["connect"]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


class connect:  # noqa: N801  (it is used like a function, and is awaitable and a context manager as well)
    """Connect to ``uri`` (``ws://`` or ``wss://``): ``async with connect(uri) as ws``, or
    ``ws = await connect(uri, task_group=group)``.

    * ``subprotocols``: offered in this order; :attr:`WebSocket.subprotocol` is the one chosen.
    * ``headers``, ``origin``, ``credentials``: added to the request.
    * ``compression``: ``PerMessageDeflate()``, or ``None``, the default; ``extensions``: others to offer.
    * ``limits``, ``timeouts``: ``Timeouts.opening_timeout`` bounds everything from the name look-up on.
    * ``receive``: whole messages, fragments or chunks.
    * ``ssl``: an ``SSLContext`` for ``wss://``; ``None`` verifies against the system's authorities.
      ``server_hostname``: the name to verify and to send as SNI, if not the URI's.
    * ``proxy``: ``"http://user:password@host:port"``, ``https://`` or ``socks5://``; ``True`` looks for the
      ``*_proxy`` and ``no_proxy`` variables of the environment; ``None``, the default, goes straight to the server.
    * ``max_redirects``: how many to follow, never from ``wss`` to ``ws``, and without credentials to another origin; 0
      raises the first one as :exc:`HandshakeRejected`.
    * ``sock``: a connected socket, ``stream``: a connected anyio byte stream, or ``unix_path``: a Unix socket, to use
      instead of the URI's host and port.
    * ``task_group``: where the connection's tasks live. Left out, ``async with`` opens one of its own, around the block
      and invisible: an exception of the block comes out as it is, in no group. With one, the connection may outlive the
      block or function that opened it, and cancelling the group's scope ends it.

    Cancelling the block says 1011 to the server, and does not wait for its answer.

    Raises :exc:`ValueError` for a URI or option that cannot be used, naming it; :exc:`ConnectionRefused`,
    :exc:`ConnectionTimeout` or another :exc:`ConnectionFailed` if no connection came about; :exc:`HandshakeRejected`
    with the server's answer if it refused or redirected; :exc:`HandshakeFailed` if its answer broke a rule.
    """

    # budget: one parameter a line
    def __init__(
        self,
        uri: str,
        *,
        subprotocols: Sequence[str] = (),
        headers: HeadersLike = (),
        origin: str | None = None,
        credentials: BasicCredentials | BearerCredentials | None = None,
        compression: PerMessageDeflate | None = None,
        extensions: Sequence[Extension] = (),
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        receive: Receive = Receive.MESSAGES,
        proxy: Proxy | str | bool | None = None,
        max_redirects: int = 10,
        ssl: tls.SSLContext | None = None,
        server_hostname: str | None = None,
        sock: socket.socket | None = None,
        stream: AnyByteStream | None = None,
        unix_path: str | os.PathLike[str] | None = None,
        task_group: TaskGroup | None = None,
    ) -> None:
        if sock is not None and stream is not None:
            raise ValueError("sock and stream exclude one another")
        self._opened = stream if sock is None else sock
        self._plan = ConnectPlan(
            uri,
            entropy=os.urandom,
            environment=os.environ,
            subprotocols=subprotocols,
            headers=headers,
            origin=origin,
            credentials=credentials,
            extensions=[*extensions, compression],
            limits=limits,
            timeouts=timeouts,
            receive=receive,
            proxy=proxy,
            max_redirects=max_redirects,
            server_hostname=server_hostname,
            unix_path=None if unix_path is None else os.fspath(unix_path),
            is_open=self._opened is not None,
            has_tls_options=ssl is not None or server_hostname is not None,
        )
        self._ssl = ssl
        self._group = task_group
        self._own_group: TaskGroup | None = None
        self._ws: WebSocket | None = None

    def __await__(self) -> Generator[Any, Any, WebSocket]:
        if self._group is None:
            raise RuntimeError("use `async with connect(...)`, or `await connect(..., task_group=group)`")
        return self._connect(self._group).__await__()

    async def __aenter__(self) -> WebSocket:
        if self._group is not None:
            self._ws = await self._connect(self._group)
            return self._ws
        self._own_group = create_task_group()
        await self._own_group.__aenter__()
        try:
            self._ws = await self._connect(self._own_group)
        except BaseException:
            await self._own_group.__aexit__(None, None, None)
            raise
        return self._ws

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._ws is not None, "entered"
        try:
            await self._ws.close(1000 if kind is None else 1011)
        finally:
            if self._own_group is not None:
                # Not told of the block's exception, which goes on as it is: a group would wrap it.
                await self._own_group.__aexit__(None, None, None)

    async def _connect(self, group: TaskGroup) -> WebSocket:
        try:
            with fail_after(self._plan.timeout):
                while True:
                    try:
                        return await self._attempt(group)
                    except HandshakeRejected as refusal:
                        self._plan.redirect(refusal)
        except OSError as error:
            raise connection_failure(error, self._plan.timeout) from error

    async def _attempt(self, group: TaskGroup) -> WebSocket:
        engine = self._plan.engine()
        stream, rest = await walk(self._plan.steps(), opened=self._opened, ssl=self._ssl)
        ws = WebSocket(engine, stream)
        ws.start(group, rest)
        try:
            await ws.link.until(ws.opening_outcome)
        except BaseException:
            ws.abort()
            raise
        return ws
