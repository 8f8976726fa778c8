from .link_py import LinkBase

__all__ = ["LinkBase"]
