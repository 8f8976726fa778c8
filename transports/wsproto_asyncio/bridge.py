"""Connections of every kind, from one place."""

from __future__ import annotations

import ssl
import time
from typing import Any, Final

from wsproto_core import AsyncBridge, BridgeDoors, BridgeOptions
from wsproto_net import process_memory

from .client import connect
from .peer import TcpPeer, UdpPeer, WebSocket
from .pool import Pool
from .reconnect import reconnect
from .server import serve
from .tcp import connect_tcp, serve_tcp
from .udp import connect_udp, serve_udp

__all__ = ["Bridge"]

_DOORS: Final = BridgeDoors(
    connect=connect,
    connect_tcp=connect_tcp,
    connect_udp=connect_udp,
    serve=serve,
    serve_tcp=serve_tcp,
    serve_udp=serve_udp,
    pool=Pool,
    reconnect=reconnect,
    default_tls=ssl.create_default_context,
    now=time.monotonic,
    memory=process_memory,
)


class Bridge(AsyncBridge[WebSocket | TcpPeer | UdpPeer]):
    """Makes connections of every kind with one configuration, and counts them all::

        bridge = Bridge(limits=Limits(message_size=10_000_000))
        async with bridge.serve("tcp://127.0.0.1:9000", handler), bridge.connect("tcp://127.0.0.1:9000") as peer:
            await peer.send("hi")
        print(bridge.metrics)

    ``options``: those of :class:`BridgeOptions`, which are checked at once. Raises :exc:`ValueError` or
    :exc:`TypeError`, naming the option.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(_DOORS, BridgeOptions(**options), started_at=time.time())
