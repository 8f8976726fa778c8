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

Beside it, and not imported here: ``frames``, ``hub``, ``recorder``, ``testing``. Public are the names below and theirs.
The engine is :class:`ServerConnection` and :class:`ClientConnection`: read :mod:`wsproto_core._driver.connection`.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ._codes import CloseCode, is_wire_code
from ._config import Limits, Timeouts
from ._driver.activation import InheritedSocket, inherited_sockets
from ._driver.advice import CLOSE_CODE_ADVICE, Advice, is_retryable
from ._driver.arguments import check_handler
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
from ._driver.tally import Tally
from ._driver.work import Work
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
from ._speedups import IS_COMPILED, Delivery, Gathering, LinkBase, Messages, Outlet, Traffic, WaitersBase
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
    from ._packets.async_server import AsyncListening, AsyncServer, Listening, ServerFacts
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
    "IS_COMPILED",
    "PROMETHEUS_CONTENT_TYPE",
    "SAME_ORIGIN",
    "Accepted",
    "Address",
    "Advice",
    "AsyncBridge",
    "AsyncDatagramLink",
    "AsyncLink",
    "AsyncListening",
    "AsyncPeer",
    "AsyncPool",
    "AsyncReception",
    "AsyncServer",
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
    "DatagramBinding",
    "DatagramCodec",
    "DatagramPeer",
    "DatagramServer",
    "DatagramStatistics",
    "Delimited",
    "Delivery",
    "Drop",
    "Encrypt",
    "ErrorMetrics",
    "Event",
    "Extension",
    "Fragment",
    "Frames",
    "FramesConnection",
    "Gathering",
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
    "LinkBase",
    "ListenOptions",
    "ListenPlan",
    "Listening",
    "LocalProtocolError",
    "Log",
    "LonePeer",
    "MemoryMetrics",
    "Message",
    "MessageOptions",
    "MessageTooLarge",
    "MessageTransform",
    "Messages",
    "Metrics",
    "Netstring",
    "Opcode",
    "OpenTcp",
    "OpenUnix",
    "OriginRule",
    "OutboxFull",
    "OutboxLimits",
    "Outlet",
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
    "ServerFacts",
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
    "Traffic",
    "TrafficMetrics",
    "TrustedProxies",
    "UdpConnectPlan",
    "UdpServeOptions",
    "UdpServePlan",
    "Uri",
    "VarintPrefixed",
    "Violation",
    "Waiters",
    "WaitersBase",
    "WebSocketBase",
    "WebSocketEngine",
    "WebSocketError",
    "Work",
    "Write",
    "broadcast",
    "check_handler",
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
_LAZY_NAMES: Final = MappingProxyType(
    {
        "._driver.metrics": (
            "ConnectionMetrics ErrorMetrics LatencyMetrics MemoryMetrics Metrics RateMetrics TrafficMetrics"
        ),
        "._driver.pool_async": "AsyncPool PoolRuntime",
        "._driver.pool_base": "PoolBase",
        "._driver.pool_limits": "PoolLimits",
        "._driver.pool_parts": "PoolSlot PoolTicket",
        "._driver.pool_statistics": "PoolStatistics",
        "._driver.prometheus": "PROMETHEUS_CONTENT_TYPE prometheus_text",
        "._extensions.permessage_deflate": "PerMessageDeflate",
        "._packets.async_server": "AsyncListening AsyncServer Listening ServerFacts",
        "._packets.binding": "AsyncDatagramLink AsyncUdpPeer DatagramBinding LonePeer socket_drops Waiters",
        "._packets.bridge": "BridgeBase BridgeDoors",
        "._packets.bridge_async": "AsyncBridge BridgeClient BridgeServer",
        "._packets.bridge_options": "BridgeOptions",
        "._packets.codec": "StreamCodec StreamDecoder",
        "._packets.datagram": "DatagramPeer",
        "._packets.delimited": "Delimited",
        "._packets.frames": "Frames FramesConnection",
        "._packets.netstring": "Netstring",
        "._packets.packet": "DatagramCodec",
        "._packets.plans": (
            "TcpCodec TcpConnectOptions TcpConnectPlan TcpEngine TcpServeOptions TcpServePlan UdpConnectPlan "
            "UdpServeOptions UdpServePlan"
        ),
        "._packets.prefixed": "LengthPrefixed VarintPrefixed",
        "._packets.raw": "Raw",
        "._packets.server": "DatagramServer PeerEvent",
        "._packets.session": "Address",
        "._packets.statistics": "DatagramStatistics ServerStatistics",
        "._packets.stream": "StreamConnection",
        "._pipeline.compression": "Compress",
        "._pipeline.encryption": "Encrypt",
        "._pipeline.keys": "KeyRing",
        "._pipeline.pipeline": "Pipeline",
        "._pipeline.session": "PipelineSession",
    }
)
_LAZY: Final = MappingProxyType({name: module for module, names in _LAZY_NAMES.items() for name in names.split()})


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
