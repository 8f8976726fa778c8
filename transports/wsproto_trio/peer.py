"""The objects that applications hold: one connection on trio, WebSocket, TCP or UDP.

Their coroutines are the core's, the same for every runtime. What lives here is what only trio has: the stream, and the
rule that everything which may wait is a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import trio

from wsproto_core import (
    AsyncDatagramLink,
    AsyncPeer,
    AsyncUdpPeer,
    AsyncWebSocket,
    ByteEngine,
    ClientConnection,
    Event,
    Log,
    TcpEngine,
    WebSocketEngine,
)

from .link import Link

__all__ = ["DatagramLink", "StreamPeer", "TcpPeer", "UdpPeer", "WebSocket"]

_E = TypeVar("_E", bound=ByteEngine)


class StreamPeer(AsyncPeer[_E]):
    """One connection over a trio stream."""

    is_eager: ClassVar[bool] = False

    def __init__(self, engine: _E, *, watch: Callable[[Any, Event], None] | None = None) -> None:
        #: The binding to the stream.
        self.link: Link = Link(engine, self.deliver)
        super().__init__(engine, self.link, watch=watch)

    @property
    def local_address(self) -> Any:
        """This end, as the socket module writes addresses; ``None`` when there is no socket."""
        return self.link.local_address

    @property
    def remote_address(self) -> Any:
        """The other end, as the socket module writes addresses, or as a trusted proxy tells it; else ``None``."""
        return self.seen_from(self.link.remote_address)

    @property
    def stream(self) -> trio.abc.Stream | None:
        """The stream below: a ``SocketStream``, or an ``SSLStream`` to ask for its certificate. Using it otherwise
        breaks the connection.
        """
        return self.link.stream

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value} {self.remote_address}>"

    def start(self, rest: bytes) -> None:
        """Client: begin over an open stream, behind which ``rest`` came already."""
        if isinstance(self.engine, ClientConnection):
            self.engine.connect(now=self.link.now())
            self.link.flush()
        else:
            self.opened()
        if rest:
            self.link.received(rest)


class TcpPeer(StreamPeer[TcpEngine]):
    """One TCP connection that carries messages. Made by :func:`connect_tcp` and :func:`serve_tcp`.

    Any number of tasks may send, receive, ping and close at the same time. Cancelling any of these loses no message and
    breaks nothing. Once the connection has ended they raise :exc:`ConnectionClosedOK` or :exc:`ConnectionClosedError`,
    whose ``report`` explains the end.
    """


class WebSocket(StreamPeer[WebSocketEngine], AsyncWebSocket):
    """One WebSocket connection. Made by :func:`connect`, :func:`serve` and :func:`reconnect`.

    Any number of tasks may send, receive, ping and close at the same time. Cancelling any of these loses no message and
    breaks nothing. Once the connection has ended they raise :exc:`ConnectionClosedOK` or :exc:`ConnectionClosedError`,
    whose ``report`` explains the end.
    """


class DatagramLink(AsyncDatagramLink):
    """The share of one peer in a socket."""

    log: ClassVar[Log] = Link.log


class UdpPeer(AsyncUdpPeer):
    """One UDP peer. Made by :func:`connect_udp` and :func:`serve_udp`.

    Any number of tasks may send, receive, ping and close at the same time. A message may get lost, come twice (which
    nobody sees, where datagrams have a header) or out of order. A ping may get lost as well: give it a time limit.
    """

    is_eager: ClassVar[bool] = False
