"""Clients: from a URI to an open connection."""

from __future__ import annotations

import functools
import os
import socket
import ssl as tls
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Final

import trio

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
from .household import Household
from .peer import WebSocket

__all__ = ["connect"]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


class connect:  # noqa: N801  (it is used like a function, and is awaitable and a context manager as well)
    """Connect to ``uri`` (``ws://`` or ``wss://``): ``async with connect(uri) as ws``, or, where the connection is to
    live as long as a nursery of yours, ``ws = await connect(uri, nursery=nursery)``.

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
    * ``sock``: a connected socket, or ``unix_path``: a Unix socket, to use instead of the URI's host and port.
    * ``nursery``: where the tasks of the connection run. Without it, the block's own; ``await`` needs it. When it is
      cancelled, the connection ends with 1011.

    What leaves the block leaves it as itself, never in an exception group. When the block is cancelled the connection
    does not wait for its peer: it says 1011, if that can be sent at once, and is gone.

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
        unix_path: str | os.PathLike[str] | None = None,
        nursery: trio.Nursery | None = None,
    ) -> None:
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
            is_open=sock is not None,
            has_tls_options=ssl is not None or server_hostname is not None,
        )
        self._ssl = ssl
        self._sock = sock
        self._nursery = nursery
        self._household = Household()
        self._ws: WebSocket | None = None

    def __await__(self) -> Generator[Any, None, WebSocket]:
        if self._nursery is None:
            raise TypeError("on trio: async with connect(...) as ws, or await connect(..., nursery=nursery)")
        return self._connect(self._nursery, shield=False).__await__()

    async def __aenter__(self) -> WebSocket:
        nursery = await self._household.open()
        try:
            self._ws = await (self._connect(self._nursery, shield=False) if self._nursery else self.open_in(nursery))
        except BaseException as error:
            await self._household.close(type(error), error, error.__traceback__)
            raise
        return self._ws

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ws = self._ws
        assert ws is not None, "entered"
        try:
            await ws.close(1000 if kind is None else 1011)
        except trio.Cancelled:
            ws.link.leave()
            if error is None:
                raise
        finally:
            await self._household.close(kind, error, trace)

    async def open_in(self, nursery: trio.Nursery) -> WebSocket:
        """Connect, for a block that has ``nursery`` for itself: only the block ends the connection, by ``close()`` or
        ``link.leave()``, also when it is cancelled.
        """
        return await self._connect(nursery, shield=True)

    async def _connect(self, nursery: trio.Nursery, *, shield: bool) -> WebSocket:
        timeout = self._plan.timeout
        try:
            with trio.move_on_after(float("inf") if timeout is None else timeout):
                while True:
                    try:
                        return await self._attempt(nursery, shield)
                    except HandshakeRejected as refusal:
                        self._plan.redirect(refusal)
            raise TimeoutError
        except OSError as error:
            raise connection_failure(error, timeout) from error

    async def _attempt(self, nursery: trio.Nursery, shield: bool) -> WebSocket:
        ws = WebSocket(self._plan.engine())
        try:
            stream, rest = await walk(self._plan.steps(), sock=self._sock, ssl=self._ssl)
            ws.link.take_over(stream)
            nursery.start_soon(functools.partial(ws.link.run, shield=shield))
            ws.start(rest)
            await ws.link.until(ws.opening_outcome)
        except BaseException:
            ws.abort()
            raise
        return ws
