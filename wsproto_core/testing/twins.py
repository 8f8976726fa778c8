"""The implementations of the frame loop, side by side in one process."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .._speedups import FrameDecoder, codec_py

__all__ = ["frame_decoders"]


def frame_decoders() -> Mapping[str, type[FrameDecoder]]:
    """The frame loop by the name of its twin: ``python``, and ``compiled`` where that has been built.

    A decoder is made with ``masked`` (whether its peer masks), ``receive``, ``limits`` and ``transforms``; then
    ``decode(data)`` returns events. Connections use one of them; tests compare them.
    """
    found: dict[str, type[FrameDecoder]] = {"python": codec_py.FrameDecoder}
    try:
        from .._speedups import codec_c
    except ImportError:
        return MappingProxyType(found)
    return MappingProxyType({**found, "compiled": codec_c.FrameDecoder})
