"""Clients: from a URI to an open connection."""

from __future__ import annotations

import os
import socket
import ssl as tls
from typing import Unpack

from wsproto_core import (
    ConnectOptions,
    ConnectPlan,
    HandshakeRejected,
)

from .dialing import walk
from .listener import Listener
from .opening import Opening
from .peer import WebSocket

__all__ = ["connect"]


class connect(Opening[WebSocket]):  # noqa: N801  (it is used like a function)
    """Connect to ``uri`` (``ws://`` or ``wss://``): ``async with connect(uri) as ws`` or ``ws = await connect(uri)``.

    * ``ssl``: an ``SSLContext`` for ``wss://``; ``None`` verifies against the system's authorities.
    * ``sock``: a connected socket to use instead of the URI's host and port.
    * ``listener``: a :class:`Listener` class to push messages to, instead of :meth:`WebSocket.recv`.
    * ``options``: those of :class:`ConnectOptions`.

    Raises :exc:`ValueError` for a URI or option that cannot be used, naming it; :exc:`ConnectionRefused`,
    :exc:`ConnectionTimeout` or another :exc:`ConnectionFailed` if no connection came about; :exc:`HandshakeRejected`
    with the server's answer if it refused or redirected; :exc:`HandshakeFailed` if its answer broke a rule.
    """

    def __init__(
        self,
        uri: str,
        *,
        ssl: tls.SSLContext | None = None,
        sock: socket.socket | None = None,
        listener: type[Listener] | None = None,
        **options: Unpack[ConnectOptions],
    ) -> None:
        plan = ConnectPlan(
            uri,
            entropy=os.urandom,
            environment=os.environ,
            is_open=sock is not None,
            has_tls_context=ssl is not None,
            **options,
        )
        super().__init__(plan.timeout)
        self._plan = plan
        self._ssl = ssl
        self._sock = sock
        self._listener = listener

    async def _open(self) -> WebSocket:
        while True:
            try:
                return await self._attempt()
            except HandshakeRejected as refusal:
                self._plan.redirect(refusal)

    async def _attempt(self) -> WebSocket:
        ws = WebSocket(self._plan.engine(), listener=None if self._listener is None else self._listener())
        try:
            transport, rest, has_ended = await walk(self._plan.steps(), sock=self._sock, ssl=self._ssl)
            ws.link.take_over(transport)
            ws.start(rest, has_ended=has_ended)
            await ws.link.until(ws.opening_outcome)
        except BaseException:
            ws.abort()
            raise
        return ws
