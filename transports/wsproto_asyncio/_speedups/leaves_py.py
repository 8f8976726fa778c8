"""The leaves of a transport: what it asks the system, about a socket that is connected and does not block.

Each is small, and is the specification of a native one in ``leaves_c`` that may take its place.
"""

from __future__ import annotations

import socket
from typing import Final

__all__ = ["LARGE", "receive", "send"]

#: From this size on, in bytes, what has come is looked at where it is: below, engines would copy it anyway.
LARGE: Final = 16 * 1024


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
