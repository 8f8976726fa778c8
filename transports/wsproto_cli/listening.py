"""The sockets that ``wsproto echo`` listens at: handed down by a service manager, or opened here.

Every worker gets its own for each TCP address (``SO_REUSEPORT``), so that the system spreads the connections; a Unix
socket, and what was handed down, they share. All of them belong to the process that opened them for as long as it
lives: what comes while a worker is replaced waits in the socket for the next one, and is not lost.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import stat
from collections.abc import Generator, Sequence
from typing import Any, Final, TypeAlias

from wsproto_core import inherited_sockets

__all__ = ["addresses", "listening_sockets"]

_BACKLOG: Final = 1024
_Sockets: TypeAlias = list[socket.socket]


@contextlib.contextmanager
def listening_sockets(options: argparse.Namespace) -> Generator[Sequence[_Sockets], None, None]:
    """Listening sockets for each worker, or for the one process that has none, open as long as the context lasts.

    Raises :exc:`OSError` or :exc:`UnicodeError` where it cannot listen, and :exc:`ValueError` for inherited sockets
    that make no sense.
    """
    with contextlib.ExitStack() as stack:
        workers = options.workers or 1
        if inherited := _inherited(stack):
            yield [inherited] * workers
        elif options.unix is not None:
            yield [[stack.enter_context(_unix(options.unix))]] * workers
        elif options.workers is None:
            yield [_tcp(_resolve(options.host, options.port), stack)]
        else:
            names = _free(_resolve(options.host, options.port))
            yield [_tcp(names, stack, reuse_port=True) for _ in range(workers)]


def addresses(sockets: Sequence[socket.socket], *, secure: bool) -> str:
    """Where ``sockets`` listen, for people and for scripts."""
    return ", ".join(_address("wss" if secure else "ws", sock.getsockname()) for sock in sockets)


# --- handed down --------------------------------------------------------------------------------------------------


def _inherited(stack: contextlib.ExitStack) -> _Sockets:
    found = inherited_sockets(os.environ, os.getpid())
    sockets = [stack.enter_context(socket.socket(fileno=each.fileno)) for each in found]
    for sock in sockets:
        sock.set_inheritable(False)
        if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError(f"the inherited descriptor {sock.fileno()} is no listening stream socket")
    return sockets


# --- TCP ----------------------------------------------------------------------------------------------------------


_Name: TypeAlias = tuple[socket.AddressFamily, Any]


def _resolve(host: str, port: int) -> list[_Name]:
    """The family and name for each address of ``host``."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, name) for family, _, _, _, name in found))


def _free(names: Sequence[_Name]) -> list[_Name]:
    """The same with ports that are chosen, where the system chooses, and that nobody has: ``SO_REUSEPORT`` would not
    tell of another server there, but share its connections.
    """
    with contextlib.ExitStack() as stack:
        probes = _tcp(names, stack)
        return [(probe.family, probe.getsockname()) for probe in probes]


def _tcp(names: Sequence[_Name], stack: contextlib.ExitStack, *, reuse_port: bool = False) -> _Sockets:
    return [
        stack.enter_context(socket.create_server(name, family=family, backlog=_BACKLOG, reuse_port=reuse_port))
        for family, name in names
    ]


# --- Unix ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _unix(path: str) -> Generator[socket.socket, None, None]:
    """A listening Unix socket, in the place of one that was left behind. Its file goes with it, unless it is somebody
    else's by then.
    """
    if _inode(path) is not None:
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen(_BACKLOG)
        made = _inode(path)
        try:
            yield sock
        finally:
            if made is not None and _inode(path) == made:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def _inode(path: str) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return (found.st_dev, found.st_ino) if stat.S_ISSOCK(found.st_mode) else None
    return None


def _address(scheme: str, name: Any) -> str:
    if isinstance(name, str | bytes):
        return f"unix:{os.fsdecode(name)}"
    host, port = name[:2]
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"
