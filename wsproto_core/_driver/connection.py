"""The face of the engine: what client and server connections have in common.

The interface sorts into four kinds:

* **in, from the world:** :meth:`~Connection.receive_data`, :meth:`~Connection.receive_eof`,
  :meth:`~Connection.transport_lost`, :meth:`~Connection.handle_timeout`, :meth:`~Connection.transmitted`
* **verbs, from the application:** ``connect()``, ``accept()``, ``reject()``, :meth:`~Connection.send`,
  :meth:`~Connection.send_fragment`, :meth:`~Connection.ping`, :meth:`~Connection.pong`, :meth:`~Connection.close`,
  :meth:`~Connection.abort`
* **out, to the world:** events (returned by the *in* calls), :meth:`~Connection.data_to_send`,
  :meth:`~Connection.next_deadline`
* **predicates and facts:** ``state``, ``wants_read``, ``can_send``, ``should_abort``, ``half_close``, ``subprotocol``,
  ``extensions``, ``latency``, ``statistics``, ``close_report``

The contract in one sentence: after every call, write what ``data_to_send()`` gives until it gives nothing, then sleep
until bytes come or ``next_deadline()`` is reached.

Who pulls messages one by one hands every batch to :meth:`~Connection.gather` and asks :meth:`~Connection.next_message`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import UnionType
from typing import Final

from .._codes import CloseCode
from .._errors import ConnectionClosed, LocalProtocolError, OutboxFull
from .._events import CloseReport, Event, Fragment
from .._protocol.sending import PreparedMessage, encode_message
from .._protocol.states import Phase
from .._types import MAX_CONTROL_PAYLOAD, Buffer, Message, Opcode, Receive, Role, State, Timer
from .engine import Engine
from .messages import Inbox
from .statistics import Latency, Statistics

__all__ = ["DEFAULT_FRAGMENT_SIZE", "Connection", "as_bytes"]

#: Larger messages leave in fragments of this size, so that control frames can overtake them (as browsers do).
DEFAULT_FRAGMENT_SIZE: Final = 128 * 1024


class Connection(Engine):
    """One WebSocket connection, without its transport. See the module's docstring for the shape of the interface."""

    # --- in, from the world -------------------------------------------------------------------------------------------

    def receive_data(self, data: Buffer, now: float) -> list[Event]:
        """Take bytes from the transport; return what they mean, in order."""
        self._now = self._keepalive.last_life = now
        self._statistics.bytes_received += len(data)
        if type(data) is not bytes:
            data = bytes(data)
        if self._closing.may_receive:
            events = self._receive_frames(data, now)
        elif self._closing.phase is Phase.CONNECTING:
            self._start(now)
            events = self._receive_handshake(data)
        else:
            events = []
        return self._with_undelivered(events) if self._undelivered else events

    def receive_eof(self, now: float) -> list[Event]:
        """The peer will send no more bytes."""
        return self._transport_end(now, None)

    def transport_lost(self, error: BaseException | None, now: float) -> list[Event]:
        """The transport is gone, both ways: nothing can be sent any more. ``error`` is what it complained of, if it
        did.
        """
        events = self._transport_end(now, error)
        if self._closing.phase is not Phase.CLOSED:
            self._closing.transport_ended()
        self._outbox.discard()
        self._timers.clear_all()
        self._abort = True
        return events

    def handle_timeout(self, now: float) -> list[Event]:
        """Do whatever is due at ``now``. Harmless when nothing is."""
        self._now = now
        self._date_messages()
        return self._with_undelivered(self._expire())

    def transmitted(self, n_bytes: int, now: float) -> None:
        """Report that ``n_bytes`` given out earlier have left this machine's hands.

        Optional. Adapters call it so that a peer which reads slowly, but reads, is not taken for dead: bytes that leave
        while others wait behind them are a sign of life, and the closing time begins when none do.
        """
        self._now = now
        self._date_messages()
        if n_bytes > 0 and self._outbox:
            self._keepalive.last_life = self._last_activity = now
            if self._timers.is_set(Timer.CLOSING):
                self._timers.set(Timer.CLOSING, now, self._timeouts.closing_timeout)

    # --- verbs, from the application ----------------------------------------------------------------------------------

    def send(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Queue a message: ``str`` as text, bytes-like as binary.

        ``compress`` overrides the extension's own choice for this message. An ``urgent`` message goes ahead of those
        that have not begun to leave. Raises :exc:`LocalProtocolError` (:exc:`OutboxFull` without room),
        :exc:`TypeError`, or :exc:`ConnectionClosed`; then nothing was queued.
        """
        opcode, payload = encode_message(message)
        self._check_can_send()
        self._outbox.sender.check_message()
        self._outbox.put_message(opcode, payload, compress, urgent)
        self._message_sent()

    def send_fragment(self, data: Message | Buffer, *, final: bool, compress: bool | None = None) -> None:
        """Queue the next part of a message, all parts being ``str`` or all bytes-like (RFC 6455 §5.4).

        ``compress`` counts with the first part. Raises what :meth:`send` raises.
        """
        opcode, payload = encode_message(data)
        self._check_can_send()
        self._outbox.put_part(self._outbox.sender.part(opcode, payload, final, compress))
        self._has_sent = True
        self._statistics.messages_sent += final

    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that was encoded once for many connections. Raises what :meth:`send` raises."""
        self._check_can_send()
        self._outbox.sender.check_message()
        self._outbox.put_prepared(message)
        self._message_sent()

    def ping(self, payload: Buffer | None = None, *, now: float | None = None) -> bytes:
        """Queue a ping and return its payload, chosen if none is given (RFC 6455 §5.5.2).

        The :class:`Pong` that answers it carries the round trip. Raises what :meth:`send` raises, and
        :exc:`LocalProtocolError` while 64 pings are unanswered.
        """
        self._check_can_send()
        if self._keepalive.is_waiting_for_many:
            raise LocalProtocolError("64 pings are unanswered: wait for a pong")
        return self._ping(self._keepalive.next_payload() if payload is None else _control_payload(payload), now)

    def pong(self, payload: Buffer = b"") -> None:
        """Queue a pong that nobody asked for (RFC 6455 §5.5.3). Pings are answered without it. Raises what
        :meth:`send` raises.
        """
        checked = _control_payload(payload)
        self._check_can_send()
        self._outbox.put_control(Opcode.PONG, checked)
        self._statistics.pongs_sent += 1

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, now: float | None = None) -> None:
        """Begin the closing handshake, behind everything that is queued; ``code`` 1005 sends none (RFC 6455 §7.1.2).

        Before the connection is open it is abandoned instead. Once closing has begun, only a close frame that waited
        for the application is released, with the code it had. Raises :exc:`LocalProtocolError` or :exc:`TypeError`,
        naming the argument, for a code or reason that cannot be sent.
        """
        _check_type("code", code, int)
        _check_type("reason", reason, str)
        self._now = now if now is not None else self._now
        if self._closing.phase is Phase.CONNECTING:
            self.abort()
        elif self._closing.owes_close_frame:
            self._answer_close()
        elif self._closing.may_send:
            self._begin_close(code, reason)

    def abort(self, *, now: float | None = None) -> None:
        """Give the connection up, without a closing handshake: ``should_abort`` is true from now on."""
        self._now = now if now is not None else self._now
        if self._closing.report is None:
            self._closing.give_up()
            self._undelivered.append(self._settled())
        self._abort = True

    # --- pull-style reception -----------------------------------------------------------------------------------------

    def gather(self, events: Sequence[Event]) -> list[Event]:
        """Move the messages of a batch into the inbox; return the other events."""
        if self._inbox is None:
            self._inbox = Inbox(self._limits.inbox_size)
        messages = [event for event in events if isinstance(event, str | bytes | Fragment)]
        if self._closing.phase is Phase.CLOSE_SENT and not self._inbox.has_room:
            # The application has closed and does not listen: what does not fit is dropped, and all behind it, so that
            # the peer's close frame can be reached.
            self._inbox.is_sealed = True
        self._inbox.put(messages)
        if len(messages) == len(events):
            return []
        return [event for event in events if not isinstance(event, str | bytes | Fragment)]

    def next_message(self) -> Message | Fragment | None:
        """The oldest message of the inbox; ``None`` if there is none. Asking for more than there is releases a close
        frame that waited for the application.
        """
        item = None if self._inbox is None else self._inbox.take()
        if item is None and self._closing.owes_close_frame:
            self._answer_close()
        return item

    # --- out, to the world --------------------------------------------------------------------------------------------

    def data_to_send(self) -> list[bytes]:
        """Take the next batch of bytes, as buffers for one vectored write; empty when nothing waits.

        Call it until it is empty, or until the transport wants no more: what has not been taken can still be overtaken.
        """
        if self._closing.owes_close_frame and self._inbox is None and not self._undelivered:
            self._answer_close()  # push-style users write after they have dealt with the batch
        buffers = self._outbox.take()
        for buffer in buffers:
            self._statistics.bytes_sent += len(buffer)
        return buffers

    def next_deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`, in monotonic seconds; ``None`` for never. May be in the past: call at
        once.
        """
        return self._now if self._undelivered else self._timers.next_deadline

    # --- predicates and facts -----------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._closing.state

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
    def half_close(self) -> bool:
        """Whether this side has said everything: end the transport's write side, once what was taken is written.

        A client leaves that to the server, so that the server's end of the transport closes first (RFC 6455 §7.1.1).
        """
        if self._closing.phase is not Phase.CLOSED or self._outbox:
            return False
        return self._role is Role.SERVER or self._transport_ended or not self._closing.is_clean

    @property
    def receive(self) -> Receive:
        """How much of a message is gathered before it is handed over."""
        return self._receive

    def awaits_pong(self, payload: bytes) -> bool:
        """Whether the ping with ``payload`` is still unanswered."""
        return self._keepalive.awaits(payload)

    @property
    def bytes_queued(self) -> int:
        """Bytes that :meth:`data_to_send` has not given out yet."""
        return self._outbox.size

    @property
    def latency(self) -> Latency | None:
        """Round trips of pings so far; ``None`` before the first pong."""
        return self._keepalive.round_trips.summary()

    @property
    def statistics(self) -> Statistics:
        """What has been counted so far, as a copy."""
        return replace(self._statistics)

    @property
    def close_report(self) -> CloseReport | None:
        """How the connection ended; ``None`` until that is settled."""
        return self._closing.report

    # --- sending ------------------------------------------------------------------------------------------------------

    def _check_can_send(self) -> None:
        """Raise unless a frame may be queued now."""
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
        return LocalProtocolError("close() was called: nothing can follow a close frame (RFC 6455 §5.5.1)")

    def _message_sent(self) -> None:
        self._has_sent = True
        self._statistics.messages_sent += 1

    def _date_messages(self) -> None:
        """Verbs know no time: a message counts as sent when the time is next told."""
        if self._has_sent:
            self._has_sent = False
            self._last_activity = self._now


def as_bytes(name: str, data: Buffer) -> bytes:
    """``data`` as it is now. Raises :exc:`TypeError`, naming the argument: ``bytes(5)`` would be five zeros."""
    _check_type(name, data, Buffer)
    return bytes(data)


def _check_type(name: str, value: object, expected: type | UnionType) -> None:
    if not isinstance(value, expected):
        raise TypeError(f"{name} must be {getattr(expected, '__name__', expected)}, not {type(value).__name__}")


def _control_payload(payload: Buffer) -> bytes:
    checked = as_bytes("payload", payload)
    if len(checked) > MAX_CONTROL_PAYLOAD:
        raise LocalProtocolError(
            f"payload: at most 125 bytes fit into a control frame, not {len(checked)} (RFC 6455 §5.5)"
        )
    return checked
