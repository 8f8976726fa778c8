"""The hot code: the frame loop and its leaves, where the time is spent.

There are two of each, and they do the same. ``codec_py`` and ``leaves_py`` are Python. ``codec_c`` is ``codec_py``,
compiled, and ``leaves_c`` is native: these are used where they have been built, unless the environment says
``WSPROTO_CORE_PUREPYTHON=1``. Everything above imports from this package, never from the modules inside.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Final

__all__ = ["IS_COMPILED", "FrameDecoder", "apply_mask", "complete_utf8", "encode_frame", "encode_header"]

#: Which of the two is in use.
IS_COMPILED: Final = os.environ.get("WSPROTO_CORE_PUREPYTHON") != "1" and find_spec(f"{__name__}.codec_c") is not None

if IS_COMPILED:
    from .codec_c import FrameDecoder
    from .leaves_c import apply_mask, complete_utf8, encode_frame, encode_header
else:
    from .codec_py import FrameDecoder
    from .leaves_py import apply_mask, complete_utf8, encode_frame, encode_header
