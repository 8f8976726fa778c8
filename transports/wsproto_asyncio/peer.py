"""The object that applications hold: one WebSocket connection, of either side.

What lives here translates: coroutines to the engine's verbs, the engine's events to results and exceptions. It decides
nothing that another adapter would have to decide as well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

from wsproto_core import (
    Accepted,
    Buffer,
    ClientConnection,
    CloseCode,
    Closed,
    CloseReport,
    ConnectionClosedOK,
    Event,
    Fragment,
    Message,
    PeerBase,
    PreparedMessage,
    Receive,
    ServerConnection,
)

from .link import Link
from .listener import Listener

__all__ = ["WebSocket"]

_logger = logging.getLogger("wsproto_asyncio")


class WebSocket(PeerBase):
    """One WebSocket connection. Made by :func:`connect`, :func:`serve` and :func:`reconnect`.

    Any number of tasks may send, receive, ping and close at the same time. Cancelling any of these loses no message and
    breaks nothing. Once the connection has ended they raise :exc:`ConnectionClosedOK` or
    :exc:`ConnectionClosedError`, whose ``report`` explains the end.
    """

    def __init__(
        self,
        engine: ServerConnection | ClientConnection,
        *,
        listener: Listener | None = None,
        watch: Callable[[WebSocket, Event], None] | None = None,
    ) -> None:
        super().__init__(engine)
        self._listener = listener
        self._watch = watch
        #: The binding to the transport.
        self.link: Link = Link(engine, self._deliver)

    # --- sending ------------------------------------------------------------------------------------------------------

    async def send(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Send a message: ``str`` as text, bytes-like as binary. Waits while ``Limits.outbox_size`` bytes are queued.

        ``compress`` overrides the extension's choice for this message; an ``urgent`` one goes ahead of those that
        have not begun to leave. Raises :exc:`LocalProtocolError` for text that is not valid Unicode, :exc:`TypeError`
        for anything that is no message, and :exc:`ConnectionClosed`.
        """
        if not self.engine.can_send:
            await self.link.until(self._room)
        self.send_nowait(message, compress=compress, urgent=urgent)

    def send_nowait(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Queue a message without waiting. Raises :exc:`OutboxFull` when ``can_send`` is false, else what
        :meth:`send` raises.
        """
        self.engine.send(message, compress=compress, urgent=urgent)
        self.link.flush_soon()

    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that was encoded once for many; see :func:`broadcast`. Raises what :meth:`send_nowait`
        raises.
        """
        self.engine.send_prepared(message)
        self.link.flush_soon()

    async def send_fragment(self, data: Message | Buffer, *, final: bool, compress: bool | None = None) -> None:
        """Send the next part of a message, all parts being ``str`` or all bytes-like. Waits, and raises, like
        :meth:`send`.

        Until the part with ``final=True`` no other message can be sent.
        """
        if not self.engine.can_send:
            await self.link.until(self._room)
        self.engine.send_fragment(data, final=final, compress=compress)
        self.link.flush_soon()

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def recv(self) -> Message:
        """The next message: ``str`` is text, ``bytes`` is binary.

        What arrived before the end is delivered first; then it raises :exc:`ConnectionClosed`.
        """
        return cast(Message, await self._next(Receive.MESSAGES))

    async def recv_fragment(self) -> Fragment:
        """The next part of a message, where ``receive`` asks for parts. Raises like :meth:`recv`."""
        return cast(Fragment, await self._next(Receive.FRAGMENTS, Receive.CHUNKS))

    def __aiter__(self) -> WebSocket:
        """The messages, until an ordinary close ends the loop; any other end raises :exc:`ConnectionClosedError`."""
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.recv()
        except ConnectionClosedOK:
            raise StopAsyncIteration from None

    # --- liveness and the end -----------------------------------------------------------------------------------------

    async def ping(self, payload: Buffer | None = None) -> float:
        """Send a ping and wait for its pong; return the round trip in seconds. Raises :exc:`ConnectionClosed`."""
        if not self.engine.can_send:
            await self.link.until(self._room)
        sent_at = self.link.now()
        sent = self.engine.ping(payload, now=sent_at)
        self.link.flush_soon()
        await self.link.until(lambda: self.is_answered(sent))
        return self.link.now() - sent_at

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection and wait until it has ended, for ``Timeouts.closing_timeout`` at the most.

        What was queued is sent first; messages that still come are kept for :meth:`recv`, as far as there is room.
        Closing twice is harmless. Raises :exc:`LocalProtocolError` for a code or reason that cannot be sent.
        """
        self.close_nowait(code, reason)
        await self.link.until_lost()

    def close_nowait(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close, without waiting. Raises what :meth:`close` raises."""
        self.engine.close(code, reason, now=self.link.now())
        self.link.flush()

    async def wait_closed(self) -> CloseReport:
        """Wait until the connection has ended, by whomever; return the report."""
        await self.link.until_lost()
        assert self.engine.close_report is not None, "a lost transport settles the end"
        return self.engine.close_report

    def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        self.engine.abort(now=self.link.now())
        self.link.abort()

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def local_address(self) -> Any:
        """This end, as the socket module writes addresses; ``None`` when there is no transport."""
        return self._extra("sockname")

    @property
    def remote_address(self) -> Any:
        """The other end, as the socket module writes addresses; ``None`` when there is no transport."""
        return self._extra("peername")

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport below, for ``get_extra_info`` and its like. Writing to it breaks the connection."""
        return self.link.transport

    def __repr__(self) -> str:
        return f"<WebSocket {self.state.value} {self.remote_address}>"

    # --- behind -------------------------------------------------------------------------------------------------------

    def _extra(self, name: str) -> Any:
        return None if self.link.transport is None else self.link.transport.get_extra_info(name)

    def opened(self) -> None:
        """The handshake is accepted. Called by whoever accepts it."""
        self._was_open = True
        if self._listener is not None:
            self._tell(self._listener.opened)

    def _deliver(self, events: Sequence[Event]) -> None:
        listener = self._listener
        for event in events if listener is not None else self.engine.gather(events):
            if listener is not None and isinstance(event, str | bytes | Fragment):
                self._tell(listener.received, event)
            else:
                self._react(event)

    def _react(self, event: Event) -> None:
        self.note(event)
        match event:
            case Accepted():
                self.opened()
            case Closed(report) if self._listener is not None and self._was_open:
                self._tell(self._listener.closed, report)
            case _:
                pass
        if self._watch is not None:
            self._watch(self, event)

    def _tell(self, method: Callable[..., None], *arguments: object) -> None:
        try:
            method(self, *arguments)
        except Exception as error:
            self.fail(error, "the listener raised")

    def fail(self, error: Exception, words: str) -> None:
        """``error`` left the application's code: log it and close with 1011, unless all it says is that this connection
        is over.
        """
        if self.is_end(error):
            self.close_nowait()
            return
        _logger.error("%r: %s", self, words, exc_info=error)
        self.close_nowait(CloseCode.INTERNAL_ERROR)

    async def _next(self, *modes: Receive) -> Message | Fragment:
        self.check_mode(*modes)
        item = self._take()
        return item if item is not None else await self.link.until(self._take)

    def _room(self) -> Literal[True] | None:
        self.link.flush()  # which makes room, or else the transport will tell when it takes more
        return self.may_send()

    def _take(self) -> Message | Fragment | None:
        self.link.flush_soon()  # taking a message may let reading go on, or a close frame leave
        return self.take_message()
