"""The hot code: the frame loop (``codec_py``) and its leaves (``leaves_py``).

Everything above imports the names below from this package, never from the modules inside, so that a compiled twin
can take their place without anybody noticing.
"""

from .codec_py import FrameDecoder
from .leaves_py import apply_mask, complete_utf8, encode_frame, encode_header, unmask

__all__ = ["FrameDecoder", "apply_mask", "complete_utf8", "encode_frame", "encode_header", "unmask"]
