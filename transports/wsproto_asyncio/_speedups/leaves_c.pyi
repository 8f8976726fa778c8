from .leaves_py import LARGE, receive, send

__all__ = ["LARGE", "receive", "send"]
