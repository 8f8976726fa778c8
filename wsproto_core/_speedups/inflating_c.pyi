from .inflating_py import Inflating

__all__ = ["Inflating"]
