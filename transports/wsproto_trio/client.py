"""Clients: from a URI to an open connection."""

from __future__ import annotations

import os
import socket
import ssl as tls
from typing import Unpack

import trio

from wsproto_core import (
    ConnectOptions,
    ConnectPlan,
    HandshakeRejected,
)

from .dialing import walk
from .opening import Opening, live
from .peer import WebSocket

__all__ = ["connect"]


class connect(Opening[WebSocket]):  # noqa: N801  (it is used like a function)
    """Connect to ``uri`` (``ws://`` or ``wss://``): ``async with connect(uri) as ws``, or, where the connection is to
    live as long as a nursery of yours, ``ws = await connect(uri, nursery=nursery)``.

    * ``ssl``: an ``SSLContext`` for ``wss://``; ``None`` verifies against the system's authorities.
    * ``sock``, a connected socket, or ``stream``, an open trio stream: to use instead of the URI's host and port.
    * ``nursery``: where the tasks of the connection run. Without it, the block's own; ``await`` needs it. When it is
      cancelled, the connection ends with 1011.
    * ``options``: those of :class:`ConnectOptions`.

    What leaves the block leaves it as itself, never in an exception group. When the block is cancelled the connection
    does not wait for its peer: it says 1011, if that can be sent at once, and is gone.

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
        stream: trio.abc.Stream | None = None,
        nursery: trio.Nursery | None = None,
        **options: Unpack[ConnectOptions],
    ) -> None:
        if sock is not None and stream is not None:
            raise ValueError("sock and stream exclude one another")
        opened = stream if sock is None else sock
        plan = ConnectPlan(
            uri,
            entropy=os.urandom,
            environment=os.environ,
            is_open=opened is not None,
            has_tls_context=ssl is not None,
            **options,
        )
        super().__init__(plan.timeout, nursery)
        self._plan = plan
        self._ssl = ssl
        self._opened = opened

    async def _open(self, nursery: trio.Nursery, shield: bool) -> WebSocket:
        while True:
            try:
                return await self._attempt(nursery, shield)
            except HandshakeRejected as refusal:
                self._plan.redirect(refusal)

    async def _attempt(self, nursery: trio.Nursery, shield: bool) -> WebSocket:
        ws = WebSocket(self._plan.engine())
        try:
            stream, rest = await walk(self._plan.steps(), opened=self._opened, ssl=self._ssl)
            live(ws, stream, nursery, shield=shield)
            ws.start(rest)
            await ws.link.until(ws.opening_outcome)
        except BaseException:
            ws.abort()
            raise
        return ws
