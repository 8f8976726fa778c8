from .waiting_py import Pause, Waiting

__all__ = ["Pause", "Waiting"]
