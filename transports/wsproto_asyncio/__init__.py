"""Messages by WebSocket, TCP and UDP on asyncio, over the engines of ``wsproto_core``.

The map of this package: ``link`` binds a transport to an engine; ``peer`` holds the objects that applications hold;
``dialing`` goes the way to a server, ``opening`` and ``serving`` are what all clients, and all servers, have in common;
``client``, ``server``, ``tcp`` and ``udp`` make of them what is public; ``listener`` is the fast path; ``reconnect``
and ``pool`` stand on those. ``stream`` is a transport, and ``_speedups`` the part of it that every byte passes. Limits,
timeouts, errors and events come from ``wsproto_core``.
"""

from wsproto_core import broadcast

from ._speedups import IS_COMPILED
from .bridge import Bridge
from .client import connect
from .listener import Listener
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
    "Listener",
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
