"""The inbox of pull-style users: received messages wait here until the application asks.

It counts memory, not messages, and tells when reading has to stop: above its high mark, until it has come down to half.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from sys import getsizeof

from .._events import Fragment
from .._types import Message

__all__ = ["Inbox", "memory_of"]


class Inbox:
    """Messages and fragments in the order received, bounded by ``Limits.inbox_size``."""

    __slots__ = ("_high", "_items", "_low", "has_room", "is_answering", "is_sealed", "size")

    def __init__(self, high: int) -> None:
        self._items: deque[Message | Fragment] = deque()
        self._high = high
        self._low = high // 2
        #: Memory held by what waits, in bytes, objects included.
        self.size = 0
        #: Whether more should be received.
        self.has_room = True
        #: Whether the application holds a message that it may still answer: it took one and has not asked again.
        self.is_answering = False
        #: Whether nothing more is taken in: once a message was dropped, none may follow it.
        self.is_sealed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, items: Iterable[Message | Fragment]) -> None:
        if self.is_sealed:
            return
        for item in items:
            self._items.append(item)
            self.size += memory_of(item)
        self.has_room = self.size < self._high if self.has_room else self.size <= self._low

    def take(self) -> Message | Fragment | None:
        """The oldest item, or ``None``: the application has asked for more than there is."""
        if not self._items:
            self.is_answering = False
            return None
        item = self._items.popleft()
        self.size -= memory_of(item)
        if not self.has_room:
            self.has_room = self.size <= self._low
        self.is_answering = True
        return item


def memory_of(item: Message | Fragment) -> int:
    """What ``item`` costs: many tiny messages are as dangerous as a few large ones, so objects count in full."""
    return getsizeof(item.data) + getsizeof(item) if isinstance(item, Fragment) else getsizeof(item)
