"""What the connection objects of all adapters share: the engine's facts, and the attempts that their coroutines wait
on.

An *attempt* is a plain function that returns its result, ``None`` if it must be tried again after the next input, or
raises. An adapter's ``recv`` waits until :meth:`PeerBase.take_message` succeeds, its ``connect`` until
:meth:`PeerBase.opening_outcome` does, and so on: how to wait is all that is left to it.
"""

from __future__ import annotations

from typing import Any, Literal, cast

from .._errors import (
    ConnectionClosed,
    ConnectionFailed,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    LocalProtocolError,
)
from .._events import Accepted, CloseReport, Event, Fragment, Redirected, Rejected, Request
from .._headers import Headers
from .._types import Message, Receive, State
from .client import ClientConnection
from .server import ServerConnection
from .statistics import Latency, Statistics

__all__ = ["PeerBase"]


class PeerBase:
    """The part of a WebSocket connection object that no runtime changes. For authors of adapters."""

    def __init__(self, engine: ServerConnection | ClientConnection) -> None:
        #: The engine below, for adapters. Applications have no need of it.
        self.engine: ServerConnection | ClientConnection = engine
        #: Yours to use: whatever belongs to this connection.
        self.data: dict[str, Any] = {}
        self._was_open = False
        self._refusal: Rejected | Redirected | None = None

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Connecting, open, closing or closed."""
        return self.engine.state

    @property
    def can_send(self) -> bool:
        """Whether ``send`` would not wait: the connection is open and the outbox below ``Limits.outbox_size``."""
        return self.engine.can_send

    @property
    def close_report(self) -> CloseReport | None:
        """How the connection ended; ``None`` until that is settled."""
        return self.engine.close_report

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol agreed on, or ``None``."""
        return self.engine.subprotocol

    @property
    def extensions(self) -> tuple[str, ...]:
        """The names of the extensions in use."""
        return self.engine.extensions

    @property
    def request(self) -> Request | None:
        """Server: the opening handshake. A client has none."""
        return self.engine.request if isinstance(self.engine, ServerConnection) else None

    @property
    def response_headers(self) -> Headers | None:
        """The headers that answered the opening handshake; ``None`` before."""
        return None if self.engine.response is None else self.engine.response.headers

    @property
    def latency(self) -> Latency | None:
        """Round trips of pings so far; ``None`` before the first pong."""
        return self.engine.latency

    @property
    def statistics(self) -> Statistics:
        """Messages, bytes and control frames so far."""
        return self.engine.statistics

    # --- attempts -----------------------------------------------------------------------------------------------------

    def opening_outcome(self) -> Literal[True] | None:
        """Client: whether the connection has come to be open. Raises a :exc:`ConnectionFailed` if it never will."""
        report = self.engine.close_report
        if self._was_open:
            return True
        if self._refusal is not None:
            raise HandshakeRejected(self._refusal)
        if report is None:
            return None
        if report.violation is not None:
            raise HandshakeFailed(report.violation, report.detail)
        raise (ConnectionFailed if report.timer is None else ConnectionTimeout)(str(report))

    def take_message(self) -> Message | Fragment | None:
        """The next message of the inbox. Raises :exc:`ConnectionClosed` when it is empty for good."""
        message = self.engine.next_message()
        if message is None:
            self._raise_if_closed()
        return message

    def may_send(self) -> Literal[True] | None:
        """Whether sending is worth a try: there is room, or it would raise :exc:`ConnectionClosed`. What comes after
        ``close()`` waits for the end, and so for the report of it.
        """
        return True if self.engine.can_send or self.engine.state not in (State.OPEN, State.CLOSING) else None

    def is_answered(self, payload: bytes) -> Literal[True] | None:
        """Whether the pong for ``payload`` has come. Raises :exc:`ConnectionClosed` if it cannot come any more."""
        if not self.engine.awaits_pong(payload):
            return True
        self._raise_if_closed()
        return None

    # --- what adapters tell -------------------------------------------------------------------------------------------

    def note(self, event: Event) -> None:
        """Remember what :meth:`opening_outcome` needs to know."""
        if isinstance(event, Accepted):
            self._was_open = True
        elif isinstance(event, Rejected | Redirected):
            self._refusal = event

    def is_end(self, error: Exception) -> bool:
        """Whether ``error``, which left the application's code, only says that this connection has ended or is ending:
        no fault of the application's. A group of errors says so if each of them does.
        """
        if isinstance(error, ExceptionGroup):
            return all(map(self.is_end, cast(ExceptionGroup[Exception], error).exceptions))
        if isinstance(error, ConnectionClosed):
            return error.report is self.engine.close_report
        return isinstance(error, LocalProtocolError) and self.engine.state not in (State.OPEN, State.CONNECTING)

    def check_mode(self, *modes: Receive) -> None:
        """Raise :exc:`LocalProtocolError` unless messages are received in one of ``modes``."""
        if self.engine.receive not in modes:
            raise LocalProtocolError(f"{self.engine.receive}: recv() gives whole messages, recv_fragment() parts")

    def _raise_if_closed(self) -> None:
        if self.engine.close_report is not None:
            raise ConnectionClosed.from_report(self.engine.close_report)
