"""Clients: from a URI to an open connection."""

from __future__ import annotations

import os
import socket
import ssl as tls
from collections.abc import Callable
from time import monotonic
from typing import TypeVar, Unpack

from wsproto_core import (
    ConnectionTimeout,
    ConnectOptions,
    ConnectPlan,
    HandshakeRejected,
    connection_failure,
)

from .dialing import walk
from .peer import WebSocket
from .waiting import remaining

__all__ = ["Dialer", "connect", "opened_within", "prepare"]


_T = TypeVar("_T")


def connect(
    uri: str,
    *,
    ssl: tls.SSLContext | None = None,
    sock: socket.socket | None = None,
    **options: Unpack[ConnectOptions],
) -> WebSocket:
    """Connect to ``uri`` (``ws://`` or ``wss://``): ``with connect(uri) as ws`` or ``ws = connect(uri)``.

    * ``ssl``: an ``SSLContext`` for ``wss://``; ``None`` verifies against the system's authorities.
    * ``sock``: a connected socket to use instead of the URI's host and port.
    * ``options``: those of :class:`ConnectOptions`.

    Raises :exc:`ValueError` for a URI or option that cannot be used, naming it; :exc:`ConnectionRefused`,
    :exc:`ConnectionTimeout` or another :exc:`ConnectionFailed` if no connection came about; :exc:`HandshakeRejected`
    with the server's answer if it refused or redirected; :exc:`HandshakeFailed` if its answer broke a rule.
    """
    return prepare(uri, ssl=ssl, sock=sock, **options).open()


def prepare(
    uri: str,
    *,
    ssl: tls.SSLContext | None = None,
    sock: socket.socket | None = None,
    **options: Unpack[ConnectOptions],
) -> Dialer:
    """Check the options of :func:`connect`, and leave it to the caller when to connect."""
    plan = ConnectPlan(
        uri,
        entropy=os.urandom,
        environment=os.environ,
        is_open=sock is not None,
        has_tls_context=ssl is not None,
        **options,
    )
    return Dialer(plan, ssl=ssl, sock=sock)


class Dialer:
    """Options that have been checked, ready to connect."""

    def __init__(self, plan: ConnectPlan, *, ssl: tls.SSLContext | None, sock: socket.socket | None) -> None:
        self._plan = plan
        self._ssl = ssl
        self._sock = sock

    def open(self) -> WebSocket:
        """Connect. Raises what :func:`connect` raises when no connection comes about."""
        return opened_within(self._plan.timeout, self._attempts)

    def _attempts(self, deadline: float | None) -> WebSocket:
        while True:
            try:
                return self._attempt(deadline)
            except HandshakeRejected as refusal:
                self._plan.redirect(refusal)

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


def opened_within(timeout: float | None, attempt: Callable[[float | None], _T]) -> _T:
    """What ``attempt`` returns, which is given the deadline; a failure of the transport becomes the error for it."""
    try:
        return attempt(None if timeout is None else monotonic() + timeout)
    except OSError as error:
        raise connection_failure(error, timeout) from error
