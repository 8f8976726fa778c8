"""WebSocket on trio: ``connect``, ``serve``, ``reconnect`` and ``broadcast``, over the engine of ``wsproto_core``.

The map of this package: ``link`` binds a stream to an engine; ``peer`` is the object that applications hold;
``client`` and ``server`` make them; ``reconnect`` stands on those; ``household`` is the nursery that nobody sees, and
``listening`` opens the sockets of a server. Limits, timeouts, errors and events come from ``wsproto_core``.
"""

from wsproto_core import broadcast

from .client import connect
from .peer import WebSocket
from .reconnect import reconnect
from .server import Server, serve

__all__ = ["Server", "WebSocket", "broadcast", "connect", "reconnect", "serve"]
