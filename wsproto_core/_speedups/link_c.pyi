from .link_py import Delivery, Gathering, Intake, LinkBase, Outlet, WaitersBase

__all__ = ["Delivery", "Gathering", "Intake", "LinkBase", "Outlet", "WaitersBase"]
