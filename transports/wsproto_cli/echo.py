"""Serve: every message goes back to its sender, text as text, bytes as bytes.
A plain HTTP GET gets a short text.

When it listens, one line with the address is printed to standard output.
Ctrl-C (SIGINT) and SIGTERM close every connection with 1001 and end with exit
status 0; a second signal does not wait.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import ssl
import stat
from collections.abc import Callable, Generator, Sequence
from importlib.util import find_spec
from itertools import count
from typing import Any, Final

from wsproto_asyncio import Server, WebSocket, serve
from wsproto_core import (
    ConnectionClosed,
    Limits,
    LocalProtocolError,
    PerMessageDeflate,
    Request,
    Response,
)

from . import options as values
from .show import printable, without_secrets
from .status import ExitStatus, UsageError, complain, tell_in_one_line

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "serve: send every message back"

_GRACE_PERIOD: Final = 3.0
_LIMITS: Final = Limits()
_Log = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``wsproto echo``."""
    parser.usage = "wsproto echo [OPTIONS]"
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to listen at (default: %(default)s, this machine only)")
    add("--port", type=values.port, default=8765, help="0 lets the system choose one (default: %(default)s)")
    add("--unix", metavar="PATH", help="listen at this Unix socket instead")
    add("--ssl-cert", metavar="FILE", help="speak TLS with this certificate (PEM), with the chain if there is one")
    add("--ssl-key", metavar="FILE", help="its private key (PEM), if it is not in the same file")
    add("--uvloop", action="store_true", help="use uvloop instead of asyncio's own event loop")
    add(
        "--max-message-size", metavar="BYTES|none", type=values.count_or_none, default=_LIMITS.message_size,
        help="the largest message to accept (default: %(default)s)",
    )  # fmt: skip
    add(
        "--max-connections", metavar="N|none", type=values.count_or_none, default=1000,
        help="those beyond it are turned away with HTTP status 503 (default: %(default)s)",
    )  # fmt: skip
    add("--no-compression", action="store_true", help="do not accept permessage-deflate")
    add("-v", "--verbose", action="store_true", help="tell on standard error who comes, who goes, and how")


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes; return the exit status. Raises :exc:`UsageError`."""
    tls = _tls(options)
    factory = _uvloop_factory() if options.uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_serve(options, tls))


async def _serve(options: argparse.Namespace, tls: ssl.SSLContext | None) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(tell_in_one_line)
    echo = _Echo(complain if options.verbose else _silence)
    where: dict[str, Any] = {"unix_path": options.unix}
    if options.unix is None:
        where = {"host": options.host, "port": options.port}
    try:
        server = await serve(
            echo.handle,
            **where,
            ssl=tls,
            max_connections=options.max_connections,
            process_request=echo.answer_http,
            compression=None if options.no_compression else PerMessageDeflate(),
            limits=Limits(message_size=options.max_message_size),
        )
    except (OSError, UnicodeError) as error:
        complain(f"cannot listen at {options.unix or f'{options.host}:{options.port}'}: {_words(error)}")
        return ExitStatus.FAILED
    with _stopped_by_signals(loop) as stopped, _socket_file(options.unix):
        with contextlib.suppress(OSError):  # nobody reads where it listens
            print(f"listening on {', '.join(_addresses(server, tls is not None))}", flush=True)
        with contextlib.suppress(asyncio.CancelledError):  # Ctrl-C where loops know no signals
            await stopped
        closing = asyncio.ensure_future(server.close(grace_period=_GRACE_PERIOD))
    await closing
    return ExitStatus.OK


class _Echo:
    """What happens on a connection."""

    def __init__(self, log: _Log) -> None:
        self._log = log
        self._numbers = count(1)

    async def handle(self, ws: WebSocket) -> None:
        """Send back what comes. Whoever does not read what it gets is not read from either: ``send`` waits."""
        number = next(self._numbers)
        target = ws.request.target if ws.request else "/"
        self._log(f"#{number} open: {_address(ws)} {without_secrets(printable(target))}")
        try:
            async for message in ws:
                await ws.send(message)
        except (ConnectionClosed, LocalProtocolError):
            pass  # LocalProtocolError: this server closes, and the answer comes too late
        finally:
            # The end is not waited for: the server does that, and a task for each connection is enough.
            self._log_end(number, ws)

    def answer_http(self, ws: WebSocket, request: Request) -> Response | None:
        """A health check or a curious browser gets a short text; everybody else goes on."""
        if request.violation is None:
            return None
        line = without_secrets(printable(f"{request.method} {request.target}"))
        self._log(f"{_address(ws)} no WebSocket: {line}")
        if request.method not in ("GET", "HEAD") or "upgrade" in request.headers:
            return None
        body = b"This is a WebSocket echo server: what you send comes back. Try: wsproto connect\n"
        return Response(200, {"Content-Type": "text/plain; charset=utf-8"}, body)

    def _log_end(self, number: int, ws: WebSocket) -> None:
        counts = ws.statistics
        end = printable(str(ws.close_report)) if ws.close_report else "closing"
        self._log(f"#{number} {end}; messages: {counts.messages_received} in, {counts.messages_sent} out")


# --- the beginning and the end --------------------------------------------------------------------------------------


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.ssl_cert is None:
        if options.ssl_key is not None:
            raise UsageError("argument --ssl-key: needs --ssl-cert")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with values.naming_file("--ssl-cert/--ssl-key"):
        context.load_cert_chain(options.ssl_cert, options.ssl_key)
    return context


def _uvloop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if find_spec("uvloop") is None:
        raise UsageError("argument --uvloop: uvloop is not installed; pip install 'wsproto-core[fast]'")
    import uvloop

    return uvloop.new_event_loop


@contextlib.contextmanager
def _stopped_by_signals(loop: asyncio.AbstractEventLoop) -> Generator[asyncio.Future[None], None, None]:
    """A future that the first SIGINT or SIGTERM completes. The second one does what it does to any process."""
    stopped = loop.create_future()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)

    try:
        for number in signals:
            loop.add_signal_handler(number, stop)
    except NotImplementedError:  # Windows: Ctrl-C cancels the task
        yield stopped
        return
    try:
        yield stopped
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _socket_file(path: str | None) -> Generator[None, None, None]:
    """Remove the file of a Unix socket afterwards, unless it is somebody else's by then."""
    made = _inode(path)
    try:
        yield
    finally:
        if path is not None and made is not None and _inode(path) == made:
            with contextlib.suppress(OSError):
                os.unlink(path)


def _inode(path: str | None) -> tuple[int, int] | None:
    if path is None:
        return None
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None
    return None


def _addresses(server: Server, secure: bool) -> Sequence[str]:
    scheme = "wss" if secure else "ws"
    return [_listening_address(scheme, listening.getsockname()) for listening in server.sockets]


def _listening_address(scheme: str, name: Any) -> str:
    if isinstance(name, str | bytes):
        return f"unix:{os.fsdecode(name)}"
    host, port = name[:2]
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


def _address(ws: WebSocket) -> str:
    match ws.remote_address:
        case (str(host), int(port), *_):
            return f"{host}:{port}"
        case _:
            return "a local client"


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _silence(line: str) -> None:
    """Tell nothing."""
