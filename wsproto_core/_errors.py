"""Exceptions, sorted by whose fault it is.

* :exc:`WebSocketError`

  * :exc:`LocalProtocolError`: **mine.** The caller broke a rule. Nothing was sent and nothing has changed.

    * :exc:`OutboxFull`: more was queued than ``Limits.outbox_size`` allows.
    * :exc:`MessageTooLarge`: a message has no room where it was to go.
    * :exc:`PoolClosed`: the pool gives no connections: it is closed, being closed, or was never entered.
    * :exc:`ServerAlreadyRunning`: a server was started a second time.
    * :exc:`ServerNotStarted`: a server was asked for before it was started.

  * :exc:`RemoteProtocolError`: **yours.** The peer broke a rule; ``.violation`` says which.
  * :exc:`ConnectionClosed`: the connection has ended; ``.report`` explains it.

    * :exc:`ConnectionClosedOK`: by a closing handshake with code 1000, 1001 or none.
    * :exc:`ConnectionClosedError`: in any other way.

  * :exc:`ConnectionFailed`: **the world's.** No connection came about.

    * :exc:`ConnectionRefused`: nobody listens there.
    * :exc:`ConnectionTimeout`: it took longer than ``Timeouts.opening_timeout``.

      * :exc:`PoolTimeout`: no connection of a pool was free within ``PoolLimits.acquire_timeout``.

    * :exc:`ProxyFailed`: the proxy on the way could not be reached, refused, or broke its rules.
    * :exc:`HandshakeRejected`: the server answered with another status than 101.

      * :exc:`RedirectFailed`: it was a redirect that must not be followed.

    * :exc:`HandshakeFailed`: the server's answer broke a rule; ``.violation`` says which.

  * :exc:`BindFailed`: **the world's**, for a server: it cannot listen there. It is an :exc:`OSError` as well.

Each class has a ``code``: a negative number that stays the same for ever, for programs that log or compare numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ._violations import Violation

if TYPE_CHECKING:
    from ._events import CloseReport, Redirected, Rejected
    from ._headers import Headers

__all__ = [
    "BindFailed",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionFailed",
    "ConnectionRefused",
    "ConnectionTimeout",
    "HandshakeFailed",
    "HandshakeRejected",
    "LocalProtocolError",
    "MessageTooLarge",
    "OutboxFull",
    "PoolClosed",
    "PoolTimeout",
    "ProxyFailed",
    "RedirectFailed",
    "RemoteProtocolError",
    "ServerAlreadyRunning",
    "ServerNotStarted",
    "WebSocketError",
]


class WebSocketError(Exception):
    """The root of every exception that this library raises on purpose."""

    code: ClassVar[int] = -600


class LocalProtocolError(WebSocketError):
    """The caller asked for something that the protocol or the connection's state forbids. Nothing has changed."""

    code = -640


class OutboxFull(LocalProtocolError):
    """More bytes wait to be sent than ``Limits.outbox_size`` allows; look at ``can_send`` first. Nothing was queued."""


class MessageTooLarge(LocalProtocolError):
    """The message has more bytes than a datagram, a length field or a cipher has room for. Nothing was queued."""

    code = -642


class PoolClosed(LocalProtocolError):
    """The pool gives no connections: it is closed, being closed, or was never entered."""


class ServerAlreadyRunning(LocalProtocolError):
    """The server was started before, and each is started once."""

    code = -661


class ServerNotStarted(LocalProtocolError):
    """The server has not been started yet."""

    code = -660


class RemoteProtocolError(WebSocketError):
    """The peer broke a rule: ``violation`` names it, ``detail`` tells what was seen."""

    code = -641

    def __init__(self, violation: Violation, detail: str = "") -> None:
        super().__init__(f"{violation}: {detail}" if detail else str(violation))
        self.violation = violation
        self.detail = detail


class ConnectionClosed(WebSocketError):
    """The connection has ended, or is ending: ``report`` says how and why."""

    code = -603

    def __init__(self, report: CloseReport) -> None:
        super().__init__(str(report))
        self.report = report

    @staticmethod
    def from_report(report: CloseReport) -> ConnectionClosed:
        """The subclass that fits ``report``."""
        return ConnectionClosedOK(report) if report.ok else ConnectionClosedError(report)


class ConnectionClosedOK(ConnectionClosed):
    """The connection ended by a closing handshake with code 1000, 1001 or none."""


class ConnectionClosedError(ConnectionClosed):
    """The connection ended in any other way than an ordinary close."""


class ConnectionFailed(WebSocketError):
    """No connection came about."""

    code = -600


class ConnectionRefused(ConnectionFailed):
    """Nobody listens at that address."""

    code = -601


class ConnectionTimeout(ConnectionFailed):
    """The connection was not open within ``Timeouts.opening_timeout``."""

    code = -602


class PoolTimeout(ConnectionTimeout):
    """No connection of the pool was free within ``PoolLimits.acquire_timeout``. If opening one has failed of late, that
    is the ``__cause__``.
    """


class ProxyFailed(ConnectionFailed):
    """The proxy on the way could not be reached, refused, or broke its rules. ``status`` is its HTTP status, if it gave
    one.
    """

    def __init__(self, words: str, status: int | None = None) -> None:
        super().__init__(words)
        self.status = status


class HandshakeRejected(ConnectionFailed):
    """The server answered the handshake with ``status`` instead of 101; ``headers`` and ``body`` are its own."""

    def __init__(self, event: Rejected | Redirected, words: str = "") -> None:
        super().__init__(words or f"the server answered the opening handshake with HTTP status {event.status}")
        self.event: Rejected | Redirected = event
        self.status: int = event.status
        self.headers: Headers = event.headers
        self.body: bytes = event.body


class RedirectFailed(HandshakeRejected):
    """The server pointed to where this client must not go, for the reason in the text. The text never shows where: that
    is in ``headers["location"]``, and may hold a secret.
    """

    def __init__(self, event: Redirected, reason: str) -> None:
        super().__init__(event, f"the redirect is not followed: {reason} (HTTP status {event.status})")
        self.reason: str = reason


class HandshakeFailed(ConnectionFailed):
    """The server's answer to the opening handshake broke a rule: ``violation`` names it."""

    def __init__(self, violation: Violation, detail: str = "") -> None:
        super().__init__(f"{violation}: {detail}" if detail else str(violation))
        self.violation = violation
        self.detail = detail


class BindFailed(WebSocketError, OSError):
    """A server cannot listen where it was told to: somebody else does, or it may not. ``errno`` is the operating
    system's.
    """

    code = -662

    @staticmethod
    def from_error(error: OSError) -> BindFailed:
        """The same, as the operating system has put it."""
        return BindFailed(*error.args)
