"""The engine of a peer that speaks messages over TCP, by a codec.

Its face is the one of :mod:`wsproto_core._driver.connection`, and so is its driving contract: after every call, write
what ``data_to_send()`` gives until it gives nothing, then sleep until bytes come or ``next_deadline()`` is reached.

There are no close frames here. The end of a direction (a TCP FIN) does their work: it stands for a close frame without
a code, 1005. So ``half_close`` turns true as soon as this side has said everything, while the peer may still go on;
and the peer's end between two messages is an ordinary close, its end within one is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from .._codes import CloseCode
from .._config import Limits, Timeouts
from .._driver.base import EngineBase
from .._driver.expansion import Backlog
from .._driver.sealing import wire_limits
from .._driver.statistics import Latency
from .._errors import LocalProtocolError, RemoteProtocolError
from .._events import Closed, Event
from .._protocol.receiving import CloseFrame
from .._protocol.sending import PreparedMessage
from .._protocol.states import Phase
from .._types import Buffer, Initiator, Message, Timer
from .._violations import Violation
from .codec import StreamCodec
from .payload import check_goodbye, encode_payload

if TYPE_CHECKING:
    from .._pipeline.session import PipelineSession

__all__ = ["StreamConnection"]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()
#: What a FIN says, in terms of close frames.
_END: Final = CloseFrame(CloseCode.NO_STATUS_RECEIVED, "")


class StreamConnection(EngineBase):
    """One connection of a message-oriented TCP peer, without its transport; either side. It is open at once.

    ``codec``: how messages stand in the stream; both sides need the same. Of ``limits`` count ``message_size``,
    ``inbox_size`` and ``outbox_size``; of ``timeouts`` ``idle_timeout`` (time without a byte in either direction,
    closes with 1001) and ``closing_timeout`` (from the first end of a direction to the end of the transport). There
    are no pings, and so no keepalive. ``pipeline`` seals what is sent and opens what comes, by a codec that carries any
    bytes. ``now``: monotonic seconds.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument.
    """

    __slots__ = ("_codec_decoder", "_goodbye", "codec")

    def __init__(
        self,
        codec: StreamCodec,
        *,
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        pipeline: PipelineSession | None = None,
        now: float,
    ) -> None:
        limits = wire_limits(limits, pipeline)
        if pipeline is not None and (codec.text or not codec.carries_any_bytes):
            raise ValueError(f"codec: sealed messages are any bytes, which {codec!r} does not carry one by one")
        super().__init__(limits, timeouts, limits.outbox_size, pipeline, now)
        #: How messages stand in the stream.
        self.codec: StreamCodec = codec
        self._codec_decoder = codec.decoder(limits)
        self._backlog = None if pipeline is None else Backlog(None)
        self._closing.opened()
        self._timers.set(Timer.IDLE, now, timeouts.idle_timeout)
        # What this side said when it closed first.
        self._goodbye: CloseFrame | None = None

    # --- in, from the world -------------------------------------------------------------------------------------------

    def receive_eof(self, now: float) -> list[Event]:
        """The peer will send no more bytes: an ordinary close, or the violation ``TRUNCATED_MESSAGE``. It takes effect
        behind what still waits to be expanded.
        """
        self._now = now
        self._transport_ended = True
        if not self._closing.may_receive:
            return self._with_undelivered([])
        if not self._backlog:
            return self._bytes_ended()
        self._backlog.has_ended = True
        return self._with_undelivered(self._next_batch())

    def transport_lost(self, error: BaseException | None, now: float) -> list[Event]:
        """The transport is gone, both ways. ``error`` is what it complained of, if it did.

        Without complaint it is the peer's end as well where this side has closed and said everything, because TLS has
        no half-close; and within a message it is ``TRUNCATED_MESSAGE``.

        What waits to be expanded is returned as far as there is room for it, which is at most one more batch. The rest
        is dropped, and all that was behind it.
        """
        self._now = now
        events = self._with_undelivered(self._last_batch())
        has_said_all = self._closing.phase is Phase.CLOSE_SENT and not self._outbox
        if error is None and (has_said_all or self._codec_decoder.in_message):
            events += self.receive_eof(now)
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

    # --- verbs, from the application ----------------------------------------------------------------------------------

    def send(self, message: Message | Buffer) -> None:
        """Queue a message; ``str`` leaves as UTF-8, whatever the codec. With ``codec.text`` bytes have to be UTF-8.

        Raises :exc:`LocalProtocolError` for what the codec cannot tell (:exc:`OutboxFull` without room),
        :exc:`TypeError`, or :exc:`ConnectionClosed`; then nothing was queued.
        """
        payload = encode_payload(message, text=self.codec.text)
        self._check_can_send()
        if self._pipeline is not None:
            payload = self._pipeline.seal(message, max_size=self.codec.max_payload)
        for buffer in self.codec.encode(payload):
            self._outbox.put_bytes(buffer)
        self._message_sent()

    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that goes to many connections. Raises what :meth:`send` raises."""
        self.send(message.original)

    def ping(self, payload: Buffer | None = None, *, now: float | None = None) -> bytes:  # noqa: ARG002 - as everywhere
        """Raises :exc:`LocalProtocolError`: a codec knows no pings. ``FramesConnection`` has them."""
        raise LocalProtocolError(f"{type(self.codec).__name__} knows no pings; WebSocket frames over TCP do")

    # --- predicates and facts -----------------------------------------------------------------------------------------

    @property
    def half_close(self) -> bool:
        """Whether this side has said everything: end the transport's write side, once what was taken is written, and
        go on reading.
        """
        return self._closing.phase in (Phase.CLOSE_SENT, Phase.CLOSED) and not self._outbox

    def awaits_pong(self, payload: bytes) -> bool:  # noqa: ARG002 - as everywhere
        """``False``: there are no pings."""
        return False

    @property
    def latency(self) -> Latency | None:
        """``None``: there are no pings to measure it by."""
        return None

    # --- behind the face ----------------------------------------------------------------------------------------------

    def _receive_otherwise(self, data: Buffer) -> list[Event]:
        if not self._closing.may_receive:
            return []
        self._last_activity = self._now
        data = data if type(data) is bytes else bytes(data)
        return self._decode(data) if self._backlog is None else self._expand(data)

    def _react_to_decoded(self, events: list[Event], controls: int) -> list[Event]:  # pragma: no cover - no codec's
        raise AssertionError(f"no frames can have come: {events}, {controls}")

    def _next_decoded(self, backlog: Backlog, room: int) -> list[Event]:  # noqa: ARG002 - one slice may overshoot it
        return self._decode(backlog.unread.take())

    def _begin_close(self, code: int, reason: str) -> None:
        # The code and the reason do not cross: they stand in this side's report.
        check_goodbye(code, reason)
        self._goodbye = CloseFrame(code, reason)
        self._closing.close(_END.code, _END.reason)
        self._begin_closing_time()

    def _decode(self, data: bytes) -> list[Event]:
        decoder = self._codec_decoder
        messages = decoder.decode(data)
        if self._pipeline is not None:
            return self._keep_sealed(messages, decoder.failure, in_message=decoder.in_message)
        return self._react([*messages], decoder.failure)

    def _react(self, events: list[Event], end: CloseFrame | RemoteProtocolError | None) -> list[Event]:
        self._messages_received += len(events)
        if end is None:
            return events
        if isinstance(end, CloseFrame):
            self._closing.close_received(end)
        else:
            self._closing.offended(end)
        return [*events, self._ended(had_messages=bool(events))]

    def _bytes_ended(self) -> list[Event]:
        self._codec_decoder.finish()
        return self._react([], self._codec_decoder.failure or _END)

    def _ended(self, *, had_messages: bool) -> Closed:
        """The peer has ended its direction, or broken a rule. What came before can still be answered."""
        closed = self._settled()
        if had_messages or self._is_being_answered():
            # A peer that ends its direction after its question waits for the answer: so half of the time there is.
            limit = self._timeouts.closing_timeout
            self._timers.set(Timer.GRACE, self._now, None if limit is None else limit / 2)
        else:
            self._grace_over()
        return closed

    def _answer_close(self) -> None:
        self._closing.close(_END.code, _END.reason)

    def _settled(self, *, timer: Timer | None = None, error: BaseException | None = None) -> Closed:
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

    #: What each timer does when it fires.
    _EXPIRED: ClassVar[Mapping[Timer, Callable[[Any], list[Event]]]] = MappingProxyType(
        {
            Timer.IDLE: EngineBase._idle_too_long,
            Timer.GRACE: EngineBase._grace_over,
            Timer.CLOSING: EngineBase._closing_expired,
        }
    )
