"""What the connection objects of all adapters share: the engine's facts, and the attempts that their coroutines wait
on.

An *attempt* is a plain function that returns its result, ``None`` if it must be tried again after the next input, or
raises. An adapter's ``recv`` waits until :meth:`PeerBase.take_message` succeeds, its ``connect`` until
:meth:`PeerBase.opening_outcome` does, and so on: how to wait is all that is left to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, cast

from .._codes import CloseCode
from .._errors import (
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    LocalProtocolError,
)
from .._events import Accepted, CloseReport, Event, Fragment, Redirected, Rejected, Request
from .._handshake.proxy_protocol import ProxiedFrom
from .._headers import Headers
from .._protocol.sending import PreparedMessage
from .._types import Buffer, Message, Receive, State
from .client import ClientConnection
from .server import ServerConnection
from .statistics import Latency, Statistics
from .work import Work

__all__ = ["ByteEngine", "Log", "PeerBase", "PeerEngine", "WebSocketBase", "WebSocketEngine"]


class PeerEngine(Protocol):
    """What the engines of all peers have in common, WebSocket, TCP and UDP: the verbs and the facts."""

    @property
    def state(self) -> State:
        """Where the connection stands."""
        ...

    @property
    def is_flowing(self) -> bool:
        """Whether messages go both ways, as nearly always: the transport is read, written, and left as it is."""
        ...

    @property
    def can_send(self) -> bool:
        """Whether ``send`` would take a message."""
        ...

    @property
    def receive(self) -> Receive:
        """How much of a message is gathered before it is handed over."""
        ...

    @property
    def latency(self) -> Latency | None:
        """Round trips so far; ``None`` before the first."""
        ...

    @property
    def statistics(self) -> Statistics:
        """What has been counted so far, as a copy."""
        ...

    @property
    def close_report(self) -> CloseReport | None:
        """How it ended; ``None`` until that is settled."""
        ...

    def send(self, message: Message | Buffer) -> None:
        """Queue a message."""
        ...

    def send_at_once(self, message: Message | Buffer, /) -> bool:
        """Queue a message as it is, if there is nothing else to do for it; return whether."""
        ...

    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that goes to many."""
        ...

    def ping(self, payload: Buffer | None = None, *, now: float | None = None) -> bytes:
        """Queue a ping; return the bytes to recognise its pong by."""
        ...

    def awaits_pong(self, payload: bytes) -> bool:
        """Whether the ping with ``payload`` is still unanswered."""
        ...

    def close(self, code: int = ..., reason: str = ..., *, now: float | None = None) -> None:
        """Say goodbye, behind everything that is queued."""
        ...

    def abort(self, *, now: float | None = None) -> None:
        """Give it up, without a goodbye."""
        ...

    def gather(self, events: Sequence[Event]) -> list[Event]:
        """Move the messages of a batch into the inbox; return the other events."""
        ...

    def next_message(self) -> Message | Fragment | None:
        """The oldest message of the inbox; ``None`` if there is none."""
        ...

    def message_at_hand(self) -> Message | Fragment | None:
        """The same, but ``None`` as well if taking it changes anything else."""
        ...


class ByteEngine(PeerEngine, Protocol):
    """What the engines over a stream of bytes have in common, WebSocket and TCP: all that a binding drives."""

    def pass_frame(self, frame: bytes) -> bool:
        """Count a message's frame as sent, if it may leave at once as it is; return whether."""
        ...

    @property
    def wants_read(self) -> bool:
        """Whether the transport should be read."""
        ...

    @property
    def should_abort(self) -> bool:
        """Whether to drop the transport at once."""
        ...

    @property
    def half_close(self) -> bool:
        """Whether to end the transport's write side, once what was taken is written."""
        ...

    @property
    def ends_both_ways(self) -> bool:
        """Whether to close it then, because the peer has said everything as well."""
        ...

    @property
    def bytes_queued(self) -> int:
        """Bytes that ``data_to_send`` has not given out yet."""
        ...

    def receive_data(self, data: Buffer, now: float) -> list[Event]:
        """Take bytes from the transport."""
        ...

    def receive_eof(self, now: float) -> list[Event]:
        """The peer will send no more bytes."""
        ...

    def transport_lost(self, error: BaseException | None, now: float) -> list[Event]:
        """The transport is gone, both ways."""
        ...

    def handle_timeout(self, now: float) -> list[Event]:
        """Do whatever is due at ``now``."""
        ...

    def transmitted(self, n_bytes: int, now: float) -> None:
        """``n_bytes`` given out earlier have left this machine's hands."""
        ...

    def offload(self, min_size: int = ...) -> None:
        """Hand out as work what takes long."""
        ...

    def next_work(self) -> Work | None:
        """What somebody should call where it holds up nobody; ``None`` if there is nothing."""
        ...

    def work_done(self, work: Work, now: float) -> list[Event]:
        """Take what came of work that was handed out."""
        ...

    def data_to_send(self) -> list[bytes | memoryview]:
        """Take the next batch of bytes; empty when nothing waits."""
        ...

    def next_deadline(self) -> float | None:
        """When to call ``handle_timeout``, in monotonic seconds; ``None`` for never."""
        ...


