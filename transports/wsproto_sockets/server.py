"""WebSocket servers."""

from __future__ import annotations

import inspect
import os
import socket
import ssl as tls
from collections.abc import Callable, Sequence
from typing import Any, Unpack

from wsproto_core import Request, Response, ServeOptions, ServePlan

from .door import stream_doors
from .peer import WebSocket
from .serving import Server

__all__ = ["check_function", "serve"]


def serve(
    handler: Callable[[WebSocket], object],
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    sock: socket.socket | Sequence[socket.socket] | None = None,
    ssl: tls.SSLContext | None = None,
    max_connections: int | None = 1000,
    process_request: Callable[[WebSocket, Request], Response | None] | None = None,
    **options: Unpack[ServeOptions],
) -> Server[WebSocket]:
    """Serve WebSocket: ``with serve(handler, host, port) as server`` or ``server = serve(...)``. It runs at once, in
    threads of its own.

    * ``handler``: a function, called in a thread with each open :class:`WebSocket`, which is closed when it returns.
    * ``host``, ``port``: where to listen; or ``sock``, one or several listening or bound sockets.
    * ``ssl``: an ``SSLContext`` for ``wss://``.
    * ``max_connections``: beyond it a handshake is answered with 503; ``None`` for no limit. A connection counts until
      its handler has returned, and each has two threads.
    * ``process_request(ws, request)``: a function that may answer any HTTP request with a :class:`Response` of its own
      (a health check, a page, a refusal); ``None`` goes on with the handshake.
    * ``options``: those of :class:`ServeOptions`.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`BindFailed` where it cannot listen.
    """
    check_function("handler", handler)
    if process_request is not None:
        check_function("process_request", process_request)
    return Server(
        stream_doors(ServePlan(host, port, sock, entropy=os.urandom, **options), WebSocket, ssl),
        handler=handler,
        process_request=process_request,
        max_connections=max_connections,
    )


def check_function(name: str, value: Any) -> None:
    """Raise :exc:`TypeError`, naming the option, unless ``value`` is a function for threads."""
    if isinstance(value, type) or not callable(value) or inspect.iscoroutinefunction(value):
        raise TypeError(f"{name} must be a plain function, not {value!r}")
