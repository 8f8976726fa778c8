"""A sans-I/O WebSocket engine: bytes in, events out, time as an argument (RFC 6455, RFC 7692).

The map of this package, from the ground up; a file imports only its own layer's vocabulary or the layers below:

* ``_types``, ``_codes``, ``_violations``, ``_headers``, ``_events``, ``_errors``, ``_config``: the vocabulary
* ``_extensions``: what an extension is, and permessage-deflate
* ``_speedups``: the frame loop, where the time is spent
* ``_wire``: single frames and close payloads
* ``_handshake``: the opening handshake, as pure functions and as HTTP/1.1
* ``_protocol``: the state machines, sending, receiving, closing; no clock
* ``_driver``: policy with time as data, and the two classes below
* ``_packets``: the same for messages over bare TCP, and for datagrams

Public are the names below and those of ``wsproto_core.frames``. :class:`ServerConnection` and
:class:`ClientConnection` are the engine; read :mod:`wsproto_core._driver.connection` for the shape of their
interface.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

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
    from ._packets.codec import StreamCodec, StreamDecoder
    from ._packets.datagram import DatagramPeer
    from ._packets.delimited import Delimited
    from ._packets.frames import FramesConnection
    from ._packets.netstring import Netstring
    from ._packets.packet import DatagramCodec, Drop
    from ._packets.prefixed import LengthPrefixed, VarintPrefixed
    from ._packets.raw import Raw
    from ._packets.server import DatagramServer, PeerEvent
    from ._packets.session import Address
    from ._packets.statistics import DatagramStatistics, ServerStatistics
    from ._packets.stream import StreamConnection

__all__ = [
    "SAME_ORIGIN",
    "Accepted",
    "Address",
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
    "DatagramCodec",
    "DatagramPeer",
    "DatagramServer",
    "DatagramStatistics",
    "Delimited",
    "Drop",
    "Event",
    "Extension",
    "Fragment",
    "FramesConnection",
    "HandshakeFailed",
    "HandshakeRejected",
    "Headers",
    "HeadersLike",
    "Initiator",
    "Latency",
    "LengthPrefixed",
    "Limits",
    "LocalProtocolError",
    "Message",
    "MessageTransform",
    "Netstring",
    "Opcode",
    "OpenTcp",
    "OpenUnix",
    "OriginRule",
    "OutboxFull",
    "Parameters",
    "PeerBase",
    "PeerEvent",
    "PerMessageDeflate",
    "Ping",
    "Pong",
    "PreparedMessage",
    "Proxy",
    "ProxyFailed",
    "Raw",
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
    "ServerStatistics",
    "StartTls",
    "State",
    "Statistics",
    "Step",
    "StreamCodec",
    "StreamConnection",
    "StreamDecoder",
    "Timeouts",
    "Timer",
    "Uri",
    "VarintPrefixed",
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


#: Imported when first asked for: who does not compress does not load zlib, and who has no datagrams not their rules.
_LAZY: Final = MappingProxyType(
    {
        "Address": "._packets.session",
        "DatagramCodec": "._packets.packet",
        "DatagramPeer": "._packets.datagram",
        "DatagramServer": "._packets.server",
        "DatagramStatistics": "._packets.statistics",
        "Delimited": "._packets.delimited",
        "Drop": "._packets.packet",
        "FramesConnection": "._packets.frames",
        "LengthPrefixed": "._packets.prefixed",
        "Netstring": "._packets.netstring",
        "PeerEvent": "._packets.server",
        "PerMessageDeflate": "._extensions.permessage_deflate",
        "Raw": "._packets.raw",
        "ServerStatistics": "._packets.statistics",
        "StreamCodec": "._packets.codec",
        "StreamConnection": "._packets.stream",
        "StreamDecoder": "._packets.codec",
        "VarintPrefixed": "._packets.prefixed",
    }
)


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
