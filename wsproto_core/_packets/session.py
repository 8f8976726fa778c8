"""What happens behind the face of a datagram peer: packets, timers and the end.

:class:`DatagramSession` holds the parts together and lets them react to one another; :class:`DatagramPeer`, in
``datagram``, is what its users see.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, TypeVar

from .._codes import CloseCode
from .._config import Limits, Timeouts
from .._driver.keepalive import Keepalive
from .._driver.sealing import wire_limits
from .._driver.timers import Timers
from .._driver.waiting import WaitingMessages
from .._errors import ConnectionClosed, LocalProtocolError, OutboxFull, RemoteProtocolError
from .._events import Accepted, Closed, CloseReport, Event, Ping, Pong
from .._headers import Headers
from .._types import Initiator, Message, State, Timer
from .packet import TOKEN_SIZE, DatagramCodec, Kind, Packet, encode_packet, microseconds, parse_goodbye
from .payload import check_goodbye
from .reception import Reception, signed
from .statistics import DatagramStatistics

if TYPE_CHECKING:
    from .._pipeline.session import PipelineSession

__all__ = ["Address", "DatagramSession", "check_codec"]

T = TypeVar("T")

#: What a socket calls the other end: ``(host, port)`` and the like.
Address: TypeAlias = tuple[Any, ...] | str | bytes

#: A hello is said again after this many seconds, then after twice as many, up to the second number.
_HELLO_WAITS: Final = (0.25, 1.0)
_MAX_HELD: Final = 0xFFFF_FFFF
#: What a queued datagram costs beside its body, at the most: a header with an echo.
_OVERHEAD: Final = 17


class LossyKeepalive(Keepalive):
    """Pings that may be lost: of many unanswered ones, the oldest is given up."""

    __slots__ = ()

    def ping_sent(self, payload: bytes, now: float) -> None:
        """A ping was queued at ``now``."""
        if self.is_waiting_for_many and self._outstanding is not None:
            self._outstanding.popitem(last=False)
        super().ping_sent(payload, now)


class DatagramSession:
    """The parts of one peer, and how they react to one another."""

    # budget: one parameter a line
    def __init__(
        self,
        codec: DatagramCodec,
        *,
        entropy: Callable[[int], bytes],
        limits: Limits,
        timeouts: Timeouts,
        pipeline: PipelineSession | None,
        now: float,
        address: Address | None,
        is_served: bool,
    ) -> None:
        check_codec(codec, pipeline)
        #: How messages stand in datagrams.
        self.codec = codec
        # Seals what is sent and opens what comes.
        self._pipeline = pipeline
        #: The other end, as the socket calls it.
        self.address = address
        self._limits = wire_limits(limits, pipeline)
        self._timeouts = timeouts
        self._now = now
        # Whether a server made it, for an address that it has verified.
        self._is_served = is_served
        self._state = State.OPEN
        self._report: CloseReport | None = None
        self._timers = Timers()
        self._keepalive = LossyKeepalive(now)
        self._last_life = now
        self._reception = Reception()
        self._statistics = DatagramStatistics()
        self._waiting: WaitingMessages | None = None
        # Events that a verb has caused: the next *in* call returns them.
        self._undelivered: list[Event] = []
        self._token = bytes(TOKEN_SIZE)
        self._hello_wait = _HELLO_WAITS[0]
        self._hello_at = now
        self._sequence = int.from_bytes(entropy(4), "big") if codec.header else 0
        # Timestamp of the latest message, and when it came: the next message to leave echoes it.
        self._echo: tuple[int, float] | None = None
        # What waits to leave; its header is made when it does.
        self._outbox: deque[tuple[Kind, bytes]] = deque()
        self._outbox_size = 0

    # --- receiving ----------------------------------------------------------------------------------------------------

    def _receive(self, size: int, now: float, take: Callable[[T], list[Event]], what: T) -> list[Event]:
        self._now = now
        self._statistics.bytes_received += size
        events = self._take_undelivered()
        if self._state is State.CLOSED:
            return events
        self._last_life = now
        return events + take(what)

    def _message(self, body: bytes) -> list[Event]:
        """Deliver a message, if it is one."""
        limit = self._limits.message_size
        if limit is not None and len(body) > limit:
            self._statistics.oversized += 1
            return []
        try:
            message: Message = str(body, "utf-8") if self.codec.text else body
            if self._pipeline is not None:
                message = self._pipeline.open(message)
        except (UnicodeDecodeError, RemoteProtocolError):  # anybody can send in anybody's name: it ends nothing
            self._statistics.malformed += 1
            return []
        self._statistics.messages_received += 1
        return [message]

    def _take(self, packet: Packet) -> list[Event]:
        return self._TAKEN[packet.kind](self, packet)

    def _take_message(self, packet: Packet) -> list[Event]:
        if not self._reception.arrived(packet.sequence, packet.timestamp, self._now):
            return []
        if packet.echo is not None:
            timestamp, held = packet.echo
            round_trip = signed(microseconds(self._now) - timestamp - held)
            if round_trip >= 0:
                self._keepalive.round_trip_took(round_trip / 1_000_000)
        self._echo = packet.timestamp, self._now
        return self._message(packet.body)

    def _take_ping(self, packet: Packet) -> list[Event]:
        self._statistics.pings_received += 1
        self._reception.announced(packet.sequence)
        self._statistics.pongs_sent += self._answer(Kind.PONG, packet.body)
        return [Ping(packet.body)]

    def _take_pong(self, packet: Packet) -> list[Event]:
        self._statistics.pongs_received += 1
        self._reception.announced(packet.sequence)
        return [Pong(packet.body, self._keepalive.pong_received(packet.body, self._now))]

    def _take_hello(self, packet: Packet) -> list[Event]:
        """A client speaks, for the first time or because our welcome was lost. Its token has been verified."""
        if self._is_served:
            self._token = packet.body
            self._reception.begin(packet.sequence)
            self._answer(Kind.WELCOME, self._token)
        return []

    def _take_cookie(self, packet: Packet) -> list[Event]:
        """The server does not know us, or no longer."""
        # The same cookie again only after a while: two ends that misunderstand each other do not echo in haste.
        is_news = packet.body != self._token or self._now >= self._hello_at + _HELLO_WAITS[0]
        if not self._is_served and is_news:
            self._token = packet.body
            self._hello_wait = _HELLO_WAITS[0]
            self._say_hello()
        return []

    def _take_welcome(self, packet: Packet) -> list[Event]:
        if self._is_served or not hmac.compare_digest(packet.body, self._token):
            return []
        self._reception.begin(packet.sequence)
        if self._state is State.OPEN:
            return []
        self._timers.clear_all()
        self._open()
        return [Accepted(Headers())]

    def _take_goodbye(self, packet: Packet) -> list[Event]:
        goodbye = parse_goodbye(packet.body)
        if goodbye is None or not hmac.compare_digest(goodbye[0], self._token):
            self._statistics.malformed += 1
            return []
        _, code, reason = goodbye
        return [self._ended(Initiator.PEER, code, reason, received_code=code)]

    # --- sending ------------------------------------------------------------------------------------------------------

    @property
    def _has_room(self) -> bool:
        return self._outbox_size < self._limits.outbox_size

    def _check_can_send(self) -> None:
        if self._report is not None:
            raise ConnectionClosed.from_report(self._report)
        if self._state is State.CONNECTING:
            raise LocalProtocolError("the connection is not open yet")
        if not self._has_room:
            raise OutboxFull(
                f"{self._outbox_size} bytes wait already; Limits.outbox_size is {self._limits.outbox_size}"
            )

    def _put(self, kind: Kind, body: bytes) -> None:
        self._outbox.append((kind, body))
        self._outbox_size += len(body) + (_OVERHEAD if self.codec.header else 0)
        self._wake_up()

    def _wake_up(self) -> None:
        """There is something to send, or to tell."""

    def _datagram(self, kind: Kind, body: bytes) -> bytes:
        """The datagram as it leaves now."""
        if not self.codec.header:
            return body
        sequence, timestamp = self._sequence, microseconds(self._now)
        if kind is not Kind.MESSAGE:
            return encode_packet(kind, sequence, timestamp, body)
        self._sequence += 1
        if self._echo is None:
            return encode_packet(kind, sequence, timestamp, body)
        echoed, came_at = self._echo
        self._echo = None  # once: a second time would tell nothing new
        held = min(_MAX_HELD, int((self._now - came_at) * 1_000_000))
        return encode_packet(Kind.ECHO, sequence, timestamp, body, (echoed, held))

    def _ping(self) -> bytes:
        payload = self._keepalive.next_payload()
        self._put(Kind.PING, payload)
        self._keepalive.ping_sent(payload, self._now)
        self._statistics.pings_sent += 1
        return payload

    def _answer(self, kind: Kind, body: bytes) -> bool:
        """Queue what was provoked from outside, if there is room; return whether there was."""
        if not self._has_room:
            return False
        self._put(kind, body)
        return True

    def _say_hello(self) -> None:
        self._hello_at = self._now
        self._answer(Kind.HELLO, self._token)
        if self._state is State.CONNECTING:
            self._timers.set(Timer.PING, self._now, self._hello_wait)
            self._hello_wait = min(2 * self._hello_wait, _HELLO_WAITS[1])

    def _say_goodbye(self, code: int, reason: str, payload: bytes, timer: Timer | None = None) -> Closed:
        header = self.codec.header
        closed = self._ended(
            Initiator.LOCAL,
            code,
            reason,
            timer=timer,
            sent_code=code if header else None,
            received_code=CloseCode.NO_STATUS_RECEIVED,
        )
        if header:
            self._put(Kind.GOODBYE, self._token + payload)
        return closed

    def _discard(self) -> None:
        self._outbox.clear()
        self._outbox_size = 0

    # --- timers, and the end ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._state = State.OPEN
        self._timers.set(Timer.IDLE, self._now, self._timeouts.idle_timeout)
        if self.codec.header:
            self._timers.set(Timer.PING, self._now, self._timeouts.ping_interval)

    def _ping_due(self) -> None:
        if self._state is State.CONNECTING:
            self._say_hello()
            return
        interval = self._timeouts.ping_interval
        assert interval is not None, "the timer is set only with an interval"
        if self._last_life + interval > self._now:
            self._timers.set(Timer.PING, self._last_life, interval)
            return
        self._timers.set(Timer.PING, self._now, interval)
        self._ping()
        if not self._timers.is_set(Timer.PONG):
            self._keepalive.asked_at = self._now
            self._timers.set(Timer.PONG, self._now, self._timeouts.pong_timeout)

    def _pong_overdue(self) -> list[Event]:
        if self._keepalive.is_answered(self._last_life):
            return []
        return [self._ended(Initiator.LOCAL, CloseCode.ABNORMAL_CLOSURE, timer=Timer.PONG)]

    def _idle_too_long(self) -> list[Event]:
        timeout = self._timeouts.idle_timeout
        assert timeout is not None, "the timer is set only with a timeout"
        if self._last_life + timeout > self._now:
            self._timers.set(Timer.IDLE, self._last_life, timeout)
            return []
        payload = check_goodbye(CloseCode.GOING_AWAY, "idle")
        return [self._say_goodbye(CloseCode.GOING_AWAY, "idle", payload, Timer.IDLE)]

    def _ended(
        self,
        initiator: Initiator,
        code: int,
        reason: str = "",
        *,
        timer: Timer | None = None,
        received_code: int | None = None,
        sent_code: int | None = None,
        error: BaseException | None = None,
    ) -> Closed:
        """It has ended: the one ``Closed`` event."""
        pong = self._keepalive.last_pong
        self._state = State.CLOSED
        self._timers.clear_all()
        self._report = CloseReport(
            initiator=initiator,
            code=code,
            reason=reason,
            at=self._now,
            timer=timer,
            received_code=received_code,
            sent_code=sent_code,
            pong_age=None if pong is None else self._now - pong,
            bytes_queued=self._outbox_size,
            error=error,
        )
        return Closed(self._report)

    def _take_undelivered(self) -> list[Event]:
        """Events that a verb has caused."""
        events, self._undelivered = self._undelivered, []
        return events

    #: What each kind of packet does.
    _TAKEN: ClassVar[Mapping[Kind, Callable[[DatagramSession, Packet], list[Event]]]] = MappingProxyType(
        {
            Kind.MESSAGE: _take_message,
            Kind.ECHO: _take_message,
            Kind.PING: _take_ping,
            Kind.PONG: _take_pong,
            Kind.HELLO: _take_hello,
            Kind.COOKIE: _take_cookie,
            Kind.WELCOME: _take_welcome,
            Kind.GOODBYE: _take_goodbye,
        }
    )


def check_codec(codec: DatagramCodec, pipeline: PipelineSession | None) -> None:
    """Raise :exc:`ValueError` unless what ``pipeline`` seals can be sent by ``codec``."""
    if pipeline is not None and codec.text:
        raise ValueError("codec: sealed messages are any bytes, and no text")
