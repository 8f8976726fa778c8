"""Received datagrams that wait for the application: a bounded queue, and a policy for what it has no room for."""

from __future__ import annotations

from collections.abc import Iterable

from .._driver.messages import Inbox
from .._types import Message
from .packet import Drop

__all__ = ["WaitingMessages"]


class WaitingMessages:
    """At most ``size`` bytes of memory in messages, objects included; one message always has room."""

    __slots__ = ("_drop", "_inbox", "_size", "dropped")

    def __init__(self, size: int, drop: Drop) -> None:
        self._inbox = Inbox(size)
        self._size = size
        self._drop = drop
        #: Messages given up.
        self.dropped = 0

    def put(self, messages: Iterable[Message]) -> None:
        """Take ``messages`` in, as far as there is room or the policy makes some."""
        for message in messages:
            if self._drop is Drop.NEWEST and self._inbox.size >= self._size:
                self.dropped += 1
                continue
            self._inbox.put((message,))
            while self._inbox.size > self._size and self._drop is Drop.OLDEST and len(self._inbox) > 1:
                self._inbox.take()
                self.dropped += 1

    def take(self) -> Message | None:
        """The oldest message, or ``None``."""
        item = self._inbox.take()
        assert item is None or isinstance(item, str | bytes), "only messages were put"
        return item
