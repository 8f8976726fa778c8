"""Two of our engines that have agreed to talk."""

from __future__ import annotations

import os
from typing import TypeAlias

from wire import CLOSE

from wsproto_core import ClientConnection, Limits, PerMessageDeflate, ServePlan, ServerConnection

__all__ = ["Engine", "connected", "live_and_end"]

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


def live_and_end(plan: ServePlan, request: bytes) -> None:
    """The whole life of a server's connection, to a client that opens and closes it."""
    engine = plan.engine(0.0)
    engine.receive_data(request, 0.0)
    engine.accept()
    engine.data_to_send()
    engine.receive_data(CLOSE, 1.0)
    engine.data_to_send()
    engine.receive_eof(1.0)
    engine.transport_lost(None, 1.0)
