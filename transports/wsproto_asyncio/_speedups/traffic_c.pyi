from .traffic_py import SocketTraffic

__all__ = ["SocketTraffic"]
