"""A sans-I/O WebSocket engine: bytes in, events out, time as an argument (RFC 6455, RFC 7692).

The map of this package, from the ground up; a file imports only its own layer's vocabulary or the layers below:

* ``_types``, ``_codes``, ``_violations``, ``_headers``, ``_events``, ``_errors``, ``_config``: the vocabulary
* ``_extensions``: what an extension is, and permessage-deflate
* ``_speedups``: the frame loop, where the time is spent
* ``_wire``: single frames and close payloads
* ``_handshake``: the opening handshake, as pure functions and as HTTP/1.1
* ``_protocol``: the state machines, sending, receiving, closing; no clock
* ``_driver``: policy with time as data, and the two classes below

Public are the names below and those of ``wsproto_core.frames``. :class:`ServerConnection` and
:class:`ClientConnection` are the engine; read :mod:`wsproto_core._driver.connection` for the shape of their
interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._codes import CloseCode, is_wire_code
from ._config import Limits, Timeouts
from ._driver.async_peer import AsyncLink, AsyncPeer
from ._driver.broadcast import broadcast
from ._driver.client import ClientConnection
from ._driver.connecting import ConnectPlan, connection_failure
from ._driver.connection import Connection
from ._driver.dialing import OpenTcp, OpenUnix, Read, StartTls, Step, Write, dial
from ._driver.peer import PeerBase
from ._driver.reception import Reception
from ._driver.reconnect import Backoff, connections, is_retryable
from ._driver.server import ServerConnection
from ._driver.statistics import Latency, Statistics
from ._errors import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    LocalProtocolError,
    OutboxFull,
    ProxyFailed,
    RedirectFailed,
    RemoteProtocolError,
    WebSocketError,
)
from ._events import (
    Accepted,
    BasicCredentials,
    BearerCredentials,
    Closed,
    CloseReport,
    Event,
    Fragment,
    Ping,
    Pong,
    Redirected,
    Rejected,
    Request,
)
from ._extensions.base import Extension, MessageTransform, Parameters
from ._handshake.outcome import Response
from ._handshake.policy import SAME_ORIGIN, OriginRule
from ._handshake.proxy import Proxy, parse_proxy, proxy_from_environment
from ._handshake.uri import Uri, parse_uri
from ._headers import Headers, HeadersLike
from ._protocol.sending import PreparedMessage
from ._types import Buffer, Initiator, Message, Opcode, Receive, Role, State, Timer
from ._violations import Violation

if TYPE_CHECKING:
    from ._extensions.permessage_deflate import PerMessageDeflate

__all__ = [
    "SAME_ORIGIN",
    "Accepted",
    "AsyncLink",
    "AsyncPeer",
    "Backoff",
    "BasicCredentials",
    "BearerCredentials",
    "Buffer",
    "ClientConnection",
    "CloseCode",
    "CloseReport",
    "Closed",
    "ConnectPlan",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionFailed",
    "ConnectionRefused",
    "ConnectionTimeout",
    "Event",
    "Extension",
    "Fragment",
    "HandshakeFailed",
    "HandshakeRejected",
    "Headers",
    "HeadersLike",
    "Initiator",
    "Latency",
    "Limits",
    "LocalProtocolError",
    "Message",
    "MessageTransform",
    "Opcode",
    "OpenTcp",
    "OpenUnix",
    "OriginRule",
    "OutboxFull",
    "Parameters",
    "PeerBase",
    "PerMessageDeflate",
    "Ping",
    "Pong",
    "PreparedMessage",
    "Proxy",
    "ProxyFailed",
    "Read",
    "Receive",
    "Reception",
    "RedirectFailed",
    "Redirected",
    "Rejected",
    "RemoteProtocolError",
    "Request",
    "Response",
    "Role",
    "ServerConnection",
    "StartTls",
    "State",
    "Statistics",
    "Step",
    "Timeouts",
    "Timer",
    "Uri",
    "Violation",
    "WebSocketError",
    "Write",
    "broadcast",
    "connection_failure",
    "connections",
    "dial",
    "is_retryable",
    "is_wire_code",
    "parse_proxy",
    "parse_uri",
    "proxy_from_environment",
]


def __getattr__(name: str) -> object:
    """Import an extension when it is first asked for: who does not compress does not load zlib."""
    if name == "PerMessageDeflate":
        from ._extensions.permessage_deflate import PerMessageDeflate

        return PerMessageDeflate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
