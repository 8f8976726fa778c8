from .traffic_py import Allowing, Standing, Timing, Traffic

__all__ = ["Allowing", "Standing", "Timing", "Traffic"]
