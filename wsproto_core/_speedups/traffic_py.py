# cython: nonecheck=True
"""The traffic of a connection: what every read and every flush passes in its engine, whatever is in them.

:class:`Traffic` is what engines begin with. It does what there is to do for messages on an open connection, and hands
everything else to the engine that is made of it.

This file runs in Python and, compiled with the C types of ``traffic_c.pxd``, as ``traffic_c``. What is called for every
message takes what it is given by its place only: compiled, nothing is looked for then.

What lives here: the way of a message through the engine, and the questions asked behind it. What must not: whatever
happens once in a connection, or once in a while.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from .codec_py import FrameDecoder
from .frames_py import FrameQueue
from .inbox_py import Inbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._events import Event, Fragment
    from .._types import Buffer, Message

__all__ = ["Allowing", "Standing", "Timing", "Traffic"]


class Standing:
    """What may be done where a connection stands. Whoever follows its phases keeps this up to date."""

    __slots__ = ("is_open", "may_receive", "may_send", "owes_close_frame")

    is_open: bool
    #: Whether received bytes mean something, and whether messages may be sent.
    may_receive: bool
    may_send: bool
    #: Whether a close frame waits for the application to deal with what came before.
    owes_close_frame: bool


class Timing:
    """When something is due, in monotonic seconds. Whoever sets timers keeps this up to date."""

    __slots__ = ("next_deadline",)

    #: The earliest deadline; ``None`` if no timer is set.
    next_deadline: float | None


class Allowing:
    """How much of something may come. Whoever counts it keeps this up to date."""

    __slots__ = ("is_spent",)

    #: Whether less may come than ever. As long as not, there is no need to ask.
    is_spent: bool


class Traffic:
    """The part of an engine that messages pass, on a connection with this ``standing`` and these outgoing ``frames``.

    The time is in monotonic seconds.
    """

    __slots__ = (
        "_backlog",
        "_bytes_received",
        "_control_rate",
        "_decoder",
        "_frames",
        "_inbox",
        "_is_plain",
        "_last_activity",
        "_last_life",
        "_messages_received",
        "_now",
        "_outbox",
        "_standing",
        "_timers",
        "_undelivered",
        "is_followed",
    )

    # What is seldom asked here is of a type that is known only above.
    _backlog: Any
    _outbox: Any
    # Of more than is asked here.
    _control_rate: Any
    _timers: Any

    def __init__(self, standing: Standing, frames: FrameQueue, now: float) -> None:
        self._standing: Standing = standing
        self._frames: FrameQueue = frames
        # The time as it was last told, of the last message, and of the last byte that came.
        self._now: float = now
        self._last_activity: float = now
        self._last_life: float = now
        self._bytes_received: int = 0
        self._messages_received: int = 0
        # Of frames: ``None`` until they come, and where none ever do.
        self._decoder: FrameDecoder | None = None
        # Whether messages are taken as they are: whole, and not sealed.
        self._is_plain: bool = False
        # Where messages can expand, what was read and has to wait; ``None`` elsewhere, and once nothing is received.
        self._backlog = None
        # Where messages wait for the application; ``None`` until it has asked for them.
        self._inbox: Inbox | None = None
        # Events that a verb has caused: the next *in* call returns them.
        self._undelivered: list[Event] = []
        #: Whether something stands in for a method of this class, such as a recorder. If not, a link need not look the
        #: method up, which takes longer than most of them.
        self.is_followed: bool = False

    def receive_data(self, data: Buffer, now: float) -> list[Event]:
        """Take bytes from the transport; return what they mean, in order.

        Where messages can expand (an extension transforms them, or a pipeline), it returns about
        ``Limits.inbox_size`` bytes of them at most and keeps the rest as it came: ``wants_read`` is false, and as soon
        as there is room, :meth:`handle_timeout` is due and returns more.
        """
        self._now = self._last_life = now
        self._bytes_received += len(data)
        if self._decoder is not None and self._backlog is None and self._standing.may_receive:
            events = Traffic._decode_frames(self, data)  # by its class: compiled, nothing is looked up
        else:
            events = self._receive_otherwise(data)
        return self._with_undelivered(events) if self._undelivered else events

    def send_at_once(self, message: Message | Buffer, /) -> bool:
        """Queue a message as it is, if it may be sent and nothing has to be done for it but that; return whether."""
        return self._frames.put_message(message)

    def pass_frame(self, frame: bytes) -> bool:
        """Count a message's frame as sent, if it may leave as it is, at once; return whether. Then it must be
        written.
        """
        return self._frames.pass_frame(frame)

    def gather(self, events: Sequence[Event]) -> list[Event]:
        """Move the messages of a batch into the inbox; return the other events."""
        inbox = self._inbox
        return self._gather_otherwise(events) if inbox is None or not inbox.has_room else inbox.gather(events)

    def message_at_hand(self) -> Message | Fragment | None:
        """Take the oldest message of the inbox, if that changes nothing else: then no reading goes on because of it."""
        return None if self._inbox is None else self._inbox.at_hand()

    def data_to_send(self) -> list[bytes | memoryview]:
        """Take the next batch of bytes, as buffers for one vectored write; empty when nothing waits.

        Call it until it is empty, or until the transport wants no more: what has not been taken can still be overtaken.
        """
        if self._standing.owes_close_frame and self._inbox is None and not self._undelivered:
            self._answer_close()  # push-style users write after they have dealt with the batch
        if self._frames.is_direct:  # there is nothing but what is there
            return self._frames.take()
        buffers: list[bytes | memoryview] = self._outbox.take()
        return buffers

    def next_deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`, in monotonic seconds; ``None`` for never. May be in the past: call at
        once.
        """
        if self._undelivered or (self._backlog is not None and self._batch_is_due()):
            return self._now
        timers: Timing = self._timers
        return timers.next_deadline

    @property
    def is_flowing(self) -> bool:
        """Whether bytes go both ways, as nearly always: the transport is read, written, and left as it is, and there
        is no work.
        """
        return Traffic._flows(self)

    def flows(self) -> bool:
        """What :attr:`is_flowing` tells, for adapters that call it by its class."""
        return Traffic._flows(self)

    # --- behind -------------------------------------------------------------------------------------------------------

    def _flows(self) -> bool:
        """What :attr:`is_flowing` tells, as C calls it."""
        if not self._standing.is_open or (self._inbox is not None and not self._inbox.has_room):
            return False
        return self._backlog is None or not (self._backlog or self._outbox.encoding is not None)

    def _take_only(self) -> bytes | None:
        """All that :meth:`data_to_send` gives until it is empty, if that is one buffer, or nothing. Else ``None``, and
        nothing is taken. For links, which need no list then.
        """
        if self._standing.owes_close_frame or not self._frames.is_direct:
            return None
        return self._frames.take_only()

    def _decode_frames(self, data: Buffer) -> list[Event]:
        """What ``data`` holds, dealt with."""
        decoder = self._decoder
        assert decoder is not None, "an open connection has a decoder"
        if self._control_rate.is_spent:
            decoder.control_allowance = self._control_rate.allowance(self._now)
        events = decoder.decode(data)
        if not (decoder.only_messages and self._is_plain):
            return self._react_to_decoded(events, decoder.controls)
        if events or decoder.in_message:
            self._last_activity = self._now
            self._messages_received += len(events)
        return events

    def _with_undelivered(self, events: list[Event]) -> list[Event]:
        """``events`` behind those that a verb had caused."""
        earlier, self._undelivered = self._undelivered, []
        return earlier + events

    # --- what else there is, for the engine ---------------------------------------------------------------------------

    @abstractmethod
    def _receive_otherwise(self, data: Buffer) -> list[Event]:
        """Take bytes that are not to be decoded now, as frames."""

    @abstractmethod
    def _react_to_decoded(self, events: list[Event], controls: int) -> list[Event]:
        """Deal with what was decoded; ``controls`` of it were control frames."""

    @abstractmethod
    def _gather_otherwise(self, events: Sequence[Event]) -> list[Event]:
        """Gather ``events`` where there is no inbox yet, or no room in it."""

    @abstractmethod
    def _answer_close(self) -> None:
        """Let the goodbye go that waited for the application."""

    @abstractmethod
    def _batch_is_due(self) -> bool:
        """Whether something waits to be expanded, and there is room for it."""
