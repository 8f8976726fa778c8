"""What callers hand over, held to its type. The error names the argument."""

from __future__ import annotations

from types import UnionType

from .._types import Buffer

__all__ = ["as_bytes", "check_handler", "check_type"]


def as_bytes(name: str, data: Buffer) -> bytes:
    """``data`` as it is now. Raises :exc:`TypeError`, naming the argument: ``bytes(5)`` would be five zeros."""
    check_type(name, data, Buffer)
    return bytes(data)


def check_type(name: str, value: object, expected: type | UnionType) -> None:
    """Raise :exc:`TypeError`, naming the argument, unless ``value`` is an instance of ``expected``."""
    if not isinstance(value, expected):
        raise TypeError(f"{name} must be {getattr(expected, '__name__', expected)}, not {type(value).__name__}")


def check_handler(handler: object) -> None:
    """Raise :exc:`TypeError`, naming it, unless ``handler`` can be called with each connection of a server. A class
    would make an object of it, and wait for nothing. For authors of adapters.
    """
    if isinstance(handler, type) or not callable(handler):
        raise TypeError(f"handler must be a coroutine function, not {handler!r}")
