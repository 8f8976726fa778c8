"""One line of a simulation's story."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Step"]


class Step(NamedTuple):
    """One move that was made."""

    #: When, in seconds of the clock.
    at: float
    #: ``client`` or ``server``.
    who: str
    #: What it did, and with what.
    what: str
    detail: Any = None

    def __str__(self) -> str:
        told = "" if self.detail is None else f" {self.detail!r}"
        return f"{self.at:.3f} {self.who} {self.what}{told if len(told) < 60 else told[:57] + '...'}"
