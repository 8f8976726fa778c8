from .leaves_py import Guarded, Lock, send

__all__ = ["Guarded", "Lock", "send"]
