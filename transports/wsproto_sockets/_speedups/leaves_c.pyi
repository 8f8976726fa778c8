from .leaves_py import Entrance, Guarded, Lock, send

__all__ = ["Entrance", "Guarded", "Lock", "send"]
