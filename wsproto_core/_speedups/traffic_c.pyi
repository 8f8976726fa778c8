from .traffic_py import Standing, Traffic

__all__ = ["Standing", "Traffic"]
