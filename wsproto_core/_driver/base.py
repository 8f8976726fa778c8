"""What every engine that carries messages over a stream of bytes has in common: an outbox, an inbox, timers, an end.

:class:`Engine` makes WebSocket of it, ``_packets.stream`` messages told apart by a codec. Nothing here knows a frame.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .._codes import CloseCode
from .._config import Limits, Timeouts, check_count
from .._errors import ConnectionClosed, LocalProtocolError, OutboxFull
from .._events import Closed, CloseReport, Event, Fragment
from .._protocol.closing import Closing
from .._protocol.states import Phase
from .._speedups import Inbox, Traffic
from .._types import Message, Receive, State, Timer
from .arguments import check_type
from .expansion import Decoding, Expanding
from .flow import Encoding, Outbox
from .statistics import Statistics, include
from .timers import Timers
from .work import WORK_SIZE, Work

if TYPE_CHECKING:
    from .._pipeline.session import PipelineSession

__all__ = ["EngineBase"]


class EngineBase(Expanding):
    """The parts of one connection that carries messages. What those pass, each time, is in :class:`Traffic`."""

    __slots__ = (
        "__dict__", "_abort", "_cause", "_controls", "_messages_dated", "_parts_sent", "_timeouts",
        "_transport_ended", "work_size",
    )  # fmt: skip

    #: Whether a subclass has methods of its own in place of those of :class:`Traffic`.
    _stands_in: ClassVar[bool] = False

    def __init__(
        self, limits: Limits, timeouts: Timeouts, fragment_size: int, pipeline: PipelineSession | None, now: float
    ) -> None:
        self._limits = limits
        self._timeouts = timeouts
        self._pipeline = pipeline  # seals what is sent and opens what comes
        self._timers: Timers = Timers()
        self._outbox: Outbox = Outbox(limits.outbox_size, fragment_size)
        self._closing = Closing(self._outbox.frames)
        super().__init__(self._closing, self._outbox.frames, now)
        self.is_followed: bool = self._stands_in
        #: From how many bytes on the transforming of a message is handed out as work; ``None`` for never.
        self.work_size: int | None = None
        self._controls: Statistics | None = None  # of control frames, once there are any
        # Messages and parts of them that were sent before the time was last told: verbs know no time.
        self._messages_dated = 0
        self._parts_sent = 0
        self._cause: Timer | None = None  # the timer that made this side say goodbye
        self._transport_ended = self._abort = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._stands_in = any(
            getattr(cls, name) is not method for name, method in vars(Traffic).items() if not name.startswith("_")
        )

    # --- in, from the world -------------------------------------------------------------------------------------------

    def handle_timeout(self, now: float) -> list[Event]:
        """Do whatever is due at ``now``. Harmless when nothing is.

        Where messages expand, what it returns may be one batch of more: then the next call is due at once.
        """
        self._now = now
        self._date_messages()
        events = self._next_batch()
        while (timer := self._timers.pop_expired(now)) is not None:
            events += self._EXPIRED[timer](self)
        return self._with_undelivered(events)

    def transmitted(self, n_bytes: int, now: float) -> None:
        """Report that ``n_bytes`` given out earlier have left this machine's hands.

        Optional. Adapters call it so that a peer which reads slowly, but reads, is not taken for dead: bytes that leave
        while others wait behind them are a sign of life, and the closing time begins when none do.
        """
        self._now = now
        self._date_messages()
        if n_bytes > 0 and self._outbox:
            self._show_activity(now)
            if self._timers.is_set(Timer.CLOSING):
                self._timers.set(Timer.CLOSING, now, self._timeouts.closing_timeout)

    def work_done(self, work: Work, now: float) -> list[Event]:
        """Take what came of ``work``, which has been called since :meth:`next_work` gave it out.

        Nothing comes of it if the connection has ended meanwhile. Raises :exc:`ValueError` for work that was not done.
        """
        self._now = now
        self._date_messages()
        work.check()
        events: list[Event] = []
        if isinstance(work, Encoding) and work is self._outbox.encoding:
            self._outbox.take_encoded(work)
        elif isinstance(work, Decoding) and self._backlog is not None and work is self._backlog.decoding:
            self._backlog.accept(work)
            events = self._next_batch()
        return self._with_undelivered(events)

    # --- verbs, from the application ----------------------------------------------------------------------------------

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, now: float | None = None) -> None:
        """Say goodbye, behind everything that is queued; ``code`` 1005 sends none (RFC 6455 §7.1.2).

        Before the connection is open it is abandoned instead. Once closing has begun, only a goodbye that waited for
        the application is released, with the code it had. Raises :exc:`LocalProtocolError` or :exc:`TypeError`, naming
        the argument, for a code or reason that no close frame could carry.
        """
        check_type("code", code, int)
        check_type("reason", reason, str)
        self._now = now if now is not None else self._now
        if self._closing.phase is Phase.CONNECTING:
            self.abort()
        elif self._closing.owes_close_frame:
            self._answer_close()
        elif self._closing.may_send:
            self._begin_close(code, reason)

    def abort(self, *, now: float | None = None) -> None:
        """Give the connection up, without a goodbye: ``should_abort`` is true from now on."""
        self._now = now if now is not None else self._now
        if self._closing.report is None:
            self._closing.give_up()
            self._undelivered.append(self._settled())
        self._backlog = None
        self._abort = True

    # --- pull-style reception -----------------------------------------------------------------------------------------

    def _gather_otherwise(self, events: Sequence[Event]) -> list[Event]:
        inbox = self._inbox
        if inbox is None:
            inbox = self._inbox = Inbox(self._limits.inbox_size)
        if not inbox.has_room and self._closing.phase is Phase.CLOSE_SENT:
            # The application has closed and does not listen: what does not fit is dropped, and all behind it, so that
            # the peer's close frame can be reached.
            inbox.is_sealed = True
        return inbox.gather(events)

    def next_message(self) -> Message | Fragment | None:
        """The oldest message of the inbox; ``None`` if there is none. Asking for more than there is releases a goodbye
        that waited for the application.
        """
        item = None if self._inbox is None else self._inbox.take()
        if item is None and self._closing.owes_close_frame:
            self._answer_close()
        return item

    # --- out, to the world --------------------------------------------------------------------------------------------

    def offload(self, min_size: int = WORK_SIZE) -> None:
        """Hand out, as work, what takes long: the transforming of messages of ``min_size`` bytes or more, 32 KiB by
        default. Whoever asks for this asks for :meth:`next_work` as well, after every call.

        Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument.
        """
        if min_size is not WORK_SIZE:  # the very default needs no check
            check_count("min_size", min_size, optional=False)
        self.work_size = min_size
        self._outbox.offload(min_size)

    def next_work(self) -> Work | None:
        """What somebody should call, in a thread of its own or wherever it holds up nobody, to give it to
        :meth:`work_done` then; ``None`` if there is nothing, or nothing more.

        At most one work of each direction is out at a time. What is received waits behind its message, and what is sent
        waits behind its, but for control frames.
        """
        decoding = None if self._backlog is None else self._backlog.decoding
        for work in (decoding, self._outbox.encoding):
            if work is not None and not work.is_taken:
                work.is_taken = True
                return work
        return None

    # --- predicates and facts -----------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._closing.state

    @property
    def wants_read(self) -> bool:
        """Whether the transport should be read: false while the inbox is over its mark, while what was read waits to be
        expanded, or when nothing more can come.
        """
        if self._transport_ended or self._backlog:
            return False
        return self._inbox is None or self._inbox.has_room or self._closing.phase is not Phase.OPEN

    @property
    def ends_both_ways(self) -> bool:
        """Whether the peer has said everything as well: where ``half_close`` is true, close the transport instead."""
        return self._transport_ended or self._closing.is_clean

    @property
    def can_send(self) -> bool:
        """Whether :meth:`send` would take a message: the connection is open and the outbox below
        ``Limits.outbox_size``.
        """
        return self._closing.may_send and self._outbox.has_room

    @property
    def should_abort(self) -> bool:
        """Whether to drop the transport at once, with whatever it still holds. A last batch may be tried before."""
        return self._abort

    @property
    def receive(self) -> Receive:
        """How much of a message is gathered before it is handed over."""
        return Receive.MESSAGES

    @property
    def bytes_queued(self) -> int:
        """Bytes that :meth:`data_to_send` has not given out yet."""
        return self._outbox.size

    @property
    def statistics(self) -> Statistics:
        """What has been counted so far, as a copy."""
        counted = Statistics()
        self.count_into(counted)
        return counted

    def count_into(self, total: Statistics) -> None:
        """Add to ``total`` what has been counted so far, without a copy of it."""
        total.messages_received += self._messages_received
        total.messages_sent += self._frames.messages
        total.bytes_received += self._bytes_received
        total.bytes_sent += self._frames.bytes_taken
        if self._controls is not None:
            include(total, self._controls)

    @property
    def close_report(self) -> CloseReport | None:
        """How the connection ended; ``None`` until that is settled."""
        return self._closing.report

    # --- behind the face ----------------------------------------------------------------------------------------------

    #: What each timer does when it fires.
    _EXPIRED: ClassVar[Mapping[Timer, Callable[[Any], list[Event]]]]

    @abstractmethod
    def _begin_close(self, code: int, reason: str) -> None:
        """Say goodbye first, behind everything that is queued."""

    @abstractmethod
    def _settled(self, *, timer: Timer | None = None, error: BaseException | None = None) -> Closed:
        """It is settled how the connection ends: the one ``Closed`` event."""

    def _check_can_send(self) -> None:
        """Raise unless a message may be queued now."""
        if not self._closing.may_send:
            raise self._cannot_send()
        if not self._outbox.has_room:
            raise OutboxFull(
                f"{self._outbox.size} bytes wait already; Limits.outbox_size is {self._limits.outbox_size}"
            )

    def _cannot_send(self) -> LocalProtocolError | ConnectionClosed:
        if self._closing.report is not None:
            return ConnectionClosed.from_report(self._closing.report)
        if self._closing.phase is Phase.CONNECTING:
            return LocalProtocolError("the connection is not open yet")
        return LocalProtocolError("close() was called: nothing can follow it (RFC 6455 §5.5.1)")

    @property
    def _statistics(self) -> Statistics:
        """What is counted of control frames."""
        if self._controls is None:
            self._controls = Statistics()
        return self._controls

    def _message_sent(self) -> None:
        self._frames.messages += 1

    def _part_sent(self, final: bool) -> None:
        self._frames.messages += final
        self._parts_sent += not final

    def _date_messages(self) -> None:
        """Verbs know no time: a message counts as sent when the time is next told."""
        sent = self._frames.messages + self._parts_sent
        if sent > self._messages_dated:
            self._messages_dated = sent
            self._last_activity = self._now

    def _show_activity(self, now: float) -> None:
        self._last_activity = now

    def _idle_too_long(self) -> list[Event]:
        timeout = self._timeouts.idle_timeout
        assert timeout is not None, "the timer is set only with a timeout"
        if self._last_activity + timeout > self._now:
            self._timers.set(Timer.IDLE, self._last_activity, timeout)
        else:
            self._cause = Timer.IDLE
            self._begin_close(CloseCode.GOING_AWAY, "idle")
        return []

    # --- the end ------------------------------------------------------------------------------------------------------

    def _is_being_answered(self) -> bool:
        """Whether the application may still answer what it was given, or was not given yet."""
        if self._backlog is not None and self._backlog.batch_size:
            return True
        return self._inbox is not None and bool(self._inbox or self._inbox.is_answering)

    def _begin_closing_time(self) -> None:
        """From the first goodbye on, one timer bounds everything up to the end of the transport."""
        self._timers.set_alone(Timer.CLOSING, self._now, self._timeouts.closing_timeout)

    def _give_up(self, timer: Timer) -> list[Event]:
        """End it now, because ``timer`` fired."""
        self._abort = True
        self._backlog = None
        self._closing.give_up()
        return [self._settled(timer=timer)] if self._closing.report is None else []

    def _grace_over(self) -> list[Event]:
        if self._closing.owes_close_frame:
            self._answer_close()
        return []

    def _closing_expired(self) -> list[Event]:
        return self._give_up(Timer.CLOSING)
