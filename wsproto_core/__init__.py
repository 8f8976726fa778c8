"""A sans-I/O WebSocket engine: bytes in, events out, time as an argument (RFC 6455, RFC 7692).

The map of this package, from the ground up; a file imports only its own layer's vocabulary or the layers below:

* ``_types``, ``_codes``, ``_violations``, ``_headers``, ``_events``, ``_errors``, ``_config``: the vocabulary
* ``_extensions``: what an extension is, and permessage-deflate
* ``_speedups``: the frame loop, where the time is spent
* ``_wire``: single frames and close payloads
* ``_handshake``: the opening handshake, as pure functions and as HTTP/1.1
* ``_protocol``: the state machines, sending, receiving, closing; no clock
* ``_pipeline``: what happens to whole messages: compressed and encrypted, decrypted and expanded
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
from ._driver.activation import InheritedSocket, inherited_sockets
from ._driver.advice import CLOSE_CODE_ADVICE, Advice, is_retryable
from ._driver.async_peer import AsyncLink, AsyncPeer, AsyncWebSocket, Peer
from ._driver.backoff import Backoff, Comeback
from ._driver.broadcast import broadcast
from ._driver.client import ClientConnection
from ._driver.connecting import ConnectPlan, connection_failure
from ._driver.connection import Connection
from ._driver.dialing import OpenTcp, OpenUnix, Read, StartTls, Step, Write, dial
from ._driver.histogram import Histogram
from ._driver.introduction import BeginTls, IntroductionStep, ReadUpTo, introduce
from ._driver.options import ConnectOptions, ListenOptions, MessageOptions, ServeOptions
from ._driver.peer import ByteEngine, Log, PeerBase, PeerEngine, WebSocketBase, WebSocketEngine
from ._driver.pending import OutboxLimits, PendingMessages
from ._driver.reception import AsyncReception, ProcessRequest, Reception
from ._driver.reconnect import Connections, Reopening
from ._driver.server import ServerConnection
from ._driver.serving import ListenPlan, ServePlan, StreamServePlan
from ._driver.statistics import Latency, Statistics
from ._driver.tally import Countable, Tally
from ._errors import (
    BindFailed,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimeout,
    HandshakeFailed,
    HandshakeRejected,
    LocalProtocolError,
    MessageTooLarge,
    OutboxFull,
    PoolClosed,
    PoolTimeout,
    ProxyFailed,
    RedirectFailed,
    RemoteProtocolError,
    ServerAlreadyRunning,
    ServerNotStarted,
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
from ._handshake.proxy_protocol import ProxiedAddress, ProxiedFrom, TrustedProxies, read_proxy_header
from ._handshake.uri import Uri, parse_uri
from ._headers import Headers, HeadersLike
from ._protocol.sending import PreparedMessage
from ._types import Buffer, Drop, Initiator, Message, Opcode, Receive, Role, State, Timer
from ._violations import Violation

if TYPE_CHECKING:
    from ._driver.metrics import (
        ConnectionMetrics,
        ErrorMetrics,
        LatencyMetrics,
        MemoryMetrics,
        Metrics,
        RateMetrics,
        TrafficMetrics,
    )
    from ._driver.pool_async import AsyncPool, PoolRuntime
    from ._driver.pool_base import PoolBase
    from ._driver.pool_limits import PoolLimits
    from ._driver.pool_parts import PoolSlot, PoolTicket
    from ._driver.pool_statistics import PoolStatistics
    from ._driver.prometheus import PROMETHEUS_CONTENT_TYPE, prometheus_text
    from ._extensions.permessage_deflate import PerMessageDeflate
    from ._packets.binding import (
        AsyncDatagramLink,
        AsyncUdpPeer,
        DatagramBinding,
        LonePeer,
        Waiters,
        socket_drops,
    )
    from ._packets.bridge import BridgeBase, BridgeDoors
    from ._packets.bridge_async import AsyncBridge, BridgeClient, BridgeServer
    from ._packets.bridge_options import BridgeOptions
    from ._packets.codec import StreamCodec, StreamDecoder
    from ._packets.datagram import DatagramPeer
    from ._packets.delimited import Delimited
    from ._packets.frames import Frames, FramesConnection
    from ._packets.netstring import Netstring
    from ._packets.packet import DatagramCodec
    from ._packets.plans import (
        TcpCodec,
        TcpConnectOptions,
        TcpConnectPlan,
        TcpEngine,
        TcpServeOptions,
        TcpServePlan,
        UdpConnectPlan,
        UdpServeOptions,
        UdpServePlan,
    )
    from ._packets.prefixed import LengthPrefixed, VarintPrefixed
    from ._packets.raw import Raw
    from ._packets.server import DatagramServer, PeerEvent
    from ._packets.session import Address
    from ._packets.statistics import DatagramStatistics, ServerStatistics
    from ._packets.stream import StreamConnection
    from ._pipeline.compression import Compress
    from ._pipeline.encryption import Encrypt
    from ._pipeline.keys import KeyRing
    from ._pipeline.pipeline import Pipeline
    from ._pipeline.session import PipelineSession

__all__ = [
    "CLOSE_CODE_ADVICE",
    "PROMETHEUS_CONTENT_TYPE",
    "SAME_ORIGIN",
    "Accepted",
    "Address",
    "Advice",
    "AsyncBridge",
    "AsyncDatagramLink",
    "AsyncLink",
    "AsyncPeer",
    "AsyncPool",
    "AsyncReception",
    "AsyncUdpPeer",
    "AsyncWebSocket",
    "Backoff",
    "BasicCredentials",
    "BearerCredentials",
    "BeginTls",
    "BindFailed",
    "BridgeBase",
    "BridgeClient",
    "BridgeDoors",
    "BridgeOptions",
    "BridgeServer",
    "Buffer",
    "ByteEngine",
    "ClientConnection",
    "CloseCode",
    "CloseReport",
    "Closed",
    "Comeback",
    "Compress",
    "ConnectOptions",
    "ConnectPlan",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionFailed",
    "ConnectionMetrics",
    "ConnectionRefused",
    "ConnectionTimeout",
    "Connections",
    "Countable",
    "DatagramBinding",
    "DatagramCodec",
    "DatagramPeer",
    "DatagramServer",
    "DatagramStatistics",
    "Delimited",
    "Drop",
    "Encrypt",
    "ErrorMetrics",
    "Event",
    "Extension",
    "Fragment",
    "Frames",
    "FramesConnection",
    "HandshakeFailed",
    "HandshakeRejected",
    "Headers",
    "HeadersLike",
    "Histogram",
    "InheritedSocket",
    "Initiator",
    "IntroductionStep",
    "KeyRing",
    "Latency",
    "LatencyMetrics",
    "LengthPrefixed",
    "Limits",
    "ListenOptions",
    "ListenPlan",
    "LocalProtocolError",
    "Log",
    "LonePeer",
    "MemoryMetrics",
    "Message",
    "MessageOptions",
    "MessageTooLarge",
    "MessageTransform",
    "Metrics",
    "Netstring",
    "Opcode",
    "OpenTcp",
    "OpenUnix",
    "OriginRule",
    "OutboxFull",
    "OutboxLimits",
    "Parameters",
    "Peer",
    "PeerBase",
    "PeerEngine",
    "PeerEvent",
    "PendingMessages",
    "PerMessageDeflate",
    "Ping",
    "Pipeline",
    "PipelineSession",
    "Pong",
    "PoolBase",
    "PoolClosed",
    "PoolLimits",
    "PoolRuntime",
    "PoolSlot",
    "PoolStatistics",
    "PoolTicket",
    "PoolTimeout",
    "PreparedMessage",
    "ProcessRequest",
    "ProxiedAddress",
    "ProxiedFrom",
    "Proxy",
    "ProxyFailed",
    "RateMetrics",
    "Raw",
    "Read",
    "ReadUpTo",
    "Receive",
    "Reception",
    "RedirectFailed",
    "Redirected",
    "Rejected",
    "RemoteProtocolError",
    "Reopening",
    "Request",
    "Response",
    "Role",
    "ServeOptions",
    "ServePlan",
    "ServerAlreadyRunning",
    "ServerConnection",
    "ServerNotStarted",
    "ServerStatistics",
    "StartTls",
    "State",
    "Statistics",
    "Step",
    "StreamCodec",
    "StreamConnection",
    "StreamDecoder",
    "StreamServePlan",
    "Tally",
    "TcpCodec",
    "TcpConnectOptions",
    "TcpConnectPlan",
    "TcpEngine",
    "TcpServeOptions",
    "TcpServePlan",
    "Timeouts",
    "Timer",
    "TrafficMetrics",
    "TrustedProxies",
    "UdpConnectPlan",
    "UdpServeOptions",
    "UdpServePlan",
    "Uri",
    "VarintPrefixed",
    "Violation",
    "Waiters",
    "WebSocketBase",
    "WebSocketEngine",
    "WebSocketError",
    "Write",
    "broadcast",
    "connection_failure",
    "dial",
    "inherited_sockets",
    "introduce",
    "is_retryable",
    "is_wire_code",
    "parse_proxy",
    "parse_uri",
    "prometheus_text",
    "proxy_from_environment",
    "read_proxy_header",
    "socket_drops",
]


#: Imported when first asked for: who does not compress does not load zlib, and who has no datagrams not their rules.
_LAZY: Final = MappingProxyType(
    {
        "TcpConnectOptions": "._packets.plans",
        "TcpServeOptions": "._packets.plans",
        "UdpServeOptions": "._packets.plans",
        "AsyncDatagramLink": "._packets.binding",
        "AsyncUdpPeer": "._packets.binding",
        "DatagramBinding": "._packets.binding",
        "LonePeer": "._packets.binding",
        "Waiters": "._packets.binding",
        "socket_drops": "._packets.binding",
        "UdpConnectPlan": "._packets.plans",
        "UdpServePlan": "._packets.plans",
        "Address": "._packets.session",
        "AsyncBridge": "._packets.bridge_async",
        "BridgeClient": "._packets.bridge_async",
        "BridgeServer": "._packets.bridge_async",
        "BridgeBase": "._packets.bridge",
        "BridgeDoors": "._packets.bridge",
        "BridgeOptions": "._packets.bridge_options",
        "ConnectionMetrics": "._driver.metrics",
        "ErrorMetrics": "._driver.metrics",
        "LatencyMetrics": "._driver.metrics",
        "MemoryMetrics": "._driver.metrics",
        "Metrics": "._driver.metrics",
        "RateMetrics": "._driver.metrics",
        "TrafficMetrics": "._driver.metrics",
        "PROMETHEUS_CONTENT_TYPE": "._driver.prometheus",
        "prometheus_text": "._driver.prometheus",
        "AsyncPool": "._driver.pool_async",
        "Compress": "._pipeline.compression",
        "DatagramCodec": "._packets.packet",
        "DatagramPeer": "._packets.datagram",
        "DatagramServer": "._packets.server",
        "DatagramStatistics": "._packets.statistics",
        "Delimited": "._packets.delimited",
        "Encrypt": "._pipeline.encryption",
        "Frames": "._packets.frames",
        "FramesConnection": "._packets.frames",
        "KeyRing": "._pipeline.keys",
        "LengthPrefixed": "._packets.prefixed",
        "Netstring": "._packets.netstring",
        "PeerEvent": "._packets.server",
        "PerMessageDeflate": "._extensions.permessage_deflate",
        "Pipeline": "._pipeline.pipeline",
        "PipelineSession": "._pipeline.session",
        "PoolBase": "._driver.pool_base",
        "PoolLimits": "._driver.pool_limits",
        "PoolRuntime": "._driver.pool_async",
        "PoolSlot": "._driver.pool_parts",
        "PoolStatistics": "._driver.pool_statistics",
        "PoolTicket": "._driver.pool_parts",
        "Raw": "._packets.raw",
        "ServerStatistics": "._packets.statistics",
        "StreamCodec": "._packets.codec",
        "StreamConnection": "._packets.stream",
        "StreamDecoder": "._packets.codec",
        "TcpCodec": "._packets.plans",
        "TcpConnectPlan": "._packets.plans",
        "TcpEngine": "._packets.plans",
        "TcpServePlan": "._packets.plans",
        "VarintPrefixed": "._packets.prefixed",
    }
)


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
