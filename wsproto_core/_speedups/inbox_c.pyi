from .inbox_py import Inbox

__all__ = ["Inbox"]
