"""The objects that applications hold: one connection on asyncio, WebSocket, TCP or UDP.

Their coroutines are the core's, the same for every runtime. What lives here is what only asyncio has: the transport,
and the :class:`Listener`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar, Final, TypeVar

from wsproto_core import (
    AsyncDatagramLink,
    AsyncPeer,
    AsyncUdpPeer,
    AsyncWebSocket,
    ByteEngine,
    ClientConnection,
    Closed,
    Delivery,
    Event,
    Gathering,
    Log,
    Message,
    Messages,
    PreparedMessage,
    Receive,
    ServerConnection,
    TcpEngine,
    WebSocketEngine,
)

from .link import Link
from .listener import Listener

__all__ = ["DatagramLink", "StreamPeer", "TcpPeer", "UdpPeer", "WebSocket"]

_E = TypeVar("_E", bound=ByteEngine)
_COMPLAINT: Final = "the listener raised"


class StreamPeer(AsyncPeer[_E]):
    """One connection over an asyncio transport."""

    def __init__(
        self,
        engine: _E,
        *,
        delivery: Delivery | None = None,
        watch: Callable[[Any, Event], None] | None = None,
    ) -> None:
        #: The binding to the transport.
        self.link: Link = Link(engine, delivery or Gathering(engine, self))
        super().__init__(engine, self.link, watch=watch)

    @property
    def local_address(self) -> Any:
        """This end, as the socket module writes addresses; ``None`` when there is no transport."""
        return self.link.local_address

    @property
    def remote_address(self) -> Any:
        """The other end, as the socket module writes addresses, or as a trusted proxy tells it; else ``None``."""
        return self.seen_from(self.link.remote_address)

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport below, for ``get_extra_info`` and its like. Writing to it breaks the connection."""
        transport: asyncio.Transport | None = self.link.transport
        return transport

    def __aiter__(self) -> AsyncIterator[Message]:
        if not self._takes_whole_messages:
            self.check_mode(Receive.MESSAGES)
        return Messages(self.engine, self, self.link.waiters)

    def send_prepared(self, message: PreparedMessage) -> None:
        if not self.link.pass_on(message):
            super().send_prepared(message)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value} {self.remote_address}>"

    def start(self, rest: bytes, *, has_ended: bool) -> None:
        """Client: begin over an open transport, behind which ``rest`` came already, and the end if it ``has_ended``."""
        if isinstance(self.engine, ClientConnection):
            self.engine.connect(now=self.link.now())
            self.link.flush()
        else:
            self.opened()
        if rest:
            self.link.data_received(rest)
        if has_ended and not self.link.eof_received():
            self.link.close()


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

    def __init__(
        self,
        engine: ServerConnection | ClientConnection,
        *,
        listener: Listener | None = None,
        watch: Callable[[Any, Event], None] | None = None,
    ) -> None:
        delivery = None if listener is None else Delivery(listener, self, _COMPLAINT)
        super().__init__(engine, delivery=delivery, watch=watch)
        self._listener = listener

    def opened(self) -> None:
        super().opened()
        if self._listener is not None:
            self._tell(self._listener.opened)

    def note(self, event: Event) -> None:
        if isinstance(event, Closed) and self._was_open and self._listener is not None:
            self._tell(self._listener.closed, event.report)
        super().note(event)

    def _tell(self, method: Callable[..., None], *arguments: object) -> None:
        try:
            method(self, *arguments)
        except Exception as error:
            self.fail(error, _COMPLAINT)


class DatagramLink(AsyncDatagramLink):
    """The share of one peer in a socket."""

    log: ClassVar[Log] = Link.log


class UdpPeer(AsyncUdpPeer):
    """One UDP peer. Made by :func:`connect_udp` and :func:`serve_udp`.

    Any number of tasks may send, receive, ping and close at the same time. A message may get lost, come twice (which
    nobody sees, where datagrams have a header) or out of order. A ping may get lost as well: give it a time limit.
    """
