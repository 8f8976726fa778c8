"""Whose transports carry the connections of a server: our own, the event loop's, or those of ``aiofastnet``.

docs/decisions/0030-own-transport.md tells when, and why. Nothing but this choice lives here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl as tls
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

__all__ = ["Adopt", "adopt", "chosen_adopt"]

#: Makes a transport of a socket that was accepted, with a protocol.
Adopt: TypeAlias = Callable[[socket.socket, Callable[[], asyncio.BaseProtocol]], Coroutine[Any, Any, Any]]

_VARIABLE: Final = "WSPROTO_ASYNCIO_TRANSPORTS"


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


def chosen_adopt() -> Adopt | None:
    """What makes a transport where there is no TLS, as ``WSPROTO_ASYNCIO_TRANSPORTS`` says: ``loop`` or ``aiofastnet``;
    ``None`` for our own, which is there at once.

    Raises :exc:`ValueError` for another choice, and where ``aiofastnet`` is asked for and is not there.
    """
    choice = os.environ.get(_VARIABLE, "own")
    match choice:
        case "own":
            return None
        case "loop":
            return adopt
        case "aiofastnet":
            return _fast_adopt()
        case _:
            raise ValueError(f"{_VARIABLE} must be own, loop or aiofastnet, not {choice!r}")


def _fast_adopt() -> Adopt:
    try:
        from aiofastnet import connect_accepted_socket
    except ImportError:  # it is optional, and an old one does not have it
        raise ValueError(f"{_VARIABLE} is aiofastnet, which is not installed, or too old") from None
    loop = asyncio.get_running_loop()
    return lambda sock, make_protocol: connect_accepted_socket(loop, make_protocol, sock)
