"""The objects that applications hold: one connection for threads, WebSocket, TCP or UDP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from wsproto_core import (
    Buffer,
    ByteEngine,
    DatagramPeer,
    Event,
    Fragment,
    Message,
    Receive,
    Request,
    TcpEngine,
    WebSocketBase,
    WebSocketEngine,
)

from .blocking import BlockingLink, BlockingPeer
from .link import Link
from .stream import Stream

__all__ = ["StreamPeer", "TcpPeer", "UdpPeer", "WebSocket"]

_E = TypeVar("_E", bound=ByteEngine)


class StreamPeer(BlockingPeer[_E]):
    """One connection over a stream."""

    def __init__(self, engine: _E, *, watch: Callable[[Any, Event], None] | None = None) -> None:
        #: The binding to the stream.
        self.link: Link = Link(engine, self.note)
        super().__init__(engine, self.link, watch=watch)

    @property
    def local_address(self) -> Any:
        """This end, as the socket module writes addresses; ``None`` when there is no transport."""
        return None if self.link.stream is None else self.link.stream.local_address

    @property
    def remote_address(self) -> Any:
        """The other end, as the socket module writes addresses, or as a trusted proxy tells it; else ``None``."""
        return self.seen_from(None if self.link.stream is None else self.link.stream.remote_address)

    @property
    def transport(self) -> Stream | None:
        """The stream below, for its ``socket`` and ``tls`` (an ``ssl.SSLObject`` or ``None``). Reading from it or
        writing to it breaks the connection.
        """
        return self.link.stream


class UdpPeer(BlockingPeer[DatagramPeer]):
    """One UDP peer. Made by :func:`connect_udp` and :func:`serve_udp`.

    Any number of threads may send, receive, ping and close at the same time. A message may get lost, come twice (which
    nobody sees, where datagrams have a header) or out of order. A ping may get lost as well: give it a time limit.
    """

    def __init__(
        self,
        engine: DatagramPeer,
        link: BlockingLink,
        local_address: Any,
        *,
        watch: Callable[[Any, Event], None] | None = None,
    ) -> None:
        super().__init__(engine, link, watch=watch)
        #: The binding to the socket.
        self.link: BlockingLink = link
        #: This end, as the socket module writes addresses.
        self.local_address: Any = local_address

    @property
    def remote_address(self) -> Any:
        """The other end, as the socket module writes addresses."""
        return self.engine.address


class TcpPeer(StreamPeer[TcpEngine]):
    """One TCP connection that carries messages. Made by :func:`connect_tcp` and :func:`serve_tcp`.

    Any number of threads may send, receive, ping and close at the same time. A time limit that runs out loses no
    message and breaks nothing. Once the connection has ended they raise :exc:`ConnectionClosedOK` or
    :exc:`ConnectionClosedError`, whose ``report`` explains the end. As a context manager it closes itself at the end of
    the block: with 1000, or with 1011 after an exception.
    """


class WebSocket(StreamPeer[WebSocketEngine], WebSocketBase):
    """One WebSocket connection. Made by :func:`connect`, :func:`serve` and :func:`reconnect`.

    Any number of threads may send, receive, ping and close at the same time. A time limit that runs out loses no
    message and breaks nothing. Once the connection has ended they raise :exc:`ConnectionClosedOK` or
    :exc:`ConnectionClosedError`, whose ``report`` explains the end. As a context manager it closes itself at the end of
    the block: with 1000, or with 1011 after an exception.
    """

    def send(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Send a message: ``str`` as text, bytes-like as binary. Waits while ``Limits.outbox_size`` bytes are queued.

        ``compress`` overrides the extension's choice for this message; an ``urgent`` one goes ahead of those that
        have not begun to leave. Raises :exc:`LocalProtocolError` for text that is not valid Unicode, :exc:`TypeError`
        for anything that is no message, and :exc:`ConnectionClosed`.
        """
        link = self.link
        if urgent or not link.send_at_once(message):
            link.give_way()
            with link.lock:  # no other thread takes the room away
                link.flush()
                link.until(self.may_send)
                self.engine.send(message, compress=compress, urgent=urgent)
                link.flush_soon()

    def send_nowait(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Queue a message without waiting. Raises :exc:`OutboxFull` when ``can_send`` is false, else what
        :meth:`send` raises.
        """
        link = self.link
        link.give_way()
        with link.lock:
            self.engine.send(message, compress=compress, urgent=urgent)
            link.flush_soon()

    def send_fragment(self, data: Message | Buffer, *, final: bool, compress: bool | None = None) -> None:
        """Send the next part of a message, all parts being ``str`` or all bytes-like. Waits, and raises, like
        :meth:`send`.

        Until the part with ``final=True`` no other message can be sent, by whatever thread.
        """
        self.link.give_way()
        with self.link.changed:
            self.link.until(self.may_send)
            self.engine.send_fragment(data, final=final, compress=compress)
            self.link.flush()

    def recv_fragment(self, timeout: float | None = None) -> Fragment:
        """The next part of a message, where ``receive`` asks for parts. Raises like :meth:`recv`."""
        return cast(Fragment, self._next(timeout, Receive.FRAGMENTS, Receive.CHUNKS))

    def await_request(self) -> Request | None:
        request = self.link.until(self._arrival)
        return request if isinstance(request, Request) else None

    def _arrival(self) -> Request | bool | None:
        return self.request if self.close_report is None else False
