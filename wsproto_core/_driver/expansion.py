"""What was read and is not decoded yet, where messages can expand.

``Limits`` bounds each message, not how many of them a read brings. Where a peer can make them small on the wire, a read
is decoded in slices: the engine stops as soon as it has enough for one batch, and keeps the rest as it came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from .._errors import RemoteProtocolError
from .._events import Event, Fragment
from .._protocol.receiving import CloseFrame
from .._speedups import memory_of

__all__ = ["SLICE_SIZE", "Backlog"]

#: Bytes decoded at a time where transforms are in use. DEFLATE makes 1032 bytes of one at the most, so that a slice
#: yields 2 MiB; it is the only transform that the library has. Smaller slices cost time: where large messages are
#: inflated, 15 % with 2 KiB and 50 % with 1 KiB. What a pipeline opens has no such ratio (zstd makes 1 MiB of 30
#: bytes), so sealed messages are opened one by one instead; ``Limits.message_size`` bounds each.
SLICE_SIZE: Final = 2048


class Backlog:
    """One connection's rest, from the oldest to the latest: sealed messages that were decoded and not opened, what
    ended the peer's frames behind them, bytes, and the end of the bytes. True as long as there is any of it.
    """

    __slots__ = ("_chunks", "_position", "_slice_size", "batch_size", "conclusion", "has_ended", "sealed")

    def __init__(self, slice_size: int | None) -> None:
        self._slice_size = slice_size
        self._chunks: list[bytes] = []  # hardly ever more than one: nothing is read as long as there is any
        self._position = 0  # in the first chunk
        #: Events whose messages the pipeline has not opened yet, if there are any.
        self.sealed: deque[Event] | None = None
        #: What ended the peer's frames, behind those events.
        self.conclusion: CloseFrame | RemoteProtocolError | None = None
        #: Whether the transport brings no more bytes.
        self.has_ended = False
        #: Memory of the messages in the batch that is being made, in bytes.
        self.batch_size = 0

    def __bool__(self) -> bool:
        return bool(self._chunks or self.sealed or self.has_ended) or self.conclusion is not None

    @property
    def has_bytes(self) -> bool:
        return bool(self._chunks)

    def put(self, data: bytes) -> None:
        """``data`` was read."""
        if data:
            self._chunks.append(data)

    def keep_sealed(self, events: Iterable[Event]) -> None:
        """``events`` have come, and those before them are opened."""
        self.sealed = deque(events)

    def take(self) -> bytes:
        """The next slice of what was read."""
        chunk, start = self._chunks[0], self._position
        stop = len(chunk) if self._slice_size is None else start + self._slice_size
        if stop < len(chunk):
            self._position = stop
        else:
            self._chunks.pop(0)
            self._position = 0
        return chunk[start:stop]

    def count(self, events: Iterable[Event]) -> None:
        """``events`` belong to the batch."""
        for event in events:
            if isinstance(event, str | bytes | Fragment):
                self.batch_size += memory_of(event)
