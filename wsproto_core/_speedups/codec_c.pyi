from .codec_py import FrameDecoder

__all__ = ["FrameDecoder"]
