"""WebSocket servers."""

from __future__ import annotations

import os
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, Unpack

from wsproto_core import Event, ProcessRequest, ServeOptions, ServePlan, ServerConnection

from .door import StreamServing
from .listener import Listener
from .peer import WebSocket

__all__ = ["serve"]

Handler: TypeAlias = Callable[[WebSocket], Awaitable[None]] | type[Listener]


class serve(StreamServing[WebSocket]):  # noqa: N801  (it is used like a function)
    """Serve WebSocket: ``async with serve(handler, host, port) as server`` or ``server = await serve(...)``.

    * ``handler``: a coroutine function, called with each open :class:`WebSocket` (which is closed when it returns),
      or a :class:`Listener` class, of which each connection gets an instance.
    * ``host``, ``port``: where to listen; or ``sock``, one or several listening or bound sockets.
    * ``ssl``: an ``SSLContext`` for ``wss://``.
    * ``max_connections``: beyond it a handshake is answered with 503; ``None`` for no limit.
    * ``process_request(ws, request)``: a function, or coroutine function, that may answer any HTTP request with a
      :class:`Response` of its own (a health check, a page, a refusal); ``None`` goes on with the handshake.
    * ``options``: those of :class:`ServeOptions`.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`BindFailed` where it cannot listen.
    """

    def __init__(
        self,
        handler: Handler,
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        *,
        sock: socket.socket | Sequence[socket.socket] | None = None,
        ssl: tls.SSLContext | None = None,
        max_connections: int | None = 1000,
        process_request: ProcessRequest[WebSocket] | None = None,
        **options: Unpack[ServeOptions],
    ) -> None:
        if isinstance(handler, type) and not issubclass(handler, Listener):
            raise TypeError(f"handler must be a coroutine function or a Listener class, not {handler!r}")
        if not callable(handler):
            raise TypeError(f"handler must be a coroutine function or a Listener class, not {handler!r}")
        super().__init__(
            None if isinstance(handler, type) else handler,
            ServePlan(host, port, sock, entropy=os.urandom, **options),
            self._websocket,
            process_request=process_request,
            max_connections=max_connections,
            ssl=ssl,
        )
        self._make_listener: Callable[[], Listener] | None = handler if isinstance(handler, type) else None

    def _websocket(self, engine: ServerConnection, *, watch: Callable[[Any, Event], None]) -> WebSocket:
        listener = None if self._make_listener is None else self._make_listener()
        return WebSocket(engine, listener=listener, watch=watch)
