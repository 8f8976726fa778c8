"""The options of ``connect()`` and ``serve()``, the same for every runtime, with their defaults.

Each adapter adds what only its runtime has: ``ssl`` and ``sock``, a nursery or task group, a listener.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, TypedDict

from .._config import Limits, Timeouts
from .._events import BasicCredentials, BearerCredentials
from .._handshake.policy import OriginRule
from .._handshake.proxy import Proxy
from .._headers import HeadersLike
from .._types import Receive
from .recorder import Recorder

if TYPE_CHECKING:
    from .._extensions.base import Extension
    from .._extensions.permessage_deflate import PerMessageDeflate
    from .._pipeline.pipeline import Pipeline

__all__ = ["ConnectOptions", "ListenOptions", "MessageOptions", "ServeOptions"]


class MessageOptions(TypedDict, total=False):
    """What holds for every connection, of whatever kind and side."""

    #: Bounds on memory; ``Limits()`` by default.
    limits: Limits
    #: Times in seconds; ``Timeouts()`` by default. ``opening_timeout`` bounds everything from the name look-up on.
    timeouts: Timeouts
    #: Compresses and encrypts messages, as the other side's does; ``None`` by default.
    pipeline: Pipeline | None


class ConnectOptions(MessageOptions, total=False):
    """Options of ``connect()``."""

    #: Offered in this order; none by default. ``WebSocket.subprotocol`` is the one chosen.
    subprotocols: Sequence[str]
    #: Added to the request, as ``origin`` and ``credentials`` are; none by default.
    headers: HeadersLike
    origin: str | None
    credentials: BasicCredentials | BearerCredentials | None
    #: ``PerMessageDeflate()``, or ``None``, the default.
    compression: PerMessageDeflate | None
    #: Others to offer; none by default.
    extensions: Sequence[Extension]
    #: Whole messages, the default, fragments or chunks.
    receive: Receive
    #: ``"http://user:password@host:port"``, ``https://`` or ``socks5://``; ``True`` looks for the ``*_proxy`` and
    #: ``no_proxy`` variables of the environment; ``None``, the default, goes straight to the server.
    proxy: Proxy | str | bool | None
    #: How many redirects to follow, never from ``wss`` to ``ws``, and without credentials to another origin; 10 by
    #: default, and 0 raises the first one as :exc:`HandshakeRejected`.
    max_redirects: int
    #: The name to verify and to send as SNI, if not the URI's.
    server_hostname: str | None
    #: A Unix socket to use instead of the URI's host and port.
    unix_path: str | PathLike[str] | None
    #: Follows the engine of every attempt; ``None`` by default.
    recorder: Recorder | None


class ListenOptions(TypedDict, total=False):
    """Where a server listens, beside host, port and sockets."""

    #: A Unix socket to make and listen at.
    unix_path: str | PathLike[str] | None
    #: Connections that wait to be accepted; 1024 by default.
    backlog: int
    #: Whether several processes may listen at the same port (``SO_REUSEPORT``); ``False`` by default.
    reuse_port: bool
    #: Load balancers that speak the PROXY protocol, as :class:`TrustedProxies` takes them; none by default. What they
    #: tell of a client is its connection's ``remote_address`` and ``proxied``.
    proxied_by: Sequence[str]


class ServeOptions(MessageOptions, ListenOptions, total=False):
    """Options of ``serve()``."""

    #: As in :class:`ServerConnection`; by default any origin and host is welcome, and there are no subprotocols.
    origins: Sequence[OriginRule] | None
    hosts: Sequence[str] | None
    subprotocols: Sequence[str] | Callable[[tuple[str, ...]], str | None]
    #: ``PerMessageDeflate()``, or ``None``, the default.
    compression: PerMessageDeflate | None
    #: Others to accept; none by default.
    extensions: Sequence[Extension]
    #: Whole messages, the default, fragments or chunks.
    receive: Receive
    #: Follows the engine of every connection; ``None`` by default.
    recorder: Recorder | None
