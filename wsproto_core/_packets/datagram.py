"""The engine of one UDP peer: a message in each datagram.

Its face is the one of :mod:`wsproto_core._driver.connection`, with datagrams for bytes: ``receive_data`` takes one,
``data_to_send`` gives each as one. After every call, send what ``data_to_send(now)`` gives, then sleep until a
datagram comes or ``next_deadline()`` is reached.

Nothing that a datagram holds can end a connection but a goodbye with the right token: whatever else is wrong with it,
it is counted and dropped, because anybody can send a datagram in anybody's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from .._codes import CloseCode
from .._config import Limits, Timeouts
from .._driver.statistics import Latency, Statistics, include
from .._driver.waiting import WaitingMessages
from .._errors import LocalProtocolError, MessageTooLarge
from .._events import CloseReport, Event
from .._protocol.sending import PreparedMessage
from .._types import Buffer, Initiator, Message, Receive, State, Timer
from .packet import DatagramCodec, Kind, Packet, parse_packet
from .payload import check_goodbye, encode_payload
from .session import Address, DatagramSession
from .statistics import DatagramStatistics

if TYPE_CHECKING:
    from .._pipeline.session import PipelineSession

__all__ = ["DatagramPeer"]

_DEFAULT_CODEC: Final = DatagramCodec()
_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()
#: What a socket counts its drops with.
_COUNTER: Final = 0xFFFF_FFFF


class DatagramPeer(DatagramSession):
    """One UDP peer, without its socket: a client, or one of two equals with ``verify=False``; a server's are made by
    :class:`DatagramServer`.

    With ``codec.verify`` it says hello by itself, and :class:`Accepted` is the event of its being open; otherwise it is
    open at once. ``entropy``: a source of unpredictable bytes, such as ``os.urandom``, for the first sequence number.
    Of ``limits`` count ``message_size`` (larger messages are dropped), ``inbox_size`` (the receive queue) and
    ``outbox_size``; of ``timeouts`` ``opening_timeout``, ``ping_interval`` and ``pong_timeout`` (with a header only)
    and ``idle_timeout``: the time without a datagram *from* the peer, because what is sent to it proves nothing.
    ``pipeline`` seals what is sent and opens what comes; what it cannot open is malformed. ``now``: monotonic seconds.
    ``address`` is kept for the application.

    Nobody answers a goodbye: a connection that this side closed, or that fell idle, reports ``received_code`` 1005.
    """

    def __init__(
        self,
        codec: DatagramCodec = _DEFAULT_CODEC,
        *,
        entropy: Callable[[int], bytes],
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        pipeline: PipelineSession | None = None,
        now: float,
        address: Address | None = None,
    ) -> None:
        super().__init__(
            codec,
            entropy=entropy,
            limits=limits,
            timeouts=timeouts,
            pipeline=pipeline,
            now=now,
            address=address,
            is_served=False,
        )
        self._wake: Callable[[DatagramPeer], None] | None = None
        self._socket_drops = 0
        if codec.verify:
            self._state = State.CONNECTING
            self._timers.set(Timer.OPENING, now, timeouts.opening_timeout)
            self._say_hello()
        else:
            self._open()

    @classmethod
    def served(
        cls,
        codec: DatagramCodec,
        *,
        entropy: Callable[[int], bytes],
        limits: Limits,
        timeouts: Timeouts,
        pipeline: PipelineSession | None,
        now: float,
        address: Address,
        wake: Callable[[DatagramPeer], None],
    ) -> Self:
        """A server's peer, open at once; ``wake`` is told when there is something to send, or to tell. For
        :class:`DatagramServer`.
        """
        self = cls.__new__(cls)
        DatagramSession.__init__(
            self,
            codec,
            entropy=entropy,
            limits=limits,
            timeouts=timeouts,
            pipeline=pipeline,
            now=now,
            address=address,
            is_served=True,
        )
        self._wake = wake
        self._socket_drops = 0
        self._open()
        return self

    # --- in, from the world -------------------------------------------------------------------------------------------

    def receive_data(self, data: Buffer, now: float) -> list[Event]:
        """Take one datagram; return what it means. Never raises for what it holds."""
        data = data if type(data) is bytes else bytes(data)
        if not self.codec.header:
            return self._receive(len(data), now, self._message, data)
        packet = parse_packet(data)
        if packet is None:
            self._statistics.malformed += 1
            self._statistics.bytes_received += len(data)
            return self._take_undelivered()
        return self.receive_packet(packet, len(data), now)

    def receive_packet(self, packet: Packet, size: int, now: float) -> list[Event]:
        """Take a datagram of ``size`` bytes that somebody has parsed. For :class:`DatagramServer`."""
        if self._state is State.CONNECTING and packet.kind not in (Kind.COOKIE, Kind.WELCOME):
            return []
        return self._receive(size, now, self._take, packet)

    def transport_lost(self, error: BaseException | None, now: float) -> list[Event]:
        """The socket is gone. ``error`` is what it complained of, if it did."""
        self._now = now
        events = self._take_undelivered()
        if self._report is None:
            events.append(self._ended(Initiator.NETWORK, CloseCode.ABNORMAL_CLOSURE, error=error))
        self._discard()
        return events

    def handle_timeout(self, now: float) -> list[Event]:
        """Do whatever is due at ``now``. Harmless when nothing is."""
        self._now = now
        events = self._take_undelivered()
        while (timer := self._timers.pop_expired(now)) is not None:
            if timer is Timer.OPENING:
                events.append(self._ended(Initiator.LOCAL, CloseCode.ABNORMAL_CLOSURE, timer=Timer.OPENING))
                self._discard()
            elif timer is Timer.PING:
                self._ping_due()
            elif timer is Timer.PONG:
                events += self._pong_overdue()
            else:
                events += self._idle_too_long()
        return events

    def report_socket_drops(self, total: int) -> None:
        """Report how many datagrams the socket has had no room for since it was made, modulo 2**32: what Linux tells by
        ``SO_RXQ_OVFL``.
        """
        self._statistics.socket_drops += (total - self._socket_drops) & _COUNTER
        self._socket_drops = total

    # --- verbs, from the application ----------------------------------------------------------------------------------

    def send(self, message: Message | Buffer) -> None:
        """Queue a message; ``str`` leaves as UTF-8, whatever the codec. With ``codec.text`` bytes have to be UTF-8.

        Raises :exc:`MessageTooLarge` for what no datagram holds, :exc:`OutboxFull` without room, :exc:`TypeError`,
        or :exc:`ConnectionClosed`; then nothing was queued.
        """
        payload = encode_payload(message, text=self.codec.text)
        if self._pipeline is None:
            self._check_fits(payload)
        self._check_can_send()
        if self._pipeline is not None:
            payload = self._pipeline.seal(message, max_size=self.codec.max_payload)
        self._put(Kind.MESSAGE, payload)
        self._statistics.messages_sent += 1

    def send_at_once(self, message: Message | Buffer, /) -> bool:  # noqa: ARG002 - as everywhere
        """``False``: every message becomes a datagram of its own, which :meth:`send` makes."""
        return False

    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that goes to many peers. Raises what :meth:`send` raises."""
        self.send(message.original)

    def ping(self, payload: Buffer | None = None, *, now: float | None = None) -> bytes:
        """Queue a ping and return the bytes to recognise its :class:`Pong` by, which carries the round trip. ``now`` is
        when it leaves. Raises what :meth:`send` raises; without a header, or with a ``payload``, always.
        """
        if not self.codec.header or payload is not None:
            raise LocalProtocolError(
                "a datagram without a header cannot be a ping, and one with a header has no room for your payload"
            )
        self._check_can_send()
        self._now = now if now is not None else self._now
        return self._ping()

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, now: float | None = None) -> None:
        """Say goodbye, behind everything that is queued, and be closed; without a header nobody is told. Before it is
        open, the connection is abandoned. Does nothing the second time.

        Raises :exc:`LocalProtocolError` or :exc:`TypeError`, naming the argument, for what a close frame could not
        carry.
        """
        payload = check_goodbye(code, reason)
        self._now = now if now is not None else self._now
        if self._state is State.CLOSED:
            return
        if self._state is State.OPEN:
            closed = self._say_goodbye(code, reason, payload)
        else:
            self._discard()
            closed = self._ended(Initiator.LOCAL, CloseCode.ABNORMAL_CLOSURE)
        self._undelivered.append(closed)
        self._wake_up()

    def abort(self, *, now: float | None = None) -> None:
        """Give it up: nobody is told."""
        self._now = now if now is not None else self._now
        self._discard()
        if self._report is None:
            self._undelivered.append(self._ended(Initiator.LOCAL, CloseCode.ABNORMAL_CLOSURE))
        self._wake_up()

    # --- pull-style reception -----------------------------------------------------------------------------------------

    def gather(self, events: Sequence[Event]) -> list[Event]:
        """Move the messages of a batch into the receive queue; return the other events. What the queue has no room for,
        ``codec.drop`` decides.
        """
        if self._waiting is None:
            self._waiting = WaitingMessages(self._limits.inbox_size, self.codec.drop)
        self._waiting.put([event for event in events if isinstance(event, str | bytes)])
        return [event for event in events if not isinstance(event, str | bytes)]

    def next_message(self) -> Message | None:
        """The oldest message of the receive queue; ``None`` if there is none."""
        return None if self._waiting is None else self._waiting.take()

    def message_at_hand(self) -> Message | None:
        """The same: taking one changes nothing else."""
        return self.next_message()

    # --- out, to the world --------------------------------------------------------------------------------------------

    def data_to_send(self, now: float | None = None) -> list[bytes]:
        """Take the datagrams that wait, in order; each is one of its own. ``now`` is what their headers tell: left out,
        jitter and round trips include the time since the engine was last given it.
        """
        self._now = now if now is not None else self._now
        if not self._outbox:
            return []
        datagrams = [self._datagram(kind, body) for kind, body in self._outbox]
        self._statistics.bytes_sent += sum(map(len, datagrams))
        self._discard()
        return datagrams

    def next_deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`, in monotonic seconds; ``None`` for never."""
        return self._now if self._undelivered else self._timers.next_deadline

    # --- predicates and facts -----------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Connecting, open or closed."""
        return self._state

    @property
    def wants_read(self) -> bool:
        """Whether the socket should be read. It always should: what is not read is dropped without being counted."""
        return self._state is not State.CLOSED

    @property
    def is_flowing(self) -> bool:
        """Whether it is open: datagrams are always read."""
        return self.state is State.OPEN

    @property
    def can_send(self) -> bool:
        """Whether :meth:`send` would take a message: it is open, and the outbox below ``Limits.outbox_size``."""
        return self._state is State.OPEN and self._has_room

    @property
    def should_abort(self) -> bool:
        """Whether to close the socket: it is over, and nothing waits to be sent."""
        return self._state is State.CLOSED and not self._outbox

    @property
    def receive(self) -> Receive:
        """Whole messages, always."""
        return Receive.MESSAGES

    def awaits_pong(self, payload: bytes) -> bool:
        """Whether the ping with ``payload`` is still unanswered. Its answer may have been lost."""
        return self._keepalive.awaits(payload)

    @property
    def bytes_queued(self) -> int:
        """Bytes that :meth:`data_to_send` has not given out yet, headers included."""
        return self._outbox_size

    @property
    def latency(self) -> Latency | None:
        """Round trips of pings and echoed timestamps so far; ``None`` before the first."""
        return self._keepalive.latency

    @property
    def statistics(self) -> DatagramStatistics:
        """What has been counted and measured so far, as a copy."""
        seen = self._reception
        return replace(
            self._statistics,
            expected=seen.expected,
            lost=seen.lost,
            duplicates=seen.duplicates,
            reordered=seen.reordered,
            stale=seen.stale,
            jitter=seen.jitter,
            queue_drops=0 if self._waiting is None else self._waiting.dropped,
        )

    def count_into(self, total: Statistics) -> None:
        """Add to ``total`` what every kind of connection counts, so far."""
        include(total, self._statistics)

    @property
    def close_report(self) -> CloseReport | None:
        """How it ended; ``None`` until that is settled."""
        return self._report

    def _check_fits(self, payload: bytes) -> None:
        if len(payload) > self.codec.max_payload:
            raise MessageTooLarge(
                f"message: a datagram has room for {self.codec.max_payload} bytes, not {len(payload)}"
            )

    def _wake_up(self) -> None:
        if self._wake is not None:
            self._wake(self)
