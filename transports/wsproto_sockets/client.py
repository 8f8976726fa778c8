"""Clients: from a URI to an open connection."""

from __future__ import annotations

import functools
import inspect
import os
import socket
import ssl as tls
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, ParamSpec

from wsproto_core import (
    BasicCredentials,
    BearerCredentials,
    ConnectionTimeout,
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
from .link import remaining
from .peer import WebSocket

__all__ = ["Dialer", "connect", "prepare"]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()

_P = ParamSpec("_P")


def _opened(prepare: Callable[_P, Dialer]) -> Callable[_P, WebSocket]:
    """Make of what checks the options what connects as well."""

    @functools.wraps(prepare)
    def opened(*arguments: _P.args, **options: _P.kwargs) -> WebSocket:
        return prepare(*arguments, **options).open()

    opened.__dict__["__signature__"] = inspect.signature(prepare).replace(return_annotation="WebSocket")
    return opened


# budget: one parameter a line
@_opened
def connect(
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
) -> Dialer:
    """Connect to ``uri`` (``ws://`` or ``wss://``): ``with connect(uri) as ws`` or ``ws = connect(uri)``.

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

    Raises :exc:`ValueError` for a URI or option that cannot be used, naming it; :exc:`ConnectionRefused`,
    :exc:`ConnectionTimeout` or another :exc:`ConnectionFailed` if no connection came about; :exc:`HandshakeRejected`
    with the server's answer if it refused or redirected; :exc:`HandshakeFailed` if its answer broke a rule.
    """

    plan = ConnectPlan(
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
    return Dialer(plan, ssl=ssl, sock=sock)


#: Checks the options of :func:`connect`, and leaves it to the caller when to connect.
prepare: Callable[..., Dialer] = inspect.unwrap(connect)


class Dialer:
    """Options that have been checked, ready to connect."""

    def __init__(self, plan: ConnectPlan, *, ssl: tls.SSLContext | None, sock: socket.socket | None) -> None:
        self._plan = plan
        self._ssl = ssl
        self._sock = sock

    def open(self) -> WebSocket:
        """Connect. Raises what :func:`connect` raises when no connection comes about."""
        timeout = self._plan.timeout
        deadline = None if timeout is None else monotonic() + timeout
        try:
            while True:
                try:
                    return self._attempt(deadline)
                except HandshakeRejected as refusal:
                    self._plan.redirect(refusal)
        except OSError as error:
            raise connection_failure(error, timeout) from error

    def _attempt(self, deadline: float | None) -> WebSocket:
        engine = self._plan.engine()
        stream, rest = walk(self._plan.steps(), sock=self._sock, ssl=self._ssl, deadline=deadline)
        ws = WebSocket(engine)
        engine.connect(now=ws.link.now())
        try:
            ws.link.start(stream, rest)
            ws.link.until(ws.opening_outcome, remaining(deadline))
        except BaseException as error:
            ws.abort()
            ws.wait_closed()
            if isinstance(error, ConnectionTimeout):
                raise TimeoutError from error  # the engine's timer was a moment faster than this one: the same words
            raise
        return ws
