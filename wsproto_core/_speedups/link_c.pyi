from .link_py import Delivery, LinkBase

__all__ = ["Delivery", "LinkBase"]
