"""The latest messages of one room, for those who come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from sys import getsizeof
from typing import Final

from .._types import Message
from .limits import HubLimits, exceeds

__all__ = ["History", "Kept"]

#: Bytes that a message costs besides itself.
_OVERHEAD: Final = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that was published."""

    offset: int
    sender: str
    message: Message


class History:
    """Counts the messages from 1 on, and keeps those at the end within the limits."""

    __slots__ = ("_kept", "_limits", "_size", "offset")

    def __init__(self, limits: HubLimits) -> None:
        self._limits = limits
        self._kept: deque[Kept] = deque()
        self._size = 0
        #: That of the latest message; 0 before the first.
        self.offset: int = 0

    def append(self, sender: str, message: Message) -> int:
        """Keep ``message``; return its offset. Older ones make way, and at last itself."""
        self.offset += 1
        self._kept.append(Kept(self.offset, sender, message))
        self._size += _cost(message)
        while exceeds(len(self._kept), self._limits.max_history) or exceeds(self._size, self._limits.history_size):
            self._size -= _cost(self._kept.popleft().message)
        return self.offset

    def since(self, offset: int) -> Sequence[Kept] | None:
        """What came behind ``offset``, in order; ``None`` if not all of it is there."""
        missed = self.offset - offset
        if not 0 <= missed <= len(self._kept):
            return None
        return tuple(islice(self._kept, len(self._kept) - missed, None))


def _cost(message: Message) -> int:
    return getsizeof(message) + _OVERHEAD
