"""Whose transports carry the connections of a server: the event loop's own, or those of ``aiofastnet``, which do the
same in C.

docs/decisions/0029-aiofastnet.md tells when, and why. Nothing but this choice lives here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl as tls
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

__all__ = ["Adopt", "adopt", "fast_adopt"]

#: Makes a transport of a socket that was accepted, with a protocol.
Adopt: TypeAlias = Callable[[socket.socket, Callable[[], asyncio.BaseProtocol]], Coroutine[Any, Any, Any]]


async def adopt(
    sock: socket.socket,
    make_protocol: Callable[[], asyncio.BaseProtocol],
    *,
    ssl: tls.SSLContext | None = None,
    timeout: float | None = None,
) -> None:
    """Make one of the loop's own transports of ``sock``. ``timeout`` is for the handshake of TLS."""
    loop, limit = asyncio.get_running_loop(), None if ssl is None else timeout
    await loop.connect_accepted_socket(make_protocol, sock, ssl=ssl, ssl_handshake_timeout=limit)


def fast_adopt() -> Adopt | None:
    """What makes one of ``aiofastnet``'s, for plain TCP; ``None`` where it is not installed, or not wanted, as
    ``WSPROTO_ASYNCIO_TRANSPORTS=loop`` says.
    """
    if os.environ.get("WSPROTO_ASYNCIO_TRANSPORTS") == "loop":
        return None
    try:
        from aiofastnet import connect_accepted_socket
    except ImportError:  # it is optional, and an old one does not have it
        return None
    loop = asyncio.get_running_loop()
    return lambda sock, make_protocol: connect_accepted_socket(loop, make_protocol, sock)
