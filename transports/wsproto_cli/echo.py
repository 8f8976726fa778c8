"""Serve: every message goes back to its sender, text as text, bytes as bytes.
A plain HTTP GET gets a short text.

When it listens, one line with the address is printed to standard output.
Ctrl-C (SIGINT) and SIGTERM close every connection with 1001 and end with exit
status 0; a second signal does not wait.

With --workers a worker that dies is replaced, and SIGHUP restarts all of them:
new ones start, and once they are ready the old ones let nobody else in and,
after --drain seconds at the latest, close their connections.

Sockets that a service manager hands down (LISTEN_FDS, as systemd does) are used
instead of --host, --port and --unix.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import os
from collections.abc import Sequence
from importlib.util import find_spec
from socket import socket
from typing import Final

from wsproto_core import Limits

from . import options as values
from .echoing import tls_context
from .listening import addresses, listening_sockets
from .runtimes import RUNTIMES, Life, serve
from .service_manager import notify_ready, notify_stopping
from .status import ExitStatus, UsageError, complain
from .supervisor import supervise

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "serve: send every message back"

_LIMITS: Final = Limits()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``wsproto echo``."""
    parser.usage = "wsproto echo [OPTIONS]"
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to listen at (default: %(default)s, this machine only)")
    add("--port", type=values.port, default=8765, help="0 lets the system choose one (default: %(default)s)")
    add("--unix", metavar="PATH", help="listen at this Unix socket instead")
    add("--ssl-cert", metavar="FILE", help="speak TLS with this certificate (PEM), with the chain if there is one")
    add("--ssl-key", metavar="FILE", help="its private key (PEM), if it is not in the same file")
    add("--runtime", choices=[*RUNTIMES], default="asyncio", help="what to run on (default: %(default)s)")
    add("--uvloop", action="store_true", help="use uvloop instead of asyncio's own event loop")
    add("--workers", metavar="N", type=values.count, help="serve with so many processes (default: with this one)")
    add(
        "--drain", metavar="SECONDS|none", type=values.wait, default=0.0,
        help="how long a restart leaves connections with the old workers (default: %(default)g)",
    )  # fmt: skip
    add(
        "--proxied-by", metavar="ADDRESS", action="append", type=values.proxy_address, default=[],
        help="what connects from this address or network, or unix:, begins with a PROXY header that tells who the "
        "client is; may be repeated",
    )  # fmt: skip
    add(
        "--max-message-size", metavar="BYTES|none", type=values.count_or_none, default=_LIMITS.message_size,
        help="the largest message to accept (default: %(default)s)",
    )  # fmt: skip
    add(
        "--max-connections", metavar="N|none", type=values.count_or_none, default=1000,
        help="those beyond it, in each process, are turned away with HTTP status 503 (default: %(default)s)",
    )  # fmt: skip
    add("--no-compression", action="store_true", help="do not accept permessage-deflate")
    add("-v", "--verbose", action="store_true", help="tell on standard error who comes, who goes, and how")


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes; return the exit status. Raises :exc:`UsageError`."""
    _check(options)
    with contextlib.ExitStack() as stack:
        try:
            sockets = stack.enter_context(listening_sockets(options))
        except (OSError, ValueError) as error:
            complain(f"cannot listen{_place(options, error)}: {_words(error)}")
            return ExitStatus.FAILED
        log = complain if options.verbose else None
        life = Life(functools.partial(_announce, options, sockets[0]), notify_stopping)
        if options.workers is not None:
            return asyncio.run(supervise(options, sockets, log or _silence, life))
        serve(options, sockets[0], log, life)
        return ExitStatus.OK


def _check(options: argparse.Namespace) -> None:
    """Raise :exc:`UsageError` for options that cannot work here, or not together."""
    required = RUNTIMES[options.runtime].requires
    if required is not None and find_spec(required) is None:
        raise UsageError(f"argument --runtime: {required} is not installed; pip install 'wsproto-core[{required}]'")
    if options.uvloop and options.runtime != "asyncio":
        raise UsageError("argument --uvloop: needs --runtime asyncio")
    if options.uvloop and find_spec("uvloop") is None:
        raise UsageError("argument --uvloop: uvloop is not installed; pip install 'wsproto-core[fast]'")
    if options.workers is not None and os.name != "posix":
        raise UsageError("argument --workers: not on this system")
    if options.drain != 0 and options.workers is None:
        raise UsageError("argument --drain: needs --workers")
    tls_context(options)


def _announce(options: argparse.Namespace, sockets: Sequence[socket]) -> None:
    """Tell who started this that it listens, and where."""
    with contextlib.suppress(OSError):  # nobody reads it
        print(f"listening on {addresses(sockets, secure=options.ssl_cert is not None)}", flush=True)
    notify_ready()


def _place(options: argparse.Namespace, error: Exception) -> str:
    """Where it was to listen; inherited sockets, at fault in a ``ValueError``, are at no such place."""
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        return ""
    return f" at {options.unix or f'{options.host}:{options.port}'}"


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _silence(line: str) -> None:
    """Tell nothing."""
