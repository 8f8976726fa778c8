"""WebSocket on asyncio: ``connect``, ``serve``, ``reconnect`` and ``broadcast``, over the engine of ``wsproto_core``.

The map of this package: ``link`` binds a transport to an engine; ``peer`` is the object that applications hold;
``client`` and ``server`` make them; ``listener`` is the fast path; ``reconnect`` stands on those.
Limits, timeouts, errors and events come from ``wsproto_core``.
"""

from wsproto_core import broadcast

from .client import connect
from .listener import Listener
from .peer import WebSocket
from .reconnect import reconnect
from .server import Server, serve

__all__ = ["Listener", "Server", "WebSocket", "broadcast", "connect", "reconnect", "serve"]
