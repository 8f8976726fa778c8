"""The face of the engine: what client and server connections have in common.

The interface sorts into four kinds:

* **in, from the world:** :meth:`~Connection.receive_data`, :meth:`~Connection.receive_eof`,
  :meth:`~Connection.transport_lost`, :meth:`~Connection.handle_timeout`, :meth:`~Connection.transmitted`,
  :meth:`~Connection.work_done`
* **verbs, from the application:** ``connect()``, ``accept()``, ``reject()``, :meth:`~Connection.send`,
  :meth:`~Connection.send_fragment`, :meth:`~Connection.ping`, :meth:`~Connection.pong`, :meth:`~Connection.close`,
  :meth:`~Connection.abort`, :meth:`~Connection.offload`
* **out, to the world:** events (returned by the *in* calls), :meth:`~Connection.data_to_send`,
  :meth:`~Connection.next_deadline`, :meth:`~Connection.next_work`
* **predicates and facts:** ``state``, ``wants_read``, ``can_send``, ``should_abort``, ``half_close``, ``subprotocol``,
  ``extensions``, ``latency``, ``statistics``, ``close_report``

The contract in one sentence: after every call, write what ``data_to_send()`` gives until it gives nothing, then sleep
until bytes come or ``next_deadline()`` is reached.

What every message passes, :meth:`~Connection.receive_data`, :meth:`~Connection.data_to_send` and the questions behind
them, is in ``_speedups/traffic_py.py``, for speed.

Who pulls messages one by one hands every batch to :meth:`~Connection.gather` and asks :meth:`~Connection.next_message`.
"""

from __future__ import annotations

from typing import Final

from .._errors import LocalProtocolError
from .._events import Event
from .._protocol.sending import PreparedMessage, payload_of
from .._protocol.states import Phase
from .._types import MAX_CONTROL_PAYLOAD, Buffer, Message, Opcode, Receive, Role
from .arguments import as_bytes
from .engine import Engine
from .statistics import Latency

__all__ = ["DEFAULT_FRAGMENT_SIZE", "Connection"]

#: Larger messages leave in fragments of this size, so that control frames can overtake them (as browsers do).
DEFAULT_FRAGMENT_SIZE: Final = 128 * 1024
_CLOSED: Final = Phase.CLOSED
_SERVER: Final = Role.SERVER


class Connection(Engine):
    """One WebSocket connection, without its transport. See the module's docstring for the shape of the interface."""

    # --- in, from the world -------------------------------------------------------------------------------------------

    def receive_eof(self, now: float) -> list[Event]:
        """The peer will send no more bytes. It takes effect behind what still waits to be expanded."""
        return self._transport_end(now, None)

    def transport_lost(self, error: BaseException | None, now: float) -> list[Event]:
        """The transport is gone, both ways: nothing can be sent any more. ``error`` is what it complained of, if it
        did.

        What waits to be expanded is returned as far as there is room for it, which is at most one more batch. The rest
        is dropped, and all that was behind it, a close frame too.
        """
        self._now = now
        if self._backlog is not None:
            self._undelivered += self._last_batch()
        events = self._transport_end(now, error)
        if self._closing.phase is not _CLOSED:
            self._closing.transport_ended()
        self._outbox.discard()
        self._timers.clear_all()
        self._abort = True
        return events

    # --- verbs, from the application ----------------------------------------------------------------------------------

    def send(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Queue a message: ``str`` as text, bytes-like as binary.

        ``compress`` overrides the extension's own choice for this message. An ``urgent`` message goes ahead of those
        that have not begun to leave. Raises :exc:`LocalProtocolError` (:exc:`OutboxFull` without room),
        :exc:`TypeError`, or :exc:`ConnectionClosed`; then nothing was queued.
        """
        if urgent or not self._frames.put_message(message):
            self._send_with_care(message, compress, urgent)

    def send_fragment(self, data: Message | Buffer, *, final: bool, compress: bool | None = None) -> None:
        """Queue the next part of a message, all parts being ``str`` or all bytes-like (RFC 6455 §5.4).

        ``compress`` counts with the first part. Raises what :meth:`send` raises.
        """
        opcode, payload = payload_of(data)
        self._check_can_send()
        if self._pipeline is not None:
            raise LocalProtocolError("a pipeline seals whole messages: send_fragment() is not possible")
        self._outbox.put_part(opcode, payload, final, compress)
        self._part_sent(final)

    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that was encoded once for many connections. Raises what :meth:`send` raises."""
        self._check_can_send()
        self._outbox.sender.check_message()
        if self._pipeline is not None:
            opcode, payload = self._sealed(message.original, urgent=False)
            self._outbox.put_message(opcode, payload, None, urgent=False)
        else:
            self._outbox.put_prepared(message)
        self._message_sent()

    def ping(self, payload: Buffer | None = None, *, now: float | None = None) -> bytes:
        """Queue a ping and return its payload, chosen if none is given (RFC 6455 §5.5.2).

        The :class:`Pong` that answers it carries the round trip. Raises what :meth:`send` raises, and
        :exc:`LocalProtocolError` while 64 pings are unanswered.
        """
        self._check_can_send()
        if self._pings is not None and self._pings.is_waiting_for_many:
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

    def _send_with_care(self, message: Message | Buffer, compress: bool | None, urgent: bool) -> None:
        """Send a message that may not be sent, or not as it is, or not yet."""
        opcode, payload = payload_of(message)
        self._check_can_send()
        self._outbox.sender.check_message()
        if self._pipeline is not None:
            opcode, payload = self._sealed(message, urgent=urgent)
        self._outbox.put_message(opcode, payload, compress, urgent)
        self._message_sent()

    def _sealed(self, message: Message | Buffer, *, urgent: bool) -> tuple[Opcode, bytes | memoryview]:
        """What is sent instead of ``message``, and sent for sure: a gap would look like a lost message."""
        assert self._pipeline is not None, "there is a pipeline"
        if urgent:
            raise LocalProtocolError("urgent: a pipeline keeps messages in order")
        return Opcode.BINARY, self._pipeline.seal(message)

    # --- predicates and facts -----------------------------------------------------------------------------------------

    @property
    def half_close(self) -> bool:
        """Whether this side has said everything: end the transport's write side, once what was taken is written.

        A client leaves that to the server, so that the server's end of the transport closes first (RFC 6455 §7.1.1).
        """
        if self._closing.phase is not _CLOSED or self._outbox:
            return False
        return self._role is _SERVER or self._transport_ended or not self._closing.is_clean

    @property
    def receive(self) -> Receive:
        """How much of a message is gathered before it is handed over."""
        return self._receive

    def awaits_pong(self, payload: bytes) -> bool:
        """Whether the ping with ``payload`` is still unanswered."""
        return self._pings is not None and self._pings.awaits(payload)

    @property
    def latency(self) -> Latency | None:
        """Round trips of pings so far; ``None`` before the first pong."""
        return None if self._pings is None else self._pings.latency


def _control_payload(payload: Buffer) -> bytes:
    checked = as_bytes("payload", payload)
    if len(checked) > MAX_CONTROL_PAYLOAD:
        raise LocalProtocolError(
            f"payload: at most 125 bytes fit into a control frame, not {len(checked)} (RFC 6455 §5.5)"
        )
    return checked
