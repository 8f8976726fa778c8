"""What happens behind the face: opening, receiving, closing and timers of one connection.

:class:`Engine` holds the parts together and lets them react to one another; :class:`Connection`, in
``connection.py``, is what its users see. Rules of the protocol belong into ``_protocol``; what is here is policy.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from .._codes import CloseCode
from .._config import Limits, Timeouts
from .._errors import RemoteProtocolError
from .._events import Closed, Event, Fragment, Ping, Pong
from .._protocol.receiving import CloseFrame, conclusion, make_decoder
from .._protocol.sending import Sender
from .._protocol.states import Phase
from .._types import Buffer, Opcode, Receive, Role, Timer
from .base import EngineBase
from .expansion import SLICE_SIZE, Backlog, Decoding, memory_of_messages
from .flow import ControlRate
from .keepalive import Keepalive

if TYPE_CHECKING:
    from .._extensions.base import MessageTransform
    from .._pipeline.session import PipelineSession

__all__ = ["Engine"]

#: More memory than this is never in one batch: C's numbers end.
_MOST_ROOM: Final = 0x7FFFFFFF
#: How long an owed close frame waits for the application's last answers, in seconds; or half the closing timeout.
_GRACE: Final = 1.0
# In 3.11 a member is found faster as a name of a module than as an attribute of its enum.
_CONNECTING: Final = Phase.CONNECTING
_WHOLE_MESSAGES: Final = Receive.MESSAGES


class Engine(EngineBase):
    """The parts of one connection, and how they react to one another."""

    __slots__ = (
        "_entropy", "_has_parts", "_pings", "_receive", "_role", "_started", "extensions", "subprotocol",
    )  # fmt: skip

    def __init__(
        self,
        role: Role,
        *,
        limits: Limits,
        timeouts: Timeouts,
        receive: Receive,
        fragment_size: int,
        pipeline: PipelineSession | None,
        entropy: Callable[[int], bytes] | None,
        now: float | None,
    ) -> None:
        if fragment_size < 1:
            raise ValueError(f"fragment_size must be positive, not {fragment_size!r}")
        if pipeline is not None and receive is not _WHOLE_MESSAGES:
            raise ValueError("receive: a pipeline opens whole messages")
        super().__init__(limits, timeouts, fragment_size, pipeline, now if now is not None else 0.0)
        self._role = role
        self._receive = receive
        self._has_parts = receive is not _WHOLE_MESSAGES
        self._is_plain = not self._has_parts and pipeline is None
        self._entropy = entropy
        self._started = False
        self._pings: Keepalive | None = None  # once there are any
        self._control_rate: ControlRate | None = None
        #: The subprotocol agreed on, or ``None``.
        self.subprotocol: str | None = None
        #: The names of the extensions in use.
        self.extensions: tuple[str, ...] = ()
        if now is not None:
            self._start(now)

    @property
    def _keepalive(self) -> Keepalive:
        if self._pings is None:
            self._pings = Keepalive(self._last_life)
        return self._pings

    # --- opening ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def _receive_handshake(self, data: bytes) -> list[Event]:
        """Take handshake bytes."""

    def _start(self, now: float) -> None:
        """Begin to count time."""
        if not self._started:
            self._started = True
            self._now = self._last_life = self._last_activity = now
            self._timers.set(Timer.OPENING, now, self._timeouts.opening_timeout)

    def _open(
        self, subprotocol: str | None, extensions: tuple[str, ...], transforms: Sequence[MessageTransform], rest: bytes
    ) -> list[Event]:
        """The handshake is done: frames from here on. ``rest`` came behind it."""
        now = self._now
        self._closing.opened()
        self.subprotocol = subprotocol
        self.extensions = extensions
        sender = Sender(self._frames, self._entropy, transforms)
        self._outbox.open(sender, takes_messages=self._pipeline is None)
        self._decoder = make_decoder(self._hears_as, receive=self._receive, limits=self._limits, transforms=transforms)
        if transforms or self._pipeline is not None:
            self._backlog = Backlog(SLICE_SIZE if transforms else None)
        self._decoder.control_allowance = self._limits.control_frame_rate
        self._control_rate = ControlRate(self._limits.control_frame_rate, now)
        self._last_activity = now
        self._timers.clear_all()  # the opening timer was the only one
        if self._timeouts.ping_interval is not None:
            self._timers.set(Timer.PING, now, self._timeouts.ping_interval)
        if self._timeouts.idle_timeout is not None:
            self._timers.set(Timer.IDLE, now, self._timeouts.idle_timeout)
        if not rest:
            return []
        return self._decode_frames(rest) if self._backlog is None else self._expand(rest)

    @property
    def _hears_as(self) -> Role:
        """Whose ears this side has: a server hears masked frames, a client unmasked ones (RFC 6455 §5.1)."""
        return self._role

    def _handshake_offence(self, offence: RemoteProtocolError, timer: Timer | None = None) -> Closed:
        self._closing.offended(offence)
        return self._settled(timer=timer)

    # --- receiving ----------------------------------------------------------------------------------------------------

    def _receive_otherwise(self, data: Buffer) -> list[Event]:
        if self._closing.may_receive:
            return self._expand(bytes(data))
        if self._closing.phase is not _CONNECTING:
            return []
        self._start(self._now)
        return self._receive_handshake(bytes(data))

    def _react_to_decoded(self, events: list[Event], controls: int) -> list[Event]:
        decoder, rate = self._decoder, self._control_rate
        assert decoder is not None, "an open connection has a decoder"
        assert rate is not None, "an open connection counts control frames"
        rate.spend(controls, self._now)
        if self._pipeline is not None:
            return self._keep_sealed(events, conclusion(decoder), in_message=decoder.in_message)
        messages = len(events) - controls + (decoder.close_payload is not None)
        if messages > 0 or decoder.in_message:
            self._last_activity = self._now
            self._messages_received += self._whole_messages(events) if self._has_parts else messages
        if controls:
            self._answer_controls(events)
        self._conclude(conclusion(decoder), events, had_messages=messages > 0)
        return events

    def _next_decoded(self, backlog: Backlog, room: int) -> list[Event]:
        decoder, rate, least = self._decoder, self._control_rate, self.work_size
        assert decoder is not None, "an open connection has a decoder"
        assert rate is not None, "an open connection counts control frames"
        if backlog.decoded is not None:
            decoded, backlog.decoded = backlog.decoded, None
            events = self._react_to_decoded(decoded.events, decoded.controls)
            backlog.batch_size += memory_of_messages(events)
            return events
        # Only a large message is worth it: small ones, however many, hold the interpreter most of the time.
        if least is None or decoder.transformed_size < least or backlog.unread.size < least:
            data = backlog.unread.peek()
            decoder.room = room = min(room, _MOST_ROOM)
            events = self._decode_frames(data)
            backlog.unread.skip(len(data) - decoder.undecoded)
            # What was transformed is counted already, and what else there is cannot have expanded.
            counted = room - decoder.room if events else 0
            backlog.batch_size += counted or memory_of_messages(events)
            return events
        decoder.control_allowance = rate.allowance(self._now)
        backlog.decoding = Decoding(decoder, backlog.unread.take_all(), min(room, _MOST_ROOM))
        return []

    @staticmethod
    def _whole_messages(events: list[Event]) -> int:
        """How many messages end among ``events``, which hold parts of them."""
        return sum(isinstance(event, Fragment) and event.final for event in events)

    def _react(self, events: list[Event], end: CloseFrame | RemoteProtocolError | None) -> list[Event]:
        messages = sum(isinstance(event, str | bytes) for event in events)
        if messages:
            self._last_activity = self._now
            self._messages_received += messages
        self._answer_controls(events)
        self._conclude(end, events, had_messages=messages > 0)
        return events

    def _answer_controls(self, events: list[Event]) -> None:
        for index, event in enumerate(events):
            if isinstance(event, Ping):
                self._statistics.pings_received += 1
                if self._closing.may_send:  # RFC 6455 §5.5.2
                    self._statistics.pongs_sent += self._outbox.put_pong(event.payload)
            elif isinstance(event, Pong):
                self._statistics.pongs_received += 1
                events[index] = Pong(event.payload, self._keepalive.pong_received(event.payload, self._now))

    def _conclude(
        self, end: CloseFrame | RemoteProtocolError | None, events: list[Event], *, had_messages: bool
    ) -> None:
        """React to what ended the peer's frames, if anything did."""
        if end is None:
            return
        if isinstance(end, CloseFrame):
            self._closing.close_received(end)
        else:
            self._closing.offended(end)
        events.append(self._settled())
        if not self._closing.owes_close_frame:
            return
        if had_messages or self._is_being_answered():
            limit = self._timeouts.closing_timeout
            self._timers.set(Timer.GRACE, self._now, _GRACE if limit is None else min(_GRACE, limit / 2))
        else:
            self._answer_close()

    def _ping(self, payload: bytes, now: float | None) -> bytes:
        self._now = now if now is not None else self._now
        self._outbox.put_control(Opcode.PING, payload)
        self._keepalive.ping_sent(payload, self._now)
        self._statistics.pings_sent += 1
        return payload

    # --- closing ------------------------------------------------------------------------------------------------------

    def _begin_close(self, code: int, reason: str) -> None:
        self._outbox.put_close(self._closing.close(code, reason))
        self._begin_closing_time()

    def _answer_close(self) -> None:
        self._outbox.put_close(self._closing.answer())

    def _settled(self, *, timer: Timer | None = None, error: BaseException | None = None) -> Closed:
        self._begin_closing_time()
        pong = None if self._pings is None else self._pings.last_pong
        return Closed(
            self._closing.settle(
                at=self._now,
                pong_age=None if pong is None else self._now - pong,
                bytes_queued=self._outbox.size,
                timer=timer or self._cause,
                error=error,
            )
        )

    def _transport_end(self, now: float, error: BaseException | None) -> list[Event]:
        self._now = now
        self._transport_ended = True
        if not self._backlog:
            return self._with_undelivered(self._bytes_ended(error))
        self._backlog.has_ended = True
        return self._with_undelivered(self._next_batch())

    def _bytes_ended(self, error: BaseException | None = None) -> list[Event]:
        if self._closing.report is not None:
            return []
        self._closing.transport_ended()
        return [self._settled(error=error)]

    def _show_activity(self, now: float) -> None:
        self._last_life = self._last_activity = now

    # --- timers -------------------------------------------------------------------------------------------------------

    def _opening_timed_out(self) -> list[Event]:
        """The handshake took too long. A server answers that; a client leaves."""
        return self._give_up(Timer.OPENING)

    def _opening_expired(self) -> list[Event]:
        return self._opening_timed_out()

    def _ping_due(self) -> list[Event]:
        now = self._now
        interval = self._timeouts.ping_interval
        assert interval is not None, "the timer is set only with an interval"
        if self._last_life + interval > now:
            self._timers.set(Timer.PING, self._last_life, interval)
            return []
        self._timers.set(Timer.PING, now, interval)
        if not self.wants_read:
            self._show_life()
        elif self._keepalive.is_answered(self._last_life) or not self._timers.is_set(Timer.PONG):
            self._keepalive.asked_at = now
            self._ping(self._keepalive.next_payload(), now)
            self._timers.set(Timer.PONG, now, self._timeouts.pong_timeout)
        return []

    def _show_life(self) -> None:
        """While we do not listen its pings go unanswered: an unasked pong tells that we live (RFC 6455 §5.5.3)."""
        if self._outbox.has_room:
            self._outbox.put_control(Opcode.PONG, b"")
            self._statistics.pongs_sent += 1

    def _pong_overdue(self) -> list[Event]:
        if self._keepalive.is_answered(self._last_life) or not self.wants_read:  # silence, while we listen
            return []
        close = self._closing.close(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")
        events = self._give_up(Timer.PONG)
        self._outbox.put_close(close)
        return events

    #: What each timer does when it fires.
    _EXPIRED: ClassVar[Mapping[Timer, Callable[[Any], list[Event]]]] = MappingProxyType(
        {
            Timer.OPENING: _opening_expired,
            Timer.PING: _ping_due,
            Timer.PONG: _pong_overdue,
            Timer.IDLE: EngineBase._idle_too_long,
            Timer.GRACE: EngineBase._grace_over,
            Timer.CLOSING: EngineBase._closing_expired,
        }
    )
