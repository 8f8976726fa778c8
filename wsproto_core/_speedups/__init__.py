"""The hot code: the loops of incoming and outgoing frames, the inbox, the way of a message past them, what links begin
with, how messages are asked for, how a short one is inflated, and their leaves.

There are two of each, which do the same. ``X_py`` is Python. ``X_c`` is the same source, compiled, but ``leaves_c`` and
``messages_c`` are native. These are used where they have been built, unless the environment says
``WSPROTO_CORE_PUREPYTHON=1``. Everything above imports from this package, never from the modules inside.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Final

__all__ = [
    "IS_COMPILED",
    "Allowing",
    "Delivery",
    "FrameBuffer",
    "FrameDecoder",
    "FrameQueue",
    "Gathering",
    "Inbox",
    "Inflating",
    "LinkBase",
    "Messages",
    "Outlet",
    "Standing",
    "Timing",
    "Traffic",
    "WaitersBase",
    "apply_mask",
    "complete_utf8",
    "memory_of",
    "ordinary_head",
    "utf8_of",
]

#: Whether the hot code is the compiled one; in Python it does the same, slower.
IS_COMPILED: Final = os.environ.get("WSPROTO_CORE_PUREPYTHON") != "1" and find_spec(f"{__name__}.codec_c") is not None

if IS_COMPILED:
    from .codec_c import FrameDecoder
    from .frames_c import FrameQueue
    from .inbox_c import Inbox
    from .inflating_c import Inflating
    from .leaves_c import FrameBuffer, apply_mask, complete_utf8, memory_of, ordinary_head, utf8_of
    from .link_c import Delivery, Gathering, LinkBase, Outlet, WaitersBase
    from .messages_c import Messages
    from .traffic_c import Allowing, Standing, Timing, Traffic
else:
    from .codec_py import FrameDecoder
    from .frames_py import FrameQueue
    from .inbox_py import Inbox
    from .inflating_py import Inflating
    from .leaves_py import FrameBuffer, apply_mask, complete_utf8, memory_of, ordinary_head, utf8_of
    from .link_py import Delivery, Gathering, LinkBase, Outlet, WaitersBase
    from .messages_py import Messages
    from .traffic_py import Allowing, Standing, Timing, Traffic
