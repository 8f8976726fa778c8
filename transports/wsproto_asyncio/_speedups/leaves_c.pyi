from .leaves_py import LARGE, accept, receive, send

__all__ = ["LARGE", "accept", "receive", "send"]
