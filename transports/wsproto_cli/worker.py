"""One worker process of ``wsproto echo --workers``: ``python -m wsproto_cli.worker ORDER``, started by ``spawning``.

The order is JSON: the command's options, and descriptors that the worker inherits: the sockets to serve on and its end
of the lifeline, a pair of connected sockets. The worker writes to it once it is ready. When the other end is gone, so
is the supervisor, however that came about, and the worker ends too. SIGHUP tells it that another one takes its place.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import signal
import socket
import sys
import threading

from .runtimes import Life, serve
from .status import ExitStatus, UsageError, complain


def main(order: str) -> int:
    """Serve until a signal comes; return the exit status."""
    told = json.loads(order)
    options = argparse.Namespace(**told["options"])
    lifeline = socket.socket(fileno=told["lifeline"])
    sockets = [socket.socket(fileno=fileno) for fileno in told["sockets"]]
    threading.Thread(target=_stop_at_the_end_of, args=(lifeline,), daemon=True).start()
    ready = functools.partial(lifeline.sendall, b"!")
    life = Life(listening=ready, closing=_nothing, drain_signals=(signal.SIGHUP,))
    try:
        serve(options, sockets, _log if options.verbose else None, life)
    except UsageError as error:  # a certificate that could be read when the command began, perhaps
        complain(str(error))
        return ExitStatus.USAGE
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    return ExitStatus.OK


def _stop_at_the_end_of(lifeline: socket.socket) -> None:
    with contextlib.suppress(OSError):  # what was written to it may have been left unread
        lifeline.recv(1)
    os.kill(os.getpid(), signal.SIGTERM)  # and not raise_signal(), which would not wake the main thread


def _log(line: str) -> None:
    complain(f"worker {os.getpid()}: {line}")


def _nothing() -> None:
    """The supervisor knows: it said so."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
