"""Frames as objects, for tools that look at or make single frames, right or wrong.

``bytes(Frame(...))`` is the frame on the wire; :func:`parse_frames` reads frames back, and
:func:`describe_header` tells of one. None of them judges: a connection does.
"""

from ._types import Opcode
from ._wire.frames import Frame, describe_header, parse_frames

__all__ = ["Frame", "Opcode", "describe_header", "parse_frames"]
