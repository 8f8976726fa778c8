"""What waits to be sent, and how fast control frames may come.

The :class:`Outbox` gives out bytes in batches. Control frames overtake whatever has not left. Messages become frames
only as far as one batch reaches, and large ones leave as fragments, so that nothing urgent waits long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from .._protocol.sending import FIN, Outgoing, PreparedMessage, Sender, encoded
from .._speedups import Allowing, FrameQueue
from .._types import Opcode
from .work import Work

if TYPE_CHECKING:
    from .._extensions.base import MessageTransform

__all__ = ["ControlRate", "Encoding", "Outbox"]

_CLOSE: Final = Opcode.CLOSE
_LAST_CLOSE: Final = FIN | _CLOSE

#: A batch ends when it has this many bytes: what leaves later can still be overtaken.
_BATCH_SIZE: Final = 256 * 1024


class Outbox:
    """The queue of one connection, in bytes."""

    __slots__ = (
        "_fragment_size",
        "_high",
        "_inline_size",
        "_owed_pong",
        "_sender",
        "_takes_messages",
        "_waiting",
        "_waiting_size",
        "_work_size",
        "encoding",
        "frames",
    )

    def __init__(self, high: int, fragment_size: int) -> None:
        self._high = high
        self._fragment_size = fragment_size
        #: What is ready to leave. A message that it takes need not come here: :meth:`FrameQueue.put_message`.
        self.frames = FrameQueue(max_size=min(high, _BATCH_SIZE), max_payload=fragment_size)
        self._sender: Sender | None = None
        self._takes_messages = False
        # Messages, and parts of them, whose frames are not made yet. Most connections never need a queue, and one that
        # is empty takes more memory than all that is here.
        self._waiting: deque[Outgoing] | None = None
        self._waiting_size = 0
        # Messages of so many bytes are encoded elsewhere: ``encoding``, while the first of those that wait is.
        self._work_size: int | None = None
        self._inline_size = fragment_size
        self.encoding: Encoding | None = None
        # While the peer does not read, only its latest ping is answered (RFC 6455 §5.5.3).
        self._owed_pong: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes that have not been taken yet."""
        return self.frames.size + self._waiting_size

    @property
    def has_room(self) -> bool:
        return self.frames.size + self._waiting_size < self._high

    def __bool__(self) -> bool:
        return self.frames.size > 0 or bool(self._waiting)

    def open(self, sender: Sender, *, takes_messages: bool) -> None:
        """Messages can be sent from now on; what is queued already, the handshake's end, stays ahead of them.

        ``takes_messages``: whether they are sent as they are, unless ``sender`` does something to them.
        """
        self._sender = sender
        self._takes_messages = takes_messages
        self.frames.keep_ahead()
        self.frames.is_direct = takes_messages and sender.is_direct  # nothing waits yet
        if sender.transforms:
            self._judge_inline_size()

    def offload(self, work_size: int) -> None:
        """Let messages that extensions transform be encoded elsewhere, from ``work_size`` bytes on."""
        self._work_size = work_size
        if self._sender is not None:
            self._judge_inline_size()

    @property
    def sender(self) -> Sender:
        assert self._sender is not None, "frames are sent only once the connection is open"
        return self._sender

    # --- in -----------------------------------------------------------------------------------------------------------

    def put_bytes(self, data: bytes) -> None:
        """Queue ``data`` as it is, behind what is ready."""
        self.frames.put_bytes(data)

    def put_message(self, opcode: Opcode, payload: bytes | memoryview, compress: bool | None, urgent: bool) -> None:
        """Make a frame of a message, or let it wait for its turn where it is large or much is ready already."""
        if not self._takes_frames or len(payload) > self._inline_size:
            self._enqueue(Outgoing(opcode, payload, compress, urgent=urgent))
        else:
            self.sender.message(opcode, payload, compress)

    def put_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that was encoded once for many, as it is where that is possible."""
        frame = self.sender.prepared(message) if self._takes_frames else None
        if frame is None:
            self.put_message(message.opcode, message.payload, None, urgent=False)
        else:
            self.frames.put_bytes(frame)

    def put_part(self, opcode: Opcode, payload: bytes | memoryview, final: bool, compress: bool | None) -> None:
        """Queue a part of a message that the application sends in parts."""
        self._enqueue(self.sender.part(opcode, payload, final, compress))

    def put_control(self, opcode: Opcode, payload: bytes) -> None:
        """Queue a ping or a pong, ahead of every message: the ready ones are whole frames (RFC 6455 §5.4)."""
        self.frames.put_ahead(FIN | opcode, payload)

    def put_pong(self, payload: bytes) -> bool:
        """Answer a ping, now or, without room, with the next batch; return whether that is one more pong."""
        if self.has_room:
            self.put_control(Opcode.PONG, payload)
            return True
        replaces, self._owed_pong = self._owed_pong is not None, payload
        self.frames.is_direct = False
        return not replaces

    def put_close(self, payload: bytes) -> None:
        """Queue the close frame behind everything else; a pong that is owed goes ahead."""
        if self._waiting:
            self._enqueue(Outgoing(Opcode.CLOSE, payload))
        else:
            self._put_close_frame(payload)

    def discard(self) -> None:
        """Drop everything: nobody will take it."""
        self.frames.discard()
        self._waiting = None
        self._waiting_size = 0
        self._owed_pong = None
        self.encoding = None

    @property
    def _takes_frames(self) -> bool:
        """Whether a message may become a frame at once. No other message can overtake a frame, because its place in the
        compressor's history is fixed.
        """
        return not self._waiting and self.frames.size < _BATCH_SIZE

    def _enqueue(self, item: Outgoing) -> None:
        self._waiting_size += len(item.payload)
        if self._waiting is None:
            self._waiting = deque()
        if item.urgent:
            self._waiting.insert(_first_gap(self._waiting), item)
        else:
            self._waiting.append(item)
        self.frames.is_direct = False

    def _judge_directness(self) -> None:
        """A message goes the short way where nothing waits ahead of it, and nothing is to be done to it. So does a
        batch: it is what is ready.
        """
        self.frames.is_direct = self._takes_messages and not self._waiting and self.sender.is_direct

    def _judge_inline_size(self) -> None:
        """Larger messages wait: until a batch has room for their frames, or they have been encoded."""
        if self._work_size is not None and self.sender.transforms:
            self._inline_size = min(self._fragment_size, self._work_size - 1)

    # --- out ----------------------------------------------------------------------------------------------------------

    def take(self) -> list[bytes | memoryview]:
        """The next batch, as buffers for one vectored write; empty when there is nothing to send."""
        if self._owed_pong is not None:
            payload, self._owed_pong = self._owed_pong, None
            self.put_control(Opcode.PONG, payload)
            self._judge_directness()
        if self._waiting:
            self._fill()
        return self.frames.take()

    def _fill(self) -> None:
        """Make frames of what waits, until the batch is large enough."""
        while self._waiting and self.frames.size < _BATCH_SIZE and self.encoding is None:
            item = self._waiting[0]
            before = item.offset
            self._make_frame(item)
            if self.encoding is None:
                self._count_out(item, item.offset - before)
        self._judge_directness()

    def _make_frame(self, item: Outgoing) -> None:
        size = len(item.payload)
        if item.opcode is _CLOSE:
            item.offset = size
            self._put_close_frame(item.payload)
        elif size <= self._inline_size and item.begins and item.ends:
            item.offset = size
            self.sender.message(item.opcode, item.payload, item.compress)
        elif transforms := self._transforms_elsewhere(item):
            self.encoding = Encoding(transforms, item, self._fragment_size, self._work_size or 0)
        else:
            self.sender.next_frame(item, self._fragment_size)

    def _transforms_elsewhere(self, item: Outgoing) -> Sequence[MessageTransform]:
        """What is to be done to the rest of ``item``, if somebody else is to do it."""
        if self._work_size is None or len(item.payload) - item.offset < self._work_size:
            return ()
        return self.sender.transforms_of(item)

    def take_encoded(self, encoding: Encoding) -> None:
        """Make frames of what has been encoded."""
        assert self._waiting, "it is the first of them"
        self.encoding = None
        for payload, final in encoding.payloads:
            self.sender.put_encoded(payload, final)
        self._count_out(self._waiting[0], encoding.size)

    def _count_out(self, item: Outgoing, size: int) -> None:
        """``size`` more bytes of ``item``, the first of those that wait, have become frames."""
        assert self._waiting, "it is one of them"
        self._waiting_size -= size
        if item.offset == len(item.payload):
            self._waiting.popleft()
        if not self._waiting:
            self._waiting = None

    def _put_close_frame(self, payload: bytes | memoryview) -> None:
        self.frames.put_frame(_LAST_CLOSE, payload, 0, len(payload))


def _first_gap(waiting: Iterable[Outgoing]) -> int:
    """Where an urgent message may cut in: before the first ordinary one that has not begun to leave."""
    index = 0
    for item in waiting:
        if item.begins and item.offset == 0 and not item.urgent:
            return index
        index += 1
    return index


class Encoding(Work):
    """The next frames of a large message: as many as make up ``least_size`` bytes of it, and usually one."""

    __slots__ = ("_pieces", "_transforms", "payloads", "size")

    is_outgoing = True

    def __init__(
        self, transforms: Sequence[MessageTransform], item: Outgoing, fragment_size: int, least_size: int
    ) -> None:
        super().__init__()
        start = item.offset
        view = memoryview(item.payload)
        self._transforms = transforms
        self._pieces: list[tuple[memoryview, bool]] = []
        while item.offset < min(start + least_size, len(view)):
            before, final = item.offset, item.advance(fragment_size)
            self._pieces.append((view[before : item.offset], final))
        #: How many bytes of the message it takes.
        self.size = item.offset - start
        #: What is in the frames, and whether the message ends there.
        self.payloads: list[tuple[bytes, bool]] = []

    def _do(self) -> None:
        self.payloads = [(encoded(self._transforms, data, final), final) for data, final in self._pieces]


class ControlRate(Allowing):
    """A token bucket: ``rate`` control frames a second, with bursts of as many; ``None`` for no limit."""

    __slots__ = ("_checked_at", "_rate", "_tokens")

    def __init__(self, rate: int | None, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate or 0)
        self._checked_at = now
        self.is_spent = False

    def allowance(self, now: float) -> int | None:
        """How many may come at ``now``."""
        if self._rate is None:
            return None
        self._tokens = min(self._rate, self._tokens + self._rate * (now - self._checked_at))
        self._checked_at = now
        self.is_spent = self._tokens < self._rate
        return int(self._tokens)

    def spend(self, count: int, now: float) -> None:
        """``count`` of the allowance have come, at ``now``."""
        if count and self._rate is not None:
            self._tokens = min(self._rate, self._tokens + self._rate * (now - self._checked_at)) - count
            self._checked_at = now
            self.is_spent = True
