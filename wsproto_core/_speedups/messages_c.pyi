from .messages_py import Messages

__all__ = ["Messages"]
