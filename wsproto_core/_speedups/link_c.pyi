from .link_py import Delivery, Gathering, Intake, LinkBase, Outlet

__all__ = ["Delivery", "Gathering", "Intake", "LinkBase", "Outlet"]
