"""Messages by WebSocket, TCP and UDP on blocking sockets and threads: the names of ``wsproto_asyncio`` without
``await``, and no event loop.

The map of this package: ``stream`` is a socket that never blocks, with or without TLS; ``link`` binds one to an
engine, with a thread of its own; ``blocking`` and ``peer`` hold the objects that applications hold; ``dialing`` finds
the way to a server, ``listening`` waits for those who do, and ``serving`` is what all servers have in common;
``client``, ``server``, ``tcp`` and ``udp`` make of them what is public; ``reconnect`` and ``pool`` stand on those.
``_speedups`` is the way of a message between a socket and a thread.
Limits, timeouts, errors and events come from ``wsproto_core``.
"""

from wsproto_core import broadcast

from ._speedups import IS_COMPILED
from .bridge import Bridge
from .client import connect
from .peer import TcpPeer, UdpPeer, WebSocket
from .pool import Pool
from .reconnect import reconnect
from .server import serve
from .serving import Server
from .tcp import connect_tcp, serve_tcp
from .udp import connect_udp, serve_udp

__all__ = [
    "IS_COMPILED",
    "Bridge",
    "Pool",
    "Server",
    "TcpPeer",
    "UdpPeer",
    "WebSocket",
    "broadcast",
    "connect",
    "connect_tcp",
    "connect_udp",
    "reconnect",
    "serve",
    "serve_tcp",
    "serve_udp",
]
