"""The hot code of this adapter: the way of bytes through a transport of its own, and how tasks wait for them.

There are two of it, as of the core's, and they do the same. ``X_py`` is Python. ``X_c`` is the same source, compiled,
and ``leaves_c`` is native: these are used with the core's, where they have been built. Everything above imports from
this package, never from the modules inside.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import wsproto_core

__all__ = ["IS_COMPILED", "Pause", "SocketTraffic", "Waiting", "accept"]

#: Whether the hot code of this adapter is the compiled one; there is none on Windows.
IS_COMPILED: Final = wsproto_core.IS_COMPILED and find_spec(f"{__name__}.traffic_c") is not None

if IS_COMPILED:
    from .leaves_c import accept
    from .traffic_c import SocketTraffic
    from .waiting_c import Pause, Waiting
else:
    from .leaves_py import accept
    from .traffic_py import SocketTraffic
    from .waiting_py import Pause, Waiting
