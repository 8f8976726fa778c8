from .leaves_py import (
    FrameBuffer,
    MessageBuffer,
    apply_mask,
    complete_utf8,
    memory_of,
    ordinary_head,
    unmask,
    unmask_text,
    utf8_of,
)

__all__ = [
    "FrameBuffer",
    "MessageBuffer",
    "apply_mask",
    "complete_utf8",
    "memory_of",
    "ordinary_head",
    "unmask",
    "unmask_text",
    "utf8_of",
]
