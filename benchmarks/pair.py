"""Two of our engines that have agreed to talk."""

from __future__ import annotations

import os
from typing import TypeAlias

from wsproto_core import ClientConnection, Limits, PerMessageDeflate, ServerConnection

__all__ = ["Engine", "connected"]

Engine: TypeAlias = ServerConnection | ClientConnection


def connected(*, deflate: bool) -> tuple[ServerConnection, ClientConnection]:
    """Two ends of an open connection, that have nothing to say to each other."""
    limits = Limits(message_size=None, outbox_size=1 << 30)
    extensions = [PerMessageDeflate(client_max_window_bits=15)] if deflate else []
    client = ClientConnection("ws://localhost/", entropy=os.urandom, limits=limits, extensions=extensions, now=0.0)
    server = ServerConnection(limits=limits, extensions=extensions, now=0.0)
    client.connect()
    for data in client.data_to_send():
        server.receive_data(data, 0.0)
    server.accept()
    for data in server.data_to_send():
        client.receive_data(data, 0.0)
    return server, client
