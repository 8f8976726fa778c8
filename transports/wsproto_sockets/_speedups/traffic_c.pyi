from .traffic_py import LinkTraffic

__all__ = ["LinkTraffic"]
