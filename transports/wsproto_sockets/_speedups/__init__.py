"""The hot code of this adapter: the way of a message between a socket and a thread.

There are two of it, as of the core's, and they do the same. ``traffic_py`` and ``leaves_py`` are Python. ``traffic_c``
is the same source, compiled, and ``leaves_c`` is native: these are used with the core's, where they have been built.
What is above imports from this package, never from the modules inside.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import wsproto_core

__all__ = ["IS_COMPILED", "Entrance", "LinkTraffic", "send"]

#: Whether the hot code of this adapter is the compiled one; there is none on Windows.
IS_COMPILED: Final = wsproto_core.IS_COMPILED and find_spec(f"{__name__}.traffic_c") is not None

if IS_COMPILED:
    from .leaves_c import Entrance, send
    from .traffic_c import LinkTraffic
else:
    from .leaves_py import Entrance, send
    from .traffic_py import LinkTraffic
