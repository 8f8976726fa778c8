"""What was read and is not decoded yet, where messages can expand.

``Limits`` bounds each message, not how many of them a read brings. Where a peer can make them small on the wire, a read
is decoded in slices: the engine stops as soon as it has enough for one batch, and keeps the rest as it came.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from .._config import Limits
from .._errors import RemoteProtocolError
from .._events import Event, Fragment
from .._protocol.closing import Closing
from .._protocol.receiving import CloseFrame
from .._protocol.states import Phase
from .._speedups import FrameDecoder, Traffic, memory_of
from .work import Work

if TYPE_CHECKING:
    from .._pipeline.session import PipelineSession

__all__ = ["SLICE_SIZE", "Backlog", "Decoding", "Expanding"]

#: Bytes handed to the decoder at a time where transforms are in use. It ends a batch by itself, behind the message that
#: fills it; what it leaves is copied when its turn comes. Nobody tells a pipeline where to end (zstd makes 1 MiB of 30
#: bytes), so sealed messages are opened one by one; ``Limits.message_size`` bounds each.
SLICE_SIZE: Final = 32 * 1024


class Unread:
    """Bytes as they came. True as long as there are any."""

    __slots__ = ("_chunks", "_position", "_slice_size")

    def __init__(self, slice_size: int | None) -> None:
        self._slice_size = slice_size
        self._chunks: list[bytes] = []  # few, for there is no reading while it waits: an empty deque has 600 bytes
        self._position = 0  # in the first chunk

    def __bool__(self) -> bool:
        return bool(self._chunks)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return sum(map(len, self._chunks)) - self._position

    def put(self, data: bytes) -> None:
        """``data`` was read."""
        if data:
            self._chunks.append(data)

    def peek(self) -> bytes:
        """The next slice of what was read."""
        chunk, start = self._chunks[0], self._position
        return chunk[start:] if self._slice_size is None else chunk[start : start + self._slice_size]

    def skip(self, size: int) -> None:
        """So many bytes of that slice are dealt with."""
        self._position += size
        if self._position == len(self._chunks[0]):
            del self._chunks[0]
            self._position = 0

    def take(self) -> bytes:
        """The next slice, to be dealt with."""
        data = self.peek()
        self.skip(len(data))
        return data

    def take_all(self) -> Unread:
        """All of it, as another one."""
        taken = Unread(self._slice_size)
        taken._chunks, self._chunks = self._chunks, []
        taken._position, self._position = self._position, 0
        return taken

    def put_back(self, rest: Unread) -> None:
        """``rest`` is what was taken and has not been used: it goes ahead."""
        self._chunks = rest._chunks + self._chunks
        self._position = rest._position


class Backlog:
    """One connection's rest, from the oldest to the latest: what is being decoded elsewhere, or has been; sealed
    messages that were decoded and not opened, what ended the peer's frames behind them, bytes, and the end of the
    bytes. True as long as there is any of it.
    """

    __slots__ = ("batch_size", "conclusion", "decoded", "decoding", "has_ended", "sealed", "unread")

    def __init__(self, slice_size: int | None) -> None:
        #: What is being decoded elsewhere: nothing behind it can be dealt with until it is back.
        self.decoding: Decoding | None = None
        #: What is back, and was not dealt with yet.
        self.decoded: Decoding | None = None
        #: Bytes that were not decoded yet.
        self.unread = Unread(slice_size)
        #: Events whose messages the pipeline has not opened yet, the next one at the end.
        self.sealed: list[Event] = []
        #: What ended the peer's frames, behind those events.
        self.conclusion: CloseFrame | RemoteProtocolError | None = None
        #: Whether the transport brings no more bytes.
        self.has_ended = False
        #: Memory of the messages in the batch that is being made, in bytes.
        self.batch_size = 0

    def __bool__(self) -> bool:
        return bool(self.decoding or self.is_due)

    @property
    def is_due(self) -> bool:
        """Whether there is something to go on with."""
        if self.decoding is not None:
            return False
        return bool(self.unread or self.sealed or self.has_ended or self.decoded) or self.conclusion is not None

    def accept(self, decoding: Decoding) -> None:
        """``decoding`` is done: that comes next, and what it has left."""
        self.decoding, self.decoded = None, decoding
        self.unread.put_back(decoding.unread)


class Decoding(Work):
    """What was read of a large message, decoded until the message ends, or ``room`` bytes of memory have come of it.

    Until it is done, nobody else uses ``decoder``.
    """

    __slots__ = ("_decoder", "_room", "controls", "events", "unread")

    is_outgoing = False

    def __init__(self, decoder: FrameDecoder, unread: Unread, room: int) -> None:
        super().__init__()
        self._decoder = decoder
        self._room = room
        #: What is left of what was read.
        self.unread = unread
        #: What came of the rest, and how many legal control frames were in it.
        self.events: list[Event] = []
        self.controls = 0

    def _do(self) -> None:
        decoder, size = self._decoder, 0
        while self.unread and decoder.transformed_size and size < self._room:
            data = self.unread.peek()
            decoder.room = self._room - size
            events = decoder.decode(data)
            self.unread.skip(len(data) - decoder.undecoded)
            self.events += events
            self.controls += decoder.controls
            if decoder.control_allowance is not None:
                decoder.control_allowance -= decoder.controls
            size += memory_of_messages(events)


def memory_of_messages(events: Iterable[Event]) -> int:
    """Bytes of memory that the messages among ``events`` hold."""
    # A union would be made anew for every message.
    return sum([memory_of(event) for event in events if isinstance(event, (str, bytes, Fragment))])


class Expanding(Traffic, ABC):
    """The part of an engine that takes what was read in batches."""

    __slots__ = ("_closing", "_limits", "_pipeline")

    _limits: Limits
    _closing: Closing
    _pipeline: PipelineSession | None
    _backlog: Backlog | None

    @abstractmethod
    def _next_decoded(self, backlog: Backlog, room: int) -> list[Event]:
        """What comes of the next bytes, counted as long as it is open. ``room`` is left in the batch. Sealed messages,
        and what is behind them, have to wait instead.
        """

    @abstractmethod
    def _react(self, events: list[Event], end: CloseFrame | RemoteProtocolError | None) -> list[Event]:
        """Deal with ``events``, whose messages are open, and with what ended them, if it was reached."""

    @abstractmethod
    def _bytes_ended(self) -> list[Event]:
        """React to the end of the peer's bytes: everything before it is dealt with."""

    @property
    def _room_for_batch(self) -> int:
        """How much memory the messages of a batch may take before it ends."""
        inbox = self._inbox
        if inbox is None:
            return self._limits.inbox_size
        if inbox.has_room:
            return self._limits.inbox_size - inbox.size
        # The application has closed and does not listen: one batch after the other is dropped, see gather().
        return self._limits.inbox_size if self._closing.phase is Phase.CLOSE_SENT else 0

    def _batch_is_due(self) -> bool:
        backlog = self._backlog
        return backlog is not None and backlog.is_due and self._room_for_batch > 0

    def _expand(self, data: bytes) -> list[Event]:
        """The next batch of what waits, ``data`` now included."""
        assert self._backlog is not None, "without a backlog data is decoded at once"
        self._backlog.unread.put(data)
        return self._next_batch()

    def _next_batch(self) -> list[Event]:
        """Expand what waits, as far as there is room, and one slice or message beyond."""
        backlog = self._backlog
        if not backlog:
            return []
        events: list[Event] = []
        room = self._room_for_batch
        while backlog.is_due and backlog.batch_size < room and self._closing.may_receive:
            events += self._next_part(backlog, room - backlog.batch_size)
        backlog.batch_size = 0
        if not self._closing.may_receive:
            self._backlog = None
        return events

    def _last_batch(self) -> list[Event]:
        """The transport is gone, and with it the time to wait: what there is no room for is dropped."""
        events = self._next_batch()
        self._backlog = None
        return events

    def _next_part(self, backlog: Backlog, room: int) -> list[Event]:
        if backlog.sealed:
            opened = self._opened(backlog.sealed.pop())
            backlog.batch_size += memory_of_messages(opened)
            return opened
        if backlog.conclusion is not None:
            return self._react([], backlog.conclusion)
        if backlog.unread or backlog.decoded is not None:
            return self._next_decoded(backlog, room)
        return self._bytes_ended()

    def _keep_sealed(
        self, events: Iterable[Event], end: CloseFrame | RemoteProtocolError | None, *, in_message: bool
    ) -> list[Event]:
        """Let ``events`` wait until they are opened, and their end behind them."""
        assert self._backlog is not None, "where there is a pipeline there is a backlog"
        self._backlog.sealed = [*events][::-1]
        self._backlog.conclusion = end
        if in_message:
            self._last_activity = self._now
        return []

    def _opened(self, event: Event) -> list[Event]:
        """``event`` with its seal opened, if it is a message."""
        if not isinstance(event, str | bytes):
            return self._react([event], None)
        assert self._pipeline is not None, "without a pipeline nothing is sealed"
        try:
            message = self._pipeline.open(event)
        except RemoteProtocolError as offence:
            # A new one: what was raised holds this call's frames, and so the message.
            return self._react([], RemoteProtocolError(offence.violation, offence.detail))
        return self._react([message], None)
