"""What the engine tells: the events that its *in* calls return.

A text message is a ``str`` and a binary message is ``bytes``; everything else is one of the small classes below.
What lives here carries facts and words, and decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final, TypeAlias

from ._codes import CloseCode, describe_close_code
from ._headers import Headers
from ._types import Initiator, Timer
from ._violations import Violation

__all__ = [
    "Accepted",
    "BasicCredentials",
    "BearerCredentials",
    "CloseReport",
    "Closed",
    "Event",
    "Fragment",
    "Ping",
    "Pong",
    "Redirected",
    "Rejected",
    "Request",
]


#: How connections end that nobody has to look at.
_ORDINARY: Final = frozenset({CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RECEIVED})


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """User name and password of ``Authorization: Basic`` (RFC 7617). The password never shows in a ``repr``."""

    username: str
    password: str = field(repr=False)

    def matches(self, username: str, password: str) -> bool:
        """Whether these are the credentials expected, in a time that does not tell how much of them is right."""
        same_name = compare_digest(self.username.encode(), username.encode())
        return compare_digest(self.password.encode(), password.encode()) and same_name


@dataclass(frozen=True, slots=True)
class BearerCredentials:
    """The token of ``Authorization: Bearer`` (RFC 6750). It never shows in a ``repr``."""

    token: str = field(repr=False)

    def matches(self, token: str) -> bool:
        """Whether this is the token expected, in a time that does not tell how much of it is right."""
        return compare_digest(self.token.encode(), token.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An opening handshake, or any other HTTP request, has reached a server.

    Answer with ``accept()`` or ``reject()``. ``violation`` is ``None`` if it can become a WebSocket; otherwise it names
    the reason why not, and ``accept()`` sends the refusal that the RFC prescribes. A health check is such a request.
    """

    method: str
    #: Path and query, as sent.
    target: str
    headers: Headers = field(default_factory=Headers)
    http_version: str = "1.1"
    #: The ``:protocol`` pseudo-header of an extended CONNECT (RFC 8441 §4); ``None`` in HTTP/1.1.
    protocol: str | None = None
    #: What the client offers, in its order of preference.
    subprotocols: tuple[str, ...] = ()
    credentials: BasicCredentials | BearerCredentials | None = None
    violation: Violation | None = None
    #: What exactly was wrong, for logs.
    detail: str = ""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the first ``?`` of the target, undecoded; empty if there is none."""
        return self.target.partition("?")[2]

    @property
    def origin(self) -> str | None:
        """The ``Origin`` header, which browsers always send (RFC 6455 §10.2)."""
        return self.headers.get("origin")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server has accepted the opening handshake: the client's connection is open."""

    headers: Headers
    subprotocol: str | None = None
    #: The names of the extensions in use.
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server refused the opening handshake. ``body`` is cut at 64 KiB."""

    status: int
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Redirected:
    """The server points elsewhere: ``location`` is the ``Location`` header, as sent (RFC 9110 §15.4)."""

    status: int
    location: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a message, where :class:`Receive` asks for parts: ``str`` of a text message, ``bytes`` of a binary
    one.
    """

    data: str | bytes
    #: Whether this part ends the message.
    final: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """The peer sent a ping. The pong has been queued already (RFC 6455 §5.5.2)."""

    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Pong:
    """The peer sent a pong, asked for or not (RFC 6455 §5.5.3)."""

    payload: bytes = b""
    #: Seconds since the ping that it answers; ``None`` for a pong that nobody asked for.
    round_trip: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseReport:
    """How a connection ended, and why."""

    initiator: Initiator
    #: The code to show: the one received; failing that, the one that this side's decision stands for; else 1006.
    code: int
    reason: str = ""
    #: When, in the monotonic seconds of the engine's clock.
    at: float = 0.0
    #: The timer that ended it, if one did.
    timer: Timer | None = None
    #: The rule that the peer broke, if it broke one, and what was seen.
    violation: Violation | None = None
    detail: str = ""
    #: What went over the wire: ``None`` where no close frame did, 1005 for one without a code.
    received_code: int | None = None
    sent_code: int | None = None
    #: HTTP status of a handshake that was refused, by either side.
    http_status: int | None = None
    #: Seconds since the last pong; ``None`` if none ever came.
    pong_age: float | None = None
    #: Bytes that had not left yet.
    bytes_queued: int = 0
    #: What the transport complained of, if it broke.
    error: BaseException | None = None

    @property
    def clean(self) -> bool:
        """Whether both close frames crossed (RFC 6455 §7.1.4)."""
        return self.received_code is not None and self.sent_code is not None

    @property
    def ok(self) -> bool:
        """Whether it was an ordinary end: a closing handshake without fault, with code 1000, 1001 or none."""
        return self.violation is None and self.received_code is not None and self.code in _ORDINARY

    def __str__(self) -> str:
        reason = f" {self.reason!r}" if self.reason else ""
        return f"closed by {self.initiator.value}: {describe_close_code(self.code)}{reason}{self._cause()}"

    def _cause(self) -> str:
        if self.violation is not None:
            return f"; {self.violation}" + (f": {self.detail}" if self.detail else "")
        if self.timer is not None:
            return f"; the {self.timer.value} timer fired"
        if self.http_status is not None:
            return f"; the handshake was refused with HTTP status {self.http_status}"
        if self.error is not None:
            return f"; {type(self.error).__name__}: {self.error}"
        return ""


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over. Exactly one for each connection, and nothing follows it."""

    report: CloseReport


#: Everything that an *in* call can return.
Event: TypeAlias = str | bytes | Fragment | Ping | Pong | Request | Accepted | Rejected | Redirected | Closed