class Log(Protocol):
    """A logger, as the standard library has it. The core only knows when a line is due."""

    def error(self, msg: str, *args: object, exc_info: BaseException | None = None) -> None:
        """A line for what somebody has to look at."""
        ...

    def log(self, level: int, msg: str, *args: object) -> None:
        """A line at ``level``, as the standard library numbers them."""
        ...


WebSocketEngine: TypeAlias = ServerConnection | ClientConnection
_E = TypeVar("_E", bound=PeerEngine)


class PeerBase(Generic[_E]):
    """The part of a connection object that no runtime changes, over whatever engine. For authors of adapters.

    ``watch`` is told every event that is no message, with the object itself: how a server keeps an eye on it.
    """

    def __init__(self, engine: _E, *, watch: Callable[[Any, Event], None] | None = None) -> None:
        #: The engine below, for adapters. Applications have no need of it.
        self.engine: _E = engine
        #: Yours to use: whatever belongs to this connection.
        self.data: dict[str, Any] = {}
        #: What a proxy told of this connection, where the server was told to trust one: ``proxied_by``.
        self.proxied: ProxiedFrom | None = None
        self._watch = watch
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
    def latency(self) -> Latency | None:
        """Round trips of pings so far; ``None`` before the first pong."""
        return self.engine.latency

    @property
    def statistics(self) -> Statistics:
        """Messages, bytes and control frames so far."""
        return self.engine.statistics

    def seen_from(self, address: Any) -> Any:
        """Where the peer is: ``address``, to which the transport is connected, unless a proxy knows better."""
        told = None if self.proxied is None else self.proxied.source
        return address if told is None else told

    # --- attempts -----------------------------------------------------------------------------------------------------

    def opening_outcome(self) -> Literal[True] | None:
        """Whether the connection has come to be open. Raises a :exc:`ConnectionFailed` if it never will."""
        report = self.engine.close_report
        if self._was_open:
            return True
        if self._refusal is not None:
            raise HandshakeRejected(self._refusal)
        if report is None:
            return None
        if report.violation is not None:
            raise HandshakeFailed(report.violation, report.detail)
        if isinstance(report.error, ConnectionRefusedError):
            raise ConnectionRefused(str(report))
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

    def opened(self) -> None:
        """The connection is open. Called by whoever accepts it."""
        self._was_open = True

    def deliver(self, events: Sequence[Event]) -> None:
        """Take a batch of the engine's events: messages into the inbox, what else there is to :meth:`note`."""
        for event in self.engine.gather(events):
            self.note(event)

    def note(self, event: Event) -> None:
        """Remember what :meth:`opening_outcome` needs to know, and let ``watch`` know."""
        if isinstance(event, Accepted):
            self.opened()
        elif isinstance(event, (Rejected, Redirected)):  # a union would be made anew for every event
            self._refusal = event
        if self._watch is not None:
            self._watch(self, event)

    def is_end(self, error: Exception) -> bool:
        """Whether ``error``, which left the application's code, only says that this connection has ended or is ending:
        no fault of the application's. A group of errors says so if each of them does.
        """
        if isinstance(error, ExceptionGroup):
            return all(map(self.is_end, cast(ExceptionGroup[Exception], error).exceptions))
        if isinstance(error, ConnectionClosed):
            return error.report is self.engine.close_report
        return isinstance(error, LocalProtocolError) and self.engine.state not in (State.OPEN, State.CONNECTING)

    def verdict(self, error: Exception, words: str, log: Log) -> int:
        """The close code for ``error``, which left the application's code: 1000 if all it says is that this connection
        is over; else 1011, and the operator gets a line.
        """
        if self.is_end(error):
            return CloseCode.NORMAL_CLOSURE
        log.error("%r: %s", self, words, exc_info=error)
        return CloseCode.INTERNAL_ERROR

    def check_mode(self, *modes: Receive) -> None:
        """Raise :exc:`LocalProtocolError` unless messages are received in one of ``modes``."""
        if self.engine.receive not in modes:
            raise LocalProtocolError(f"{self.engine.receive}: recv() gives whole messages, recv_fragment() parts")

    def _raise_if_closed(self) -> None:
        if self.engine.close_report is not None:
            raise ConnectionClosed.from_report(self.engine.close_report)


class WebSocketBase(PeerBase[WebSocketEngine]):
    """What only a WebSocket connection has: facts of its opening handshake. For authors of adapters."""

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
