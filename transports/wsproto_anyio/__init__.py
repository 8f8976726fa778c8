"""WebSocket on anyio, so on asyncio, uvloop and trio: ``connect``, ``serve``, ``reconnect`` and ``broadcast``, over the
engine of ``wsproto_core``.

The map of this package: ``link`` binds a stream to an engine; ``peer`` is the object that applications hold; ``client``
and ``server`` make them; ``reconnect`` stands on those. Limits, timeouts, errors and events come from ``wsproto_core``.

Every task lives in a task group: that of ``async with``, or the one given as ``task_group=``. No exception group ever
leaves this package for an exception that entered it alone.
"""

from wsproto_core import broadcast

from .client import connect
from .peer import WebSocket
from .reconnect import reconnect
from .server import Server, serve

__all__ = ["Server", "WebSocket", "broadcast", "connect", "reconnect", "serve"]
