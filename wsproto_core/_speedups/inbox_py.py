"""The inbox of pull-style users: received messages wait here until the application asks.

It counts memory, not messages, and tells when reading has to stop: above its high mark, until it has come down to half.

This file runs in Python and, compiled with the C types of ``inbox_c.pxd``, as ``inbox_c``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .._events import Event, Fragment
from .._types import Message
from .leaves_py import memory_of

__all__ = ["Inbox"]

#: So many places that have become free are not worth moving the others for.
_FREE_PLACES: Final = 64


class Inbox:
    """Messages and fragments in the order received, bounded by ``Limits.inbox_size``."""

    __slots__ = ("_high", "_items", "_low", "_next", "has_room", "is_answering", "is_sealed", "size")

    def __init__(self, high: int) -> None:
        # A list, because an empty deque takes 760 bytes; and which is the next, because it is taken from in front.
        self._items: list[Message | Fragment | None] = []
        self._next = 0
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
        return len(self._items) - self._next

    def gather(self, events: Sequence[Event]) -> list[Event]:
        """Take in the messages of a batch; return the other events."""
        others: list[Event] = []
        for event in events:
            if not (isinstance(event, (str, bytes)) or isinstance(event, Fragment)):  # noqa: SIM101  # looked up only then
                others.append(event)
            elif not self.is_sealed:
                self._items.append(event)
                self.size += memory_of(event)
        self.has_room = self.size < self._high if self.has_room else self.size <= self._low
        return others

    def at_hand(self) -> Message | Fragment | None:
        """The oldest item, if there is one and taking it changes nothing but that; else ``None``."""
        if not self._items:
            self.is_answering = False
            return None
        return self._pop() if self.has_room else None

    def take(self) -> Message | Fragment | None:
        """The oldest item, or ``None``: the application has asked for more than there is."""
        if not self._items:
            self.is_answering = False
            return None
        item = self._pop()
        if not self.has_room:
            self.has_room = self.size <= self._low
        return item

    def _pop(self) -> Message | Fragment:
        items, at = self._items, self._next
        item = items[at]
        assert item is not None, "it waits"
        at += 1
        if at == len(items):
            items.clear()
            at = 0
        elif at >= _FREE_PLACES and 2 * at >= len(items):
            del items[:at]
            at = 0
        else:
            items[at - 1] = None
        self._next = at
        self.size -= memory_of(item)
        self.is_answering = True
        return item
