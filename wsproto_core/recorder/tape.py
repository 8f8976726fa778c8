"""The ring of one engine's latest calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from typing import Final

from .._types import Role
from .entries import Entry, Value
from .inbound import Inbound

__all__ = ["Tape"]

#: Bytes that an entry counts for, beside those that it holds, and each word of what came of it.
_ENTRY_SIZE: Final = 300
_WORD_SIZE: Final = 60
#: Of what came of a call, so much is kept.
_MAX_WORDS: Final = 100


class Tape:
    """Keeps so many entries, and so many bytes of them, at most. It knows where in the peer's bytes the first is."""

    def __init__(self, role: Role, *, has_head: bool, max_entries: int, size: int) -> None:
        #: The oldest first.
        self.entries: deque[Entry] = deque()
        #: How many were dropped.
        self.dropped: int = 0
        self._max_entries = max_entries
        self._max_size = size
        self._size = 0
        self._inbound = Inbound(role, has_head=has_head)

    def put(self, do: str, at: float | None, arguments: tuple[Value, ...] = ()) -> Entry:
        """Keep one more, and give up the oldest ones for it."""
        entry = Entry(do, at, arguments)
        self.entries.append(entry)
        self._size += _size_of(entry)
        while len(self.entries) > self._max_entries or self._size > self._max_size:
            self._drop()
        return entry

    def tell(self, entry: Entry, words: Iterator[str]) -> None:
        """Note what came of the latest entry: the beginning of it, if that is much."""
        told = tuple(islice(words, _MAX_WORDS))
        entry.told = told if next(words, None) is None else (*told, "and more")
        if self.entries and self.entries[-1] is entry:  # it may be larger than all the room there is
            self._size += _WORD_SIZE * len(entry.told)

    def take(self) -> None:
        """A message was taken from the inbox, or asked for in vain: many such calls are one entry."""
        if self.entries and self.entries[-1].do == "take":
            (count,) = self.entries[-1].arguments
            assert isinstance(count, int), "it is counted"
            self.entries[-1].arguments = (count + 1,)
        else:
            self.put("take", None, (1,))

    def inbound(self) -> Inbound:
        """Where the first entry begins in the peer's bytes, as a copy."""
        return deepcopy(self._inbound)

    def _drop(self) -> None:
        entry = self.entries.popleft()
        self.dropped += 1
        self._size -= _size_of(entry)
        if entry.do == "receive_data":
            (data,) = entry.arguments
            assert isinstance(data, bytes), "it is what was received"
            self._inbound.feed(data)


def _size_of(entry: Entry) -> int:
    """What it counts for: about what its object costs, what came of it, and whatever bytes it holds."""
    size = _ENTRY_SIZE + _WORD_SIZE * len(entry.told)
    for argument in entry.arguments:
        if isinstance(argument, (str, bytes)):  # a union would be made anew for every call
            size += len(argument)
    return size
