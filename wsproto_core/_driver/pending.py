"""Messages that may be sent while there is no connection: kept within bounds, and handed to the next one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from .._config import check_count
from .._errors import OutboxFull, WebSocketError
from .._protocol.sending import encode_message
from .._types import Buffer, Drop, Message
from .arguments import check_type
from .waiting import WaitingMessages

__all__ = ["OutboxLimits", "PendingMessages"]

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLimits:
    """What is kept for the next connection, in memory. One message always has room, and one more may be on its way to
    a connection that is slow.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument.
    """

    #: Bytes of memory, objects included.
    size: int = _MIB
    #: How many messages; ``None`` for as many as ``size`` has room for.
    max_messages: int | None = 1000
    #: What is given up for want of room.
    drop: Drop = Drop.OLDEST

    def __post_init__(self) -> None:
        check_type("drop", self.drop, Drop)
        check_count("size", self.size, optional=False)
        check_count("max_messages", self.max_messages, optional=True)


class _Receiver(Protocol):
    def send_nowait(self, message: Message) -> None: ...


_R = TypeVar("_R", bound=_Receiver)


class PendingMessages(Generic[_R]):
    """The outbox of ``reconnect()``: across connections, in the order of :meth:`put`. For authors of adapters.

    A *pump* carries what the connection has no room for at once: a task, or a thread, that takes one message after the
    other by :meth:`take` and waits until it is sent. ``lock`` guards it all where there are threads.
    """

    def __init__(self, limits: OutboxLimits, lock: AbstractContextManager[object] | None = None) -> None:
        self._waiting = WaitingMessages(limits.size, limits.drop, limits.max_messages)
        self._lock = nullcontext() if lock is None else lock
        self._peer: _R | None = None
        # What the pump carries, and whether there is one.
        self._carried: Message | None = None
        self._is_pumped = False
        self._told = 0

    @property
    def messages(self) -> tuple[Message, ...]:
        """What no connection has taken yet, the oldest first."""
        with self._lock:
            return (*(() if self._carried is None else (self._carried,)), *self._waiting.messages)

    @property
    def dropped(self) -> int:
        """How many messages were given up since the latest connection opened."""
        return self._waiting.dropped - self._told

    def put(self, message: Message | Buffer) -> list[Message]:
        """Keep ``message``; return what is given up for it, or itself.

        Raises :exc:`LocalProtocolError` for text that is not valid Unicode and :exc:`TypeError` for what is no message.
        """
        _, payload = encode_message(message)
        with self._lock:
            return self._waiting.put([message if isinstance(message, str) else payload])

    def attach(self, peer: _R) -> None:
        """Let what waits go to ``peer`` from now on; :meth:`push` must follow."""
        with self._lock:
            self._peer = peer
            self._told = self._waiting.dropped

    def detach(self) -> None:
        """The connection has ended, or is ending: what waits is for the next one."""
        with self._lock:
            self._peer = None

    def push(self) -> _R | None:
        """Hand over what the connection takes without waiting. Returns the connection if a pump must be started for it.

        In the middle of a message that the application sends in parts, nothing is handed over.
        """
        with self._lock:
            peer = self._peer
            if peer is None or self._is_pumped:
                return None
            while (message := self._waiting.take()) is not None:
                try:
                    peer.send_nowait(message)
                except WebSocketError as error:
                    self._waiting.put_back(message)
                    # What the error says, and not `can_send`: with threads there may be room again by now.
                    self._is_pumped = isinstance(error, OutboxFull)
                    break
            return peer if self._is_pumped else None

    def take(self) -> Message | None:
        """For the pump: the one before is sent, here is the next; ``None`` ends the pump."""
        with self._lock:
            self._carried = self._waiting.take()
            self._is_pumped = self._carried is not None
            return self._carried

    def put_back(self) -> None:
        """For the pump, which ends: what it took last could not be sent."""
        with self._lock:
            assert self._carried is not None, "the pump has taken a message"
            self._waiting.put_back(self._carried)
            self._carried = None
            self._is_pumped = False
