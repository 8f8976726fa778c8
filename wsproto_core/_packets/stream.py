"""The engine of a peer that speaks messages over TCP, by a codec.

Its face is the one of :mod:`wsproto_core._driver.connection`, and so is its driving contract: after every call, write
what ``data_to_send()`` gives until it gives nothing, then sleep until bytes come or ``next_deadline()`` is reached.

There are no close frames here. The end of a direction (a TCP FIN) does their work: it stands for a close frame without
a code, 1005. So ``half_close`` turns true as soon as this side has said everything, while the peer may still go on;
and the peer's end between two messages is an ordinary close, its end within one is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from .._codes import CloseCode
from .._config import Limits, Timeouts
from .._driver.flow import Outbox
from .._driver.messages import Inbox
from .._driver.statistics import Latency, Statistics
from .._driver.timers import Timers
from .._errors import ConnectionClosed, LocalProtocolError, OutboxFull
from .._events import Closed, CloseReport, Event
from .._protocol.closing import Closing
from .._protocol.receiving import CloseFrame
from .._protocol.states import Phase
from .._types import Buffer, Initiator, Message, Receive, State, Timer
from .._violations import Violation
from .codec import StreamCodec
from .payload import check_goodbye, encode_payload

__all__ = ["StreamConnection"]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()
#: What a FIN says, in terms of close frames.
_END: Final = CloseFrame(CloseCode.NO_STATUS_RECEIVED, "")


class StreamConnection:
    """One connection of a message-oriented TCP peer, without its transport; either side. It is open at once.

    ``codec``: how messages stand in the stream; both sides need the same. Of ``limits`` count ``message_size``,
    ``inbox_size`` and ``outbox_size``; of ``timeouts`` ``idle_timeout`` (time without a byte in either direction,
    closes with 1001) and ``closing_timeout`` (from the first end of a direction to the end of the transport). There
    are no pings, and so no keepalive. ``now``: monotonic seconds.
    """

    def __init__(
        self,
        codec: StreamCodec,
        *,
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        now: float,
    ) -> None:
        #: How messages stand in the stream.
        self.codec = codec
        self._limits = limits
        self._timeouts = timeouts
        self._now = self._last_activity = now
        self._decoder = codec.decoder(limits)
        self._closing = Closing()
        self._closing.opened()
        self._timers = Timers()
        self._timers.set(Timer.IDLE, now, timeouts.idle_timeout)
        self._outbox = Outbox(limits.outbox_size, limits.outbox_size)
        self._inbox: Inbox | None = None
        self._statistics = Statistics()
        # Whether a message was sent since the engine was last told the time.
        self._has_sent = False
        # What this side said when it closed first, and the timer that made it.
        self._goodbye: CloseFrame | None = None
        self._cause: Timer | None = None
        self._transport_ended = False
        self._abort = False

    # --- in, from the world -------------------------------------------------------------------------------------------

    def receive_data(self, data: Buffer, now: float) -> list[Event]:
        """Take bytes from the transport; return the messages that they complete, and :class:`Closed` behind them if
        they broke a rule.
        """
        self._now = now
        self._statistics.bytes_received += len(data)
        if not self._closing.may_receive:
            return []
        self._last_activity = now
        events: list[Event] = [*self._decoder.decode(data if type(data) is bytes else bytes(data))]
        self._statistics.messages_received += len(events)
        if self._decoder.failure is not None:
            self._closing.offended(self._decoder.failure)
            events.append(self._ended(had_messages=bool(events)))
        return events

    def receive_eof(self, now: float) -> list[Event]:
        """The peer will send no more bytes: an ordinary close, or the violation ``TRUNCATED_MESSAGE``."""
        self._now = now
        self._transport_ended = True
        if not self._closing.may_receive:
            return []
        self._decoder.finish()
        if self._decoder.failure is None:
            self._closing.close_received(_END)
        else:
            self._closing.offended(self._decoder.failure)
        return [self._ended(had_messages=False)]

    def transport_lost(self, error: BaseException | None, now: float) -> list[Event]:
        """The transport is gone, both ways. ``error`` is what it complained of, if it did.

        Without complaint it is the peer's end as well where this side has closed and said everything, because TLS has
        no half-close; and within a message it is ``TRUNCATED_MESSAGE``.
        """
        self._now = now
        events: list[Event] = []
        has_said_all = self._closing.phase is Phase.CLOSE_SENT and not self._outbox
        if error is None and (has_said_all or self._decoder.in_message):
            events = self.receive_eof(now)
        self._transport_ended = True
        if self._closing.report is None:
            self._closing.transport_ended()
            events.append(self._settled(error=error))
        elif self._closing.phase is not Phase.CLOSED:
            self._closing.transport_ended()
        self._outbox.discard()
        self._timers.clear_all()
        self._abort = True
        return events

    def handle_timeout(self, now: float) -> list[Event]:
        """Do whatever is due at ``now``. Harmless when nothing is."""
        self._now = now
        self._date_messages()
        events: list[Event] = []
        while (timer := self._timers.pop_expired(now)) is not None:
            if timer is Timer.IDLE:
                self._idle_too_long()
            elif timer is Timer.GRACE:
                self._end_writing()
            else:
                events += self._give_up()
        return events

    def transmitted(self, n_bytes: int, now: float) -> None:
        """Report that ``n_bytes`` given out earlier have left. Optional: bytes that leave while others wait behind them
        are activity, and the closing time begins when none do.
        """
        self._now = now
        self._date_messages()
        if n_bytes > 0 and self._outbox:
            self._last_activity = now
            if self._timers.is_set(Timer.CLOSING):
                self._timers.set(Timer.CLOSING, now, self._timeouts.closing_timeout)

    # --- verbs, from the application ----------------------------------------------------------------------------------

    def send(self, message: Message | Buffer) -> None:
        """Queue a message; ``str`` leaves as UTF-8, whatever the codec. With ``codec.text`` bytes have to be UTF-8.

        Raises :exc:`LocalProtocolError` for what the codec cannot tell (:exc:`OutboxFull` without room),
        :exc:`TypeError`, or :exc:`ConnectionClosed`; then nothing was queued.
        """
        buffers = self.codec.encode(encode_payload(message, text=self.codec.text))
        self._check_can_send()
        for buffer in buffers:
            self._outbox.put_bytes(buffer)
        self._has_sent = True
        self._statistics.messages_sent += 1

    def ping(self) -> bytes:
        """Raises :exc:`LocalProtocolError`: a codec knows no pings. ``FramesConnection`` has them."""
        raise LocalProtocolError(f"{type(self.codec).__name__} knows no pings; WebSocket frames over TCP do")

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, now: float | None = None) -> None:
        """End this side's direction, behind everything that is queued. ``code`` and ``reason`` do not cross: they
        stand in this side's report.

        Once the peer has ended, only this side's end, if it waited for the application, is released. Raises
        :exc:`LocalProtocolError` or :exc:`TypeError`, naming the argument, for what a close frame could not carry.
        """
        check_goodbye(code, reason)
        self._now = now if now is not None else self._now
        if self._closing.owes_close_frame:
            self._end_writing()
        elif self._closing.may_send:
            self._begin_close(code, reason)

    # --- pull-style reception -----------------------------------------------------------------------------------------

    def gather(self, events: Sequence[Event]) -> list[Event]:
        """Move the messages of a batch into the inbox; return the other events."""
        if self._inbox is None:
            self._inbox = Inbox(self._limits.inbox_size)
        if self._closing.phase is Phase.CLOSE_SENT and not self._inbox.has_room:
            # The application has closed and does not listen: what does not fit is dropped, and all behind it.
            self._inbox.is_sealed = True
        self._inbox.put([event for event in events if isinstance(event, str | bytes)])
        return [event for event in events if not isinstance(event, str | bytes)]

    def next_message(self) -> Message | None:
        """The oldest message of the inbox; ``None`` if there is none. Asking for more than there is releases this
        side's end, if it waited for the application.
        """
        item = None if self._inbox is None else self._inbox.take()
        if item is None:
            self._end_writing()
        assert item is None or isinstance(item, str | bytes), "only messages were gathered"
        return item

    # --- out, to the world --------------------------------------------------------------------------------------------

    def data_to_send(self) -> list[bytes]:
        """Take what waits, as buffers for one vectored write; empty when nothing does."""
        if self._inbox is None:
            self._end_writing()  # push-style users write after they have dealt with the batch
        buffers = self._outbox.take()
        self._statistics.bytes_sent += sum(map(len, buffers))
        return buffers

    def next_deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`, in monotonic seconds; ``None`` for never."""
        return self._timers.next_deadline

    # --- predicates and facts -----------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the connection stands: open, closing or closed."""
        return self._closing.state

    @property
    def wants_read(self) -> bool:
        """Whether the transport should be read: false while the inbox is over its mark, or nothing more can come."""
        if self._transport_ended:
            return False
        return self._inbox is None or self._inbox.has_room or self._closing.phase is not Phase.OPEN

    @property
    def can_send(self) -> bool:
        """Whether :meth:`send` would take a message: nobody has closed for good, and the outbox is below
        ``Limits.outbox_size``.
        """
        return self._closing.may_send and self._outbox.has_room

    @property
    def should_abort(self) -> bool:
        """Whether to drop the transport at once, with whatever it still holds."""
        return self._abort

    @property
    def half_close(self) -> bool:
        """Whether this side has said everything: end the transport's write side, once what was taken is written, and
        go on reading.
        """
        return self._closing.phase in (Phase.CLOSE_SENT, Phase.CLOSED) and not self._outbox

    @property
    def receive(self) -> Receive:
        """Whole messages, always."""
        return Receive.MESSAGES

    @property
    def bytes_queued(self) -> int:
        """Bytes that :meth:`data_to_send` has not given out yet."""
        return self._outbox.size

    @property
    def latency(self) -> Latency | None:
        """``None``: there are no pings to measure it by."""
        return None

    @property
    def statistics(self) -> Statistics:
        """What has been counted so far, as a copy."""
        return replace(self._statistics)

    @property
    def close_report(self) -> CloseReport | None:
        """How the connection ended; ``None`` until that is settled."""
        return self._closing.report

    # --- behind the face ----------------------------------------------------------------------------------------------

    def _check_can_send(self) -> None:
        if not self._closing.may_send:
            if self._closing.report is not None:
                raise ConnectionClosed.from_report(self._closing.report)
            raise LocalProtocolError("close() was called: nothing can follow the end of a stream")
        if not self._outbox.has_room:
            raise OutboxFull(
                f"{self._outbox.size} bytes wait already; Limits.outbox_size is {self._limits.outbox_size}"
            )

    def _date_messages(self) -> None:
        """Verbs know no time: a message counts as sent when the time is next told."""
        if self._has_sent:
            self._has_sent = False
            self._last_activity = self._now

    def _idle_too_long(self) -> None:
        timeout = self._timeouts.idle_timeout
        assert timeout is not None, "the timer is set only with a timeout"
        if self._last_activity + timeout > self._now:
            self._timers.set(Timer.IDLE, self._last_activity, timeout)
        else:
            self._cause = Timer.IDLE
            self._begin_close(CloseCode.GOING_AWAY, "idle")

    def _begin_close(self, code: int, reason: str) -> None:
        """End first."""
        self._goodbye = CloseFrame(code, reason)
        self._closing.close(_END.code, _END.reason)
        self._begin_closing_time()

    def _ended(self, *, had_messages: bool) -> Closed:
        """The peer has ended its direction, or broken a rule. What came before can still be answered."""
        closed = self._settled()
        if had_messages or (self._inbox is not None and (self._inbox or self._inbox.is_answering)):
            # A peer that ends its direction after its question waits for the answer: so half of the time there is.
            limit = self._timeouts.closing_timeout
            self._timers.set(Timer.GRACE, self._now, None if limit is None else limit / 2)
        else:
            self._end_writing()
        return closed

    def _end_writing(self) -> None:
        """Release this side's end, if it is owed."""
        if self._closing.owes_close_frame:
            self._closing.close(_END.code, _END.reason)

    def _settled(self, *, timer: Timer | None = None, error: BaseException | None = None) -> Closed:
        """It is settled how the connection ends: the one ``Closed`` event."""
        self._begin_closing_time()
        report = self._closing.settle(
            at=self._now, pong_age=None, bytes_queued=self._outbox.size, timer=timer or self._cause, error=error
        )
        if report.sent_code is not None:
            report = replace(report, sent_code=_END.code)
        if report.violation is Violation.TRUNCATED_MESSAGE and self._goodbye is None:
            report = replace(report, initiator=Initiator.NETWORK)
        if report.received_code is not None and self._goodbye is not None:
            report = replace(report, code=self._goodbye.code, reason=self._goodbye.reason)
        self._closing.report = report
        return Closed(report)

    def _begin_closing_time(self) -> None:
        """From the first end on, one timer bounds everything up to the end of the transport."""
        if not self._timers.is_set(Timer.CLOSING):
            self._timers.set(Timer.CLOSING, self._now, self._timeouts.closing_timeout)
        self._timers.keep_only(Timer.CLOSING)

    def _give_up(self) -> list[Event]:
        """The closing time is over."""
        self._abort = True
        self._closing.give_up()
        return [self._settled(timer=Timer.CLOSING)] if self._closing.report is None else []
