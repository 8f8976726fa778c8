"""The exception of all oracles."""

from __future__ import annotations

__all__ = ["Disagreement"]


class Disagreement(AssertionError):
    """Two that should say the same do not."""
