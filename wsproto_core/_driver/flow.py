"""What waits to be sent, and how fast control frames may come.

The :class:`Outbox` gives out bytes in batches. Control frames overtake whatever has not left. Messages become frames
only as far as one batch reaches, and large ones leave as fragments, so that nothing urgent waits long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

from .._protocol.sending import Outgoing, PreparedMessage, Sender
from .._types import Opcode

__all__ = ["ControlRate", "Outbox"]

#: A batch ends when it has this many bytes: what leaves later can still be overtaken.
_BATCH_SIZE: Final = 256 * 1024
#: Buffers up to this size are joined into one; larger ones are handed over as they are, for a vectored write.
_JOIN_SIZE: Final = 64 * 1024


class Outbox:
    """The queue of one connection, in bytes."""

    __slots__ = (
        "_fragment_size",
        "_front",
        "_high",
        "_owed_pong",
        "_ready",
        "_ready_size",
        "_sender",
        "_waiting",
        "_waiting_size",
    )

    def __init__(self, high: int, fragment_size: int) -> None:
        self._high = high
        self._fragment_size = fragment_size
        self._sender: Sender | None = None
        # Bytes in their final order, and messages whose frames are not made yet.
        self._ready: list[bytes] = []
        self._ready_size = 0
        # Where the next control frame goes: behind those that came before it, ahead of everything else.
        self._front = 0
        self._waiting: deque[Outgoing] = deque()
        self._waiting_size = 0
        # While the peer does not read, only its latest ping is answered (RFC 6455 §5.5.3).
        self._owed_pong: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes that have not been taken yet."""
        return self._ready_size + self._waiting_size

    @property
    def has_room(self) -> bool:
        return self._ready_size + self._waiting_size < self._high

    def __bool__(self) -> bool:
        return bool(self._ready or self._waiting)

    def open(self, sender: Sender) -> None:
        """Messages can be sent from now on; what is queued already, the handshake's end, stays ahead of them."""
        self._sender = sender
        self._front = len(self._ready)

    @property
    def sender(self) -> Sender:
        assert self._sender is not None, "frames are sent only once the connection is open"
        return self._sender

    # --- in -----------------------------------------------------------------------------------------------------------

    def put_bytes(self, data: bytes) -> None:
        """Queue ``data`` as it is, behind what is ready."""
        self._ready.append(data)
        self._ready_size += len(data)

    def put_message(self, opcode: Opcode, payload: bytes, compress: bool | None, urgent: bool) -> None:
        """Make a frame of a message, or let it wait for its turn where it is large or much is ready already."""
        if not self._takes_frames or len(payload) > self._fragment_size:
            self._enqueue(Outgoing(opcode, payload, compress, urgent=urgent))
            return
        for buffer in self.sender.message(opcode, payload, compress):
            self._ready.append(buffer)
            self._ready_size += len(buffer)

    def put_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that was encoded once for many, as it is where that is possible."""
        if self.sender.is_plain and self._takes_frames:
            self.put_bytes(message.frame)
        else:
            self.put_message(message.opcode, message.payload, None, urgent=False)

    def put_part(self, part: Outgoing) -> None:
        """Queue a part of a message that the application sends in parts."""
        self._enqueue(part)

    def put_control(self, opcode: Opcode, payload: bytes) -> None:
        """Queue a ping or a pong, ahead of every message: the ready ones are whole frames (RFC 6455 §5.4)."""
        frame = self.sender.control(opcode, payload)
        self._ready.insert(self._front, frame)
        self._front += 1
        self._ready_size += len(frame)

    def put_pong(self, payload: bytes) -> bool:
        """Answer a ping, now or, without room, with the next batch; return whether that is one more pong."""
        if self.has_room:
            self.put_control(Opcode.PONG, payload)
            return True
        replaces, self._owed_pong = self._owed_pong is not None, payload
        return not replaces

    def put_close(self, payload: bytes) -> None:
        """Queue the close frame behind everything else."""
        self._pay_pong()
        if self._waiting:
            self._enqueue(Outgoing(Opcode.CLOSE, payload))
        else:
            self.put_bytes(self.sender.control(Opcode.CLOSE, payload))

    def discard(self) -> None:
        """Drop everything: nobody will take it."""
        self._ready = []
        self._waiting.clear()
        self._ready_size = self._waiting_size = self._front = 0
        self._owed_pong = None

    @property
    def _takes_frames(self) -> bool:
        """Whether a message may become a frame at once. No other message can overtake a frame, because its place in the
        compressor's history is fixed.
        """
        return not self._waiting and self._ready_size < _BATCH_SIZE

    def _enqueue(self, item: Outgoing) -> None:
        self._waiting_size += len(item.payload)
        if item.urgent:
            self._waiting.insert(self._first_gap(), item)
        else:
            self._waiting.append(item)

    def _first_gap(self) -> int:
        """Where an urgent message may cut in: before the first ordinary one that has not begun to leave."""
        for index, item in enumerate(self._waiting):
            if item.begins and item.offset == 0 and not item.urgent:
                return index
        return len(self._waiting)

    # --- out ----------------------------------------------------------------------------------------------------------

    def take(self) -> list[bytes]:
        """The next batch, as buffers for one vectored write; empty when there is nothing to send."""
        self._pay_pong()
        self._fill()
        batch, self._ready = self._ready, []
        size, self._ready_size, self._front = self._ready_size, 0, 0
        if len(batch) < 2:
            return batch
        return [b"".join(batch)] if size <= _JOIN_SIZE else _corked(batch)

    def _pay_pong(self) -> None:
        if self._owed_pong is not None:
            payload, self._owed_pong = self._owed_pong, None
            self.put_control(Opcode.PONG, payload)

    def _fill(self) -> None:
        """Make frames of what waits, until the batch is large enough."""
        while self._waiting and self._ready_size < _BATCH_SIZE:
            item = self._waiting[0]
            before = item.offset
            for buffer in self._next_frame(item):
                self.put_bytes(buffer)
            self._waiting_size -= item.offset - before
            if item.offset == len(item.payload):
                self._waiting.popleft()

    def _next_frame(self, item: Outgoing) -> list[bytes]:
        if item.opcode is Opcode.CLOSE:
            item.offset = len(item.payload)
            return [self.sender.control(Opcode.CLOSE, item.payload)]
        return self.sender.next_frame(item, self._fragment_size)


def _corked(buffers: Sequence[bytes]) -> list[bytes]:
    """``buffers`` with every run of small ones joined: few system calls, and no copy of what is large."""
    corked: list[bytes] = []
    start = 0
    size = 0
    for index, buffer in enumerate(buffers):
        if size + len(buffer) > _JOIN_SIZE:
            if index > start:
                corked.append(_joined(buffers, start, index))
            start, size = index, 0
        size += len(buffer)
    corked.append(_joined(buffers, start, len(buffers)))
    return corked


def _joined(buffers: Sequence[bytes], start: int, stop: int) -> bytes:
    return buffers[start] if stop - start == 1 else b"".join(islice(buffers, start, stop))


class ControlRate:
    """A token bucket: ``rate`` control frames a second, with bursts of as many; ``None`` for no limit."""

    __slots__ = ("_checked_at", "_rate", "_tokens")

    def __init__(self, rate: int | None, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate or 0)
        self._checked_at = now

    def allowance(self, now: float) -> int | None:
        """How many may come at ``now``."""
        if self._rate is None:
            return None
        if self._tokens < self._rate:
            self._tokens = min(self._rate, self._tokens + self._rate * (now - self._checked_at))
        self._checked_at = now
        return int(self._tokens)

    def spend(self, count: int) -> None:
        """``count`` of the allowance have come."""
        self._tokens -= count
