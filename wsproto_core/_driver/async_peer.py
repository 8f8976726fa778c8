"""The connection object of every runtime with coroutines: asyncio, trio, anyio, and any other.

The coroutines below await nothing but their link, so they are the same everywhere. What differs is the
:class:`AsyncLink`: how bytes are read and written, and how to wait for the next input.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar, Literal, Protocol, TypeVar, cast

from .._events import CloseReport, Event, Fragment
from .._protocol.sending import PreparedMessage
from .._types import Buffer, Message, Receive, State
from .peer import Log, PeerBase, PeerEngine, WebSocketBase, WebSocketEngine
from .statistics import Latency, Statistics

__all__ = ["AsyncLink", "AsyncPeer", "AsyncWebSocket", "Peer"]

_T = TypeVar("_T")
_E = TypeVar("_E", bound=PeerEngine)


class Peer(Protocol):
    """Somebody to exchange messages with, by WebSocket, TCP or UDP, on whatever runtime with coroutines.

    A function written for a ``Peer`` works with all of them: what each method does, and raises, stands in
    :class:`AsyncPeer`. Only ``ping`` depends on what is spoken: a TCP codec other than ``Frames``, and a datagram
    without a header, know none and raise :exc:`LocalProtocolError`.
    """

    data: dict[str, Any]

    @property
    def state(self) -> State:
        """Connecting, open, closing or closed."""
        ...

    @property
    def can_send(self) -> bool:
        """Whether ``send`` would not wait."""
        ...

    @property
    def close_report(self) -> CloseReport | None:
        """How it ended; ``None`` until that is settled."""
        ...

    @property
    def latency(self) -> Latency | None:
        """Round trips so far; ``None`` before the first."""
        ...

    @property
    def statistics(self) -> Statistics:
        """Messages, bytes and control frames so far."""
        ...

    @property
    def local_address(self) -> Any:
        """This end, as the socket module writes addresses."""
        ...

    @property
    def remote_address(self) -> Any:
        """The other end."""
        ...

    async def send(self, message: Message | Buffer) -> None:
        """Send a message; wait while there is no room."""
        ...

    def send_nowait(self, message: Message | Buffer) -> None:
        """Queue a message; raise :exc:`OutboxFull` where there is no room."""
        ...

    async def recv(self) -> Message:
        """The next message."""
        ...

    def __aiter__(self) -> AsyncIterator[Message]: ...
    async def __anext__(self) -> Message: ...
    async def ping(self, payload: Buffer | None = None) -> float:
        """The round trip in seconds."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close, and wait until it has ended."""
        ...

    def close_nowait(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close."""
        ...

    async def wait_closed(self) -> CloseReport:
        """Wait until it has ended, by whomever."""
        ...

    def abort(self) -> None:
        """Drop it at once."""
        ...


class AsyncLink(Protocol):
    """What an adapter brings: one transport, bound to one engine. For authors of adapters."""

    #: Where an operator is told what went wrong.
    log: ClassVar[Log]

    def now(self) -> float:
        """The engine's clock, in monotonic seconds."""
        ...

    def flush(self) -> None:
        """Write what the engine has to say, or see to it that it is written as soon as can be."""
        ...

    def flush_soon(self) -> None:
        """The same, but what one turn of the event loop sends leaves in one write."""
        ...

    def abort(self) -> None:
        """Drop the transport at once."""
        ...

    def until(self, attempt: Callable[[], _T | None]) -> Awaitable[_T]:
        """The first result of ``attempt`` that is not ``None``: tried at once, and again after every input.

        Nothing may be awaited between that result and the return, so that cancelling it loses nothing.
        """
        ...

    async def until_lost(self) -> None:
        """Wait until the transport is gone."""
        ...


class AsyncPeer(PeerBase[_E]):
    """One connection, over whatever engine.

    Any number of tasks may send, receive, ping and close at the same time. Cancelling any of these loses no message and
    breaks nothing. Once the connection has ended they raise :exc:`ConnectionClosedOK` or :exc:`ConnectionClosedError`,
    whose ``report`` explains the end.
    """

    #: Whether what can be done at once is done without asking the runtime first, by ``until``. trio's rule is to ask.
    is_eager: ClassVar[bool] = True

    def __init__(self, engine: _E, link: AsyncLink, *, watch: Callable[[Any, Event], None] | None = None) -> None:
        super().__init__(engine, watch=watch)
        self._link = link
        self._asks_first = not self.is_eager  # what an object holds itself is found faster
        self._takes_whole_messages = engine.receive is Receive.MESSAGES

    # --- sending ------------------------------------------------------------------------------------------------------

    async def send(self, message: Message | Buffer) -> None:
        """Send a message: ``str`` as text, bytes-like as binary. Waits while ``Limits.outbox_size`` bytes are queued.

        Raises :exc:`LocalProtocolError` for text that is not valid Unicode, :exc:`TypeError` for anything that is no
        message, and :exc:`ConnectionClosed`.
        """
        if self._asks_first:
            await self._link.until(_at_once)
        if not self.engine.send_at_once(message):
            if not self.engine.can_send:
                await self._link.until(self._room)
            self.engine.send(message)
        self._link.flush_soon()

    def send_nowait(self, message: Message | Buffer) -> None:
        """Queue a message without waiting. Raises :exc:`OutboxFull` when ``can_send`` is false, else what
        :meth:`send` raises.
        """
        if not self.engine.send_at_once(message):
            self.engine.send(message)
        self._link.flush_soon()

    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that was encoded once for many; see :func:`broadcast`. Raises what :meth:`send_nowait`
        raises.
        """
        self.engine.send_prepared(message)
        self._link.flush_soon()

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def recv(self) -> Message:
        """The next message: ``str`` is text, ``bytes`` is binary.

        What arrived before the end is delivered first; then it raises :exc:`ConnectionClosed`. Cancelling it, by a
        time limit for example, loses no message.
        """
        if self._asks_first:
            await self._link.until(_at_once)
        if not self._takes_whole_messages:
            self.check_mode(Receive.MESSAGES)
        message: Any = self.engine.message_at_hand()
        if message is None:
            message = await self._link.until(self._take)
        return message  # type: ignore[no-any-return]  # a whole one

    def __aiter__(self) -> AsyncIterator[Message]:
        """The messages, until an ordinary close ends the loop; any other end raises :exc:`ConnectionClosedError`."""
        return self

    async def __anext__(self) -> Message:
        if self._asks_first:
            await self._link.until(_at_once)
        if not self._takes_whole_messages:
            self.check_mode(Receive.MESSAGES)
        message: Any = self.engine.message_at_hand()
        if message is None:
            message = await self._link.until(self.take_next)
        return message  # type: ignore[no-any-return]  # a whole one

    def take_next(self) -> Message | Fragment | None:
        """An attempt, for adapters: the next message; raises :exc:`StopAsyncIteration` behind an ordinary close."""
        report = self.engine.close_report
        if report is None or not report.ok:
            return self._take()
        message = self.engine.next_message()
        self._link.flush_soon()  # as in _take(), which would make an error first, with its words
        if message is None:
            raise StopAsyncIteration
        return message

    # --- liveness and the end -----------------------------------------------------------------------------------------

    async def ping(self, payload: Buffer | None = None) -> float:
        """Send a ping and wait for its pong; return the round trip in seconds. Raises :exc:`ConnectionClosed`."""
        if self._must_wait:
            await self._link.until(self._room)
        sent_at = self._link.now()
        sent = self.engine.ping(payload, now=sent_at)
        self._link.flush_soon()
        await self._link.until(lambda: self.is_answered(sent))
        return self._link.now() - sent_at

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection and wait until it has ended, for ``Timeouts.closing_timeout`` at the most.

        What was queued is sent first; messages that still come are kept for :meth:`recv`, as far as there is room.
        Closing twice is harmless. Raises :exc:`LocalProtocolError` for a code or reason that cannot be sent.
        """
        self.close_nowait(code, reason)
        await self._link.until_lost()

    def close_nowait(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close, without waiting. Raises what :meth:`close` raises."""
        self.engine.close(code, reason, now=self._link.now())
        self._link.flush()

    async def wait_closed(self) -> CloseReport:
        """Wait until the connection has ended, by whomever; return the report."""
        await self._link.until_lost()
        assert self.engine.close_report is not None, "a lost transport settles the end"
        return self.engine.close_report

    def abort(self) -> None:
        """Drop the connection at once, without a closing handshake."""
        self.engine.abort(now=self._link.now())
        self._link.abort()

    def flush(self) -> None:
        """Let the engine's words go, soon. For adapters, behind a verb of the engine."""
        self._link.flush_soon()

    def fail(self, error: Exception, words: str) -> None:
        """``error`` left the application's code: log it and close with 1011, unless all it says is that this connection
        is over.
        """
        self.close_nowait(self.verdict(error, words, self._link.log))

    # --- behind -------------------------------------------------------------------------------------------------------

    @property
    def _must_wait(self) -> bool:
        return self._asks_first or not self.engine.can_send

    def _take(self) -> Message | Fragment | None:
        if self.engine.is_flowing:
            return self.engine.next_message()  # it has not ended: there is nothing to raise
        try:
            return self.take_message()
        finally:
            self._link.flush_soon()  # taking a message may have let reading go on, or a close frame leave

    def _room(self) -> Literal[True] | None:
        self._link.flush()  # which makes room, or else the transport will tell when it takes more
        return self.may_send()


class AsyncWebSocket(AsyncPeer[WebSocketEngine], WebSocketBase):
    """One WebSocket connection: what :class:`AsyncPeer` has, and what only WebSocket can."""

    async def send(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Send a message: ``str`` as text, bytes-like as binary. Waits while ``Limits.outbox_size`` bytes are queued.

        ``compress`` overrides the extension's choice for this message; an ``urgent`` one goes ahead of those that
        have not begun to leave. Raises :exc:`LocalProtocolError` for text that is not valid Unicode, :exc:`TypeError`
        for anything that is no message, and :exc:`ConnectionClosed`.
        """
        if self._asks_first:
            await self._link.until(_at_once)
        if urgent or not self.engine.send_at_once(message):
            if not self.engine.can_send:
                await self._link.until(self._room)
            self.engine.send(message, compress=compress, urgent=urgent)
        self._link.flush_soon()

    def send_nowait(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Queue a message without waiting. Raises :exc:`OutboxFull` when ``can_send`` is false, else what
        :meth:`send` raises.
        """
        if urgent or not self.engine.send_at_once(message):
            self.engine.send(message, compress=compress, urgent=urgent)
        self._link.flush_soon()

    async def send_fragment(self, data: Message | Buffer, *, final: bool, compress: bool | None = None) -> None:
        """Send the next part of a message, all parts being ``str`` or all bytes-like. Waits, and raises, like
        :meth:`send`.

        Until the part with ``final=True`` no other message can be sent.
        """
        if self._must_wait:
            await self._link.until(self._room)
        self.engine.send_fragment(data, final=final, compress=compress)
        self._link.flush_soon()

    async def recv_fragment(self) -> Fragment:
        """The next part of a message, where ``receive`` asks for parts. Raises like :meth:`recv`."""
        self.check_mode(Receive.FRAGMENTS, Receive.CHUNKS)
        return cast(Fragment, await self._link.until(self._take))


def _at_once() -> Literal[True]:
    """What there is to wait for where the runtime's rules alone make a verb wait."""
    return True
