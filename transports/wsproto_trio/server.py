"""WebSocket servers."""

from __future__ import annotations

import os
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Sequence
from typing import Unpack

from wsproto_core import ProcessRequest, ServeOptions, ServePlan, check_handler

from .door import StreamServing
from .peer import WebSocket

__all__ = ["serve"]


class serve(StreamServing[WebSocket]):  # noqa: N801  (it is used like a function)
    """Serve WebSocket: ``async with serve(handler, host, port) as server``, or
    ``server = await nursery.start(serve(handler, host, port))``, which runs until the server is closed.

    * ``handler``: a coroutine function, called with each open :class:`WebSocket` (which is closed when it returns).
    * ``host``, ``port``: where to listen; or ``sock``, one or several listening or bound sockets.
    * ``ssl``: an ``SSLContext`` for ``wss://``.
    * ``max_connections``: beyond it a handshake is answered with 503; ``None`` for no limit.
    * ``process_request(ws, request)``: a function, or coroutine function, that may answer any HTTP request with a
      :class:`Response` of its own (a health check, a page, a refusal); ``None`` goes on with the handshake.
    * ``options``: those of :class:`ServeOptions`.

    What leaves the block leaves it as itself, never in an exception group; a handler's exception is logged and closes
    its connection with 1011. When the block is cancelled, so are the handlers, at once: connections are told 1001, if
    that can be sent at once, and are gone.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`BindFailed` where it cannot listen.
    """

    def __init__(
        self,
        handler: Callable[[WebSocket], Awaitable[None]],
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        *,
        sock: socket.socket | Sequence[socket.socket] | None = None,
        ssl: tls.SSLContext | None = None,
        max_connections: int | None = 1000,
        process_request: ProcessRequest[WebSocket] | None = None,
        **options: Unpack[ServeOptions],
    ) -> None:
        check_handler(handler)
        super().__init__(
            handler,
            ServePlan(host, port, sock, entropy=os.urandom, **options),
            WebSocket,
            process_request=process_request,
            max_connections=max_connections,
            ssl=ssl,
        )
