from .frames_py import FrameQueue

__all__ = ["FrameQueue"]
