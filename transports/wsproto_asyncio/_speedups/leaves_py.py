"""The leaves of a transport, and of where they come from: what the system is asked about a socket that does not block.

Each is small, and is the specification of a native one in ``leaves_c`` that may take its place.
"""

from __future__ import annotations

import socket
from typing import Any, Final

__all__ = ["LARGE", "accept", "receive", "send"]

#: From this size on, in bytes, what has come is looked at where it is: below, engines would copy it anyway.
LARGE: Final = 16 * 1024


def accept(sock: socket.socket) -> tuple[socket.socket, Any] | None:
    """Who has waited longest at ``sock``: the connection, which does not block either, and the address of its other
    end; ``None`` where nobody waits. Raises :exc:`OSError`.
    """
    try:
        taken, address = sock.accept()
    except (BlockingIOError, InterruptedError, ConnectionAbortedError):
        return None
    taken.setblocking(False)
    return taken, address


def receive(sock: socket.socket, memory: memoryview) -> bytes | memoryview | None:
    """What has come, as much of it as ``memory`` holds; ``None`` where nothing is there, and empty at the end.

    A view is one of ``memory``. Raises :exc:`OSError`.
    """
    try:
        size = sock.recv_into(memory)
    except (BlockingIOError, InterruptedError):
        return None
    data = memory[:size]
    return data if size >= LARGE else data.tobytes()


def send(sock: socket.socket, data: bytes | bytearray | memoryview) -> int:
    """Send the beginning of ``data``; return how many bytes the system takes now. Raises :exc:`OSError`."""
    try:
        return sock.send(data)
    except (BlockingIOError, InterruptedError):
        return 0
