"""Which counters a receiver takes (``envelope``, section 3). Only those of authentic messages are asked about."""

from __future__ import annotations

from typing import Final

from .._errors import RemoteProtocolError
from .._violations import Violation

__all__ = ["InOrder", "Window"]

_WINDOW: Final = 1024
_MASK: Final = (1 << _WINDOW) - 1


class InOrder:
    """Takes 0, 1, 2 and so on, for transports that keep the order and lose nothing."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0

    def take(self, counter: int) -> None:
        """Raises :exc:`RemoteProtocolError` (``REPLAYED_MESSAGE``) unless ``counter`` is the next one."""
        if counter != self._next:
            raise RemoteProtocolError(Violation.REPLAYED_MESSAGE, f"message {counter} where {self._next} follows")
        self._next += 1


class Window:
    """Takes each counter once, unless it is older than the latest 1024, for transports that lose and reorder."""

    __slots__ = ("_highest", "_seen")

    def __init__(self) -> None:
        self._highest = -1
        # Bit ``n`` is set if ``_highest - n`` has come.
        self._seen = 0

    def take(self, counter: int) -> None:
        """Raises :exc:`RemoteProtocolError` (``REPLAYED_MESSAGE``) for a counter that has come, or comes too late."""
        ahead = counter - self._highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, _WINDOW) | 1) & _MASK
            self._highest = counter
        elif -ahead >= _WINDOW or self._seen >> -ahead & 1:
            raise RemoteProtocolError(Violation.REPLAYED_MESSAGE, f"message {counter} has come, or comes too late")
        else:
            self._seen |= 1 << -ahead
