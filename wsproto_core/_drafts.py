"""Frozen objects that every connection needs, made in a fraction of their constructor's time.

What lives here: one way to fill the slots of an instance before it is frozen. What must not: the classes themselves.
"""

from __future__ import annotations

from typing import Any

__all__ = ["draft_of"]


def draft_of(frozen: type) -> Any:
    """A class with the slots of ``frozen``, a dataclass, whose instances can be written. One that has every slot filled
    becomes the real thing by ``draft.__class__ = frozen``.

    The constructor of a frozen dataclass goes through ``object.__setattr__`` for each field, at seven times the cost.
    """
    return type(f"{frozen.__name__}Draft", (), {"__slots__": frozen.__slots__})  # type: ignore[attr-defined]  # has slots
