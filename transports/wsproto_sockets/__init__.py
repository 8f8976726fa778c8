"""WebSocket on blocking sockets and threads: the names of ``wsproto_asyncio`` without ``await``, and no event loop.

The map of this package: ``stream`` is a socket that never blocks, with or without TLS; ``link`` binds one to an
engine, with a thread of its own; ``peer`` is the object that applications hold; ``client`` and ``server`` make them;
``dialing`` finds the way to a server, and ``listening`` waits for those who do; ``reconnect`` stands on those.
Limits, timeouts, errors and events come from ``wsproto_core``.
"""

from wsproto_core import broadcast

from .client import connect
from .peer import WebSocket
from .reconnect import reconnect
from .server import Server, serve

__all__ = ["Server", "WebSocket", "broadcast", "connect", "reconnect", "serve"]
