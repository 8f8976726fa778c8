"""Messages that wait for somebody, in a bounded queue, and a policy for what it has no room for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from sys import getsizeof

from .._types import Drop, Message

__all__ = ["WaitingMessages"]


class WaitingMessages:
    """At most ``size`` bytes of memory in messages, objects included, and at most ``max_messages`` of them, if that is
    not ``None``; one message always has room.
    """

    __slots__ = ("_drop", "_max_messages", "_messages", "_size", "_used", "dropped")

    def __init__(self, size: int, drop: Drop, max_messages: int | None = None) -> None:
        self._messages: deque[Message] = deque()
        self._size = size
        self._used = 0
        self._max_messages = max_messages
        self._drop = drop
        #: How many messages were given up.
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What waits, the oldest first."""
        return tuple(self._messages)

    def put(self, messages: Iterable[Message]) -> list[Message]:
        """Take ``messages`` in, as far as there is room or the policy makes some; return those given up."""
        given_up: list[Message] = []
        for message in messages:
            while self._messages and not self._has_room_for(message):
                if self._drop is Drop.NEWEST:
                    given_up.append(message)
                    break
                given_up.append(self._popleft())
            else:
                self._messages.append(message)
                self._used += getsizeof(message)
        self.dropped += len(given_up)
        return given_up

    def put_back(self, message: Message) -> None:
        """Let the message that was taken last be the next one again, whether there is room or not."""
        self._messages.appendleft(message)
        self._used += getsizeof(message)

    def take(self) -> Message | None:
        """The oldest message, or ``None``."""
        return self._popleft() if self._messages else None

    def _has_room_for(self, message: Message) -> bool:
        if self._max_messages is not None and len(self._messages) >= self._max_messages:
            return False
        return self._used + getsizeof(message) <= self._size

    def _popleft(self) -> Message:
        message = self._messages.popleft()
        self._used -= getsizeof(message)
        return message
