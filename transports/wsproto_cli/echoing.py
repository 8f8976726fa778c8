"""The echo server, the same on every runtime: what happens on a connection, and what ``serve()`` is given."""

from __future__ import annotations

import argparse
import ssl
import threading
from collections.abc import Callable, Sequence
from itertools import count
from socket import socket
from typing import TYPE_CHECKING, Any, TypeAlias

from wsproto_core import ConnectionClosed, Limits, LocalProtocolError, PerMessageDeflate, Request, Response

from . import options as values
from .show import printable, without_secrets
from .status import UsageError

if TYPE_CHECKING:
    import wsproto_asyncio
    import wsproto_sockets

__all__ = ["Echo", "Log", "serve_options", "tls_context"]

#: Tells the operator a line.
Log: TypeAlias = Callable[[str], None]
#: Whichever runtime's: what is told of a connection has the same names everywhere.
_WebSocket: TypeAlias = "wsproto_asyncio.WebSocket | wsproto_sockets.WebSocket"


class Echo:
    """What happens on a connection. Without ``log`` nobody is told of it, and no line is made."""

    def __init__(self, log: Log | None) -> None:
        self._log = log
        self._numbers = count(1)
        # Guards what is below: with threads, handlers end at the same time.
        self._lock = threading.Lock()
        self._open: set[int] = set()
        self._empty: Callable[[], None] | None = None

    async def handle(self, ws: wsproto_asyncio.WebSocket) -> None:
        """Send back what comes. Whoever does not read what it gets is not read from either: ``send`` waits."""
        number = self._begin(ws)
        try:
            async for message in ws:
                await ws.send(message)
        except (ConnectionClosed, LocalProtocolError):
            pass  # LocalProtocolError: this server closes, and the answer comes too late
        finally:
            # The end is not waited for: the server does that, and a task for each connection is enough.
            self._end(number, ws)

    def handle_in_thread(self, ws: wsproto_sockets.WebSocket) -> None:
        """The same, in a thread."""
        number = self._begin(ws)
        try:
            for message in ws:
                ws.send(message)
        except (ConnectionClosed, LocalProtocolError):
            pass
        finally:
            self._end(number, ws)

    def answer_http(self, ws: _WebSocket, request: Request) -> Response | None:
        """A health check or a curious browser gets a short text; everybody else goes on."""
        if request.violation is None:
            return None
        if self._log is not None:
            line = without_secrets(printable(f"{request.method} {request.target}"))
            self._log(f"{_address(ws)} no WebSocket: {line}")
        if request.method not in ("GET", "HEAD") or "upgrade" in request.headers:
            return None
        body = b"This is a WebSocket echo server: what you send comes back. Try: wsproto connect\n"
        return Response(200, {"Content-Type": "text/plain; charset=utf-8"}, body)

    def when_empty(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` once, when no connection is left, which may be now."""
        with self._lock:
            self._empty = tell
        self._check_empty()

    def _check_empty(self) -> None:
        with self._lock:
            if self._open or self._empty is None:
                return
            tell, self._empty = self._empty, None
        tell()

    def _begin(self, ws: _WebSocket) -> int:
        with self._lock:
            self._open.add(number := next(self._numbers))
        if self._log is not None:
            target = ws.request.target if ws.request else "/"
            self._log(f"#{number} open: {_address(ws)} {without_secrets(printable(target))}")
        return number

    def _end(self, number: int, ws: _WebSocket) -> None:
        if self._log is not None:
            counts = ws.statistics
            end = printable(str(ws.close_report)) if ws.close_report else "closing"
            self._log(f"#{number} {end}; messages: {counts.messages_received} in, {counts.messages_sent} out")
        with self._lock:
            self._open.discard(number)
        self._check_empty()


def serve_options(options: argparse.Namespace, sockets: Sequence[socket], echo: Echo) -> dict[str, Any]:
    """The arguments of ``serve()``, whose names are the same for every runtime. Raises :exc:`UsageError`."""
    return {
        "sock": list(sockets),
        "ssl": tls_context(options),
        "max_connections": options.max_connections,
        "proxied_by": options.proxied_by,
        "process_request": echo.answer_http,
        "compression": None if options.no_compression else PerMessageDeflate(),
        "limits": Limits(message_size=options.max_message_size),
    }


def tls_context(options: argparse.Namespace) -> ssl.SSLContext | None:
    """What the options say about TLS. Raises :exc:`UsageError`."""
    if options.ssl_cert is None:
        if options.ssl_key is not None:
            raise UsageError("argument --ssl-key: needs --ssl-cert")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with values.naming_file("--ssl-cert/--ssl-key"):
        context.load_cert_chain(options.ssl_cert, options.ssl_key)
    return context


def _address(ws: _WebSocket) -> str:
    match ws.remote_address:
        case (str(host), int(port), *_):
            return f"{host}:{port}"
        case _:
            return "a local client"
