"""Clients: from a URI to an open connection."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl as tls
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Final

from wsproto_core import (
    BasicCredentials,
    BearerCredentials,
    ClientConnection,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    Extension,
    HeadersLike,
    Limits,
    PerMessageDeflate,
    Receive,
    Timeouts,
)

from .listener import Listener
from .peer import WebSocket

__all__ = ["connect"]

#: Seconds after which another address of the same host is tried as well (RFC 8305 §5).
_HAPPY_EYEBALLS_DELAY: Final = 0.25
_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


class connect:  # noqa: N801  (it is used like a function, and is awaitable and a context manager as well)
    """Connect to ``uri`` (``ws://`` or ``wss://``): ``async with connect(uri) as ws`` or ``ws = await connect(uri)``.

    * ``subprotocols``: offered in this order; :attr:`WebSocket.subprotocol` is the one chosen.
    * ``headers``, ``origin``, ``credentials``: added to the request.
    * ``compression``: ``PerMessageDeflate()``, or ``None``, the default; ``extensions``: others to offer.
    * ``limits``, ``timeouts``: ``Timeouts.opening_timeout`` bounds everything from the name look-up on.
    * ``receive``: whole messages, fragments or chunks.
    * ``ssl``: an ``SSLContext`` for ``wss://``; ``None`` verifies against the system's authorities.
      ``server_hostname``: the name to verify and to send as SNI, if not the URI's.
    * ``sock``: a connected socket, or ``unix_path``: a Unix socket, to use instead of the URI's host and port.
    * ``listener``: a :class:`Listener` class to push messages to, instead of :meth:`WebSocket.recv`.

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
        ssl: tls.SSLContext | None = None,
        server_hostname: str | None = None,
        sock: socket.socket | None = None,
        unix_path: str | os.PathLike[str] | None = None,
        listener: type[Listener] | None = None,
    ) -> None:
        if sock is not None and unix_path is not None:
            raise ValueError("sock and unix_path exclude each other")
        self._engine = ClientConnection(
            uri,
            entropy=os.urandom,
            subprotocols=subprotocols,
            extensions=[*extensions, *([compression] if compression else [])],
            headers=headers,
            origin=origin,
            credentials=credentials,
            limits=limits,
            timeouts=timeouts,
            receive=receive,
        )
        if ssl is not None and not self._engine.uri.secure:
            raise ValueError("ssl needs a wss:// URI")
        self._timeout = timeouts.opening_timeout
        self._ssl = ssl
        self._server_hostname = server_hostname
        self._sock = sock
        self._unix_path = unix_path
        self._listener = listener
        self._ws: WebSocket | None = None

    def __await__(self) -> Generator[Any, None, WebSocket]:
        return self._connect().__await__()

    async def __aenter__(self) -> WebSocket:
        self._ws = await self._connect()
        return self._ws

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._ws is not None, "entered"
        await self._ws.close(1000 if kind is None else 1011)

    async def _connect(self) -> WebSocket:
        ws = WebSocket(self._engine, listener=None if self._listener is None else self._listener())
        try:
            async with asyncio.timeout(self._timeout):
                await self._open_transport(ws)
                self._engine.connect(now=ws.link.now())
                ws.link.flush()
                await ws.link.until(ws.opening_outcome)
        except BaseException as error:
            ws.abort()
            if isinstance(error, OSError):
                raise self._failure(error) from error
            raise
        return ws

    def _failure(self, error: OSError) -> ConnectionFailed:
        """What an error of the transport, or of the time it took, means."""
        if isinstance(error, TimeoutError) and error.errno is None:
            return ConnectionTimeout(f"not open within {self._timeout} seconds")
        if isinstance(error, TimeoutError):
            return ConnectionTimeout(str(error))
        return (ConnectionRefused if _is_refusal(error) else ConnectionFailed)(str(error))

    async def _open_transport(self, ws: WebSocket) -> None:
        loop = asyncio.get_running_loop()
        uri = self._engine.uri
        options: dict[str, Any] = {}
        if uri.secure:
            options["ssl"] = self._ssl or tls.create_default_context()
            options["server_hostname"] = self._server_hostname or uri.host
        if self._unix_path is not None:
            await loop.create_unix_connection(lambda: ws.link, os.fspath(self._unix_path), **options)
        elif self._sock is not None:
            await loop.create_connection(lambda: ws.link, sock=self._sock, **options)
        else:
            # Not on uvloop, which tries one address after the other, and not without need: asyncio loses the socket
            # when it is cancelled between the end of the race and its own.
            if isinstance(loop, asyncio.BaseEventLoop) and not _is_address(uri.host):
                options["happy_eyeballs_delay"] = _HAPPY_EYEBALLS_DELAY
            await loop.create_connection(lambda: ws.link, uri.host, uri.port, **options)


def _is_address(host: str) -> bool:
    """Whether ``host`` is an address already, so that there is only one to try."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_refusal(error: OSError) -> bool:
    """Whether every address refused. For several addresses asyncio has only one exception, with their words in its
    own.
    """
    tries = str(error).count("[Errno ")
    return error.errno == errno.ECONNREFUSED or (
        error.errno is None and 0 < tries == str(error).count(f"[Errno {errno.ECONNREFUSED}]")
    )
