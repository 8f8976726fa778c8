"""Clients: from a URI to an open connection."""

from __future__ import annotations

import os
import socket
import ssl as tls
from typing import Unpack

from anyio.abc import AnyByteStream, TaskGroup

from wsproto_core import (
    ConnectOptions,
    ConnectPlan,
    HandshakeRejected,
)

from .dialing import walk
from .opening import Opening
from .peer import WebSocket

__all__ = ["connect"]


class connect(Opening[WebSocket]):  # noqa: N801  (it is used like a function)
    """Connect to ``uri`` (``ws://`` or ``wss://``): ``async with connect(uri) as ws``, or
    ``ws = await connect(uri, task_group=group)``.

    * ``ssl``: an ``SSLContext`` for ``wss://``; ``None`` verifies against the system's authorities.
    * ``sock``, a connected socket, or ``stream``, a connected anyio byte stream: to use instead of the URI's host and
      port.
    * ``task_group``: where the connection's tasks live. Left out, ``async with`` opens one of its own, around the block
      and invisible: an exception of the block comes out as it is, in no group. With one, the connection may outlive the
      block or function that opened it, and cancelling the group's scope ends it.
    * ``options``: those of :class:`ConnectOptions`.

    Cancelling the block says 1011 to the server, and does not wait for its answer.

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
        stream: AnyByteStream | None = None,
        task_group: TaskGroup | None = None,
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
        super().__init__(plan.timeout, task_group)
        self._plan = plan
        self._opened = opened
        self._ssl = ssl

    async def _open(self, group: TaskGroup) -> WebSocket:
        while True:
            try:
                return await self._attempt(group)
            except HandshakeRejected as refusal:
                self._plan.redirect(refusal)

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
