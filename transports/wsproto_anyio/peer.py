"""The objects that applications hold: one connection on anyio, WebSocket, TCP or UDP.

Their coroutines are the core's, the same for every runtime. What lives here is what only anyio has: the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from anyio import TypedAttributeLookupError
from anyio.abc import AnyByteStream, SocketAttribute, TaskGroup

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

__all__ = ["DatagramLink", "StreamPeer", "TcpPeer", "UdpPeer", "WebSocket", "address_of"]

_E = TypeVar("_E", bound=ByteEngine)


class StreamPeer(AsyncPeer[_E]):
    """One connection over an anyio stream."""

    def __init__(self, engine: _E, stream: AnyByteStream, *, watch: Callable[[Any, Event], None] | None = None) -> None:
        #: The binding to the stream.
        self.link: Link = Link(engine, self.deliver)
        super().__init__(engine, self.link, watch=watch)
        #: This end, as anyio writes addresses: ``(host, port)`` or a path; ``None`` when the stream has none.
        self.local_address: Any = address_of(stream, SocketAttribute.local_address)
        self._stream = stream
        self._connected_to = address_of(stream, SocketAttribute.remote_address)

    @property
    def remote_address(self) -> Any:
        """The other end, as anyio writes addresses, or as a trusted proxy tells it; else ``None``."""
        return self.seen_from(self._connected_to)

    @property
    def stream(self) -> AnyByteStream:
        """The stream below, for its ``extra`` and its like. Reading, writing or closing it breaks the connection."""
        return self._stream

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value} {self.remote_address}>"

    async def run(self) -> None:
        """Be connected, until the stream is gone."""
        await self.link.run(self._stream)

    def start(self, group: TaskGroup, rest: bytes) -> None:
        """Client: begin over the open stream, behind which ``rest`` came already; live in ``group``."""
        if isinstance(self.engine, ClientConnection):
            self.engine.connect(now=self.link.now())
        else:
            self.opened()
        group.start_soon(self.run, name=f"{self!r}")
        if rest:
            self.link.receive(rest)


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


def address_of(stream: AnyByteStream, attribute: Any) -> Any:
    """What ``stream`` has as ``attribute``, or ``None``."""
    try:
        return stream.extra(attribute)
    except (TypedAttributeLookupError, OSError):  # no socket, or one whose peer has left already
        return None
