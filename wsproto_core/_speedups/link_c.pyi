from .link_py import Delivery, Gathering, LinkBase

__all__ = ["Delivery", "Gathering", "LinkBase"]
