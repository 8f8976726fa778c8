"""Connections of every kind, from one place."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from wsproto_core import BridgeBase, BridgeDoors, BridgeOptions, Reopening
from wsproto_net import process_memory

from .client import connect
from .peer import TcpPeer, UdpPeer, WebSocket
from .pool import Pool
from .reconnect import reconnect
from .server import serve
from .serving import Server
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


class Bridge(BridgeBase[WebSocket | TcpPeer | UdpPeer]):
    """Makes connections of every kind with one configuration, and counts them all::

        bridge = Bridge(limits=Limits(message_size=10_000_000))
        with bridge.serve("tcp://127.0.0.1:9000", handler), bridge.connect("tcp://127.0.0.1:9000") as peer:
            peer.send("hi")
        print(bridge.metrics)

    ``options``: those of :class:`BridgeOptions`, which are checked at once. Any number of threads may use it. Raises
    :exc:`ValueError` or :exc:`TypeError`, naming the option.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(_DOORS, BridgeOptions(**options), started_at=time.time(), lock=threading.Lock())

    def connect(self, address: str, **options: Any) -> WebSocket | TcpPeer | UdpPeer:
        """Connect to ``address``, which begins with ``ws://``, ``wss://``, ``ws+unix://``, ``tcp://``, ``tls://``,
        ``unix://`` or ``udp://``. ``options`` are those of ``connect``, ``connect_tcp`` or ``connect_udp``, and come
        before those of the bridge. Raises what these raise.
        """
        with self._attempt():
            peer: WebSocket | TcpPeer | UdpPeer = self._connector(address, options)
        self._opened(peer)
        return peer

    def serve(self, address: str, handler: Callable[[Any], object], **options: Any) -> Server[Any]:
        """Serve at ``address``, which begins as for :meth:`connect`. ``options`` are those of ``serve``, ``serve_tcp``
        or ``serve_udp``, and come before those of the bridge. Raises what these raise.
        """
        server: Server[Any] = self._server(address, handler, options)
        self._started(server)
        return server

    def pool(self, address: str, **options: Any) -> Pool:
        """A pool of WebSocket connections. ``options`` are those of :class:`Pool`. Raises what it raises."""
        pool: Pool = self._pool(address, options)
        return pool

    def reconnect(self, address: str, **options: Any) -> reconnect:
        """A WebSocket client that comes back. ``options`` are those of :class:`reconnect`. Its attempts that fail are
        not counted. Raises what it raises.
        """
        tell = options.pop("opened", None)

        def opened(ws: WebSocket, reopening: Reopening) -> None:
            self._opened(ws)
            if tell is not None:
                tell(ws, reopening)

        connections: reconnect = self._reconnect(address, {"opened": opened, **options})
        return connections
