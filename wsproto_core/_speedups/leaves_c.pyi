from .leaves_py import (
    MessageBuffer,
    apply_mask,
    complete_utf8,
    encode_frame,
    encode_header,
    unmask,
    unmask_text,
)

__all__ = ["MessageBuffer", "apply_mask", "complete_utf8", "encode_frame", "encode_header", "unmask", "unmask_text"]
