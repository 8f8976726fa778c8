"""WebSocket servers."""

from __future__ import annotations

import os
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Sequence
from typing import Unpack

from anyio.abc import TaskGroup

from wsproto_core import ProcessRequest, ServeOptions, ServePlan, check_handler

from .door import StreamServing
from .peer import WebSocket

__all__ = ["serve"]


class serve(StreamServing[WebSocket]):  # noqa: N801  (it is used like a function)
    """Serve WebSocket: ``async with serve(handler, host, port) as server``, or
    ``server = await serve(..., task_group=group)``.

    * ``handler``: a coroutine function, called with each open :class:`WebSocket` (which is closed when it returns).
    * ``host``, ``port``: where to listen; or ``sock``, one or several listening or bound sockets.
    * ``ssl``: an ``SSLContext`` for ``wss://``.
    * ``max_connections``: beyond it a handshake is answered with 503; ``None`` for no limit.
    * ``process_request(ws, request)``: a function, or coroutine function, that may answer any HTTP request with a
      :class:`Response` of its own (a health check, a page, a refusal); ``None`` goes on with the handshake.
    * ``options``: those of :class:`ServeOptions`.
    * ``task_group``: where the server's tasks live. Left out, ``async with`` opens one of its own, around the block and
      invisible: an exception of the block comes out as it is, in no group.

    Leaving the block closes the server as :meth:`Server.close` does. Cancelling it says 1001 to everybody and waits for
    nobody.

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
        task_group: TaskGroup | None = None,
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
            task_group=task_group,
        )
