"""One connection after the other: the loop of every runtime with coroutines.

It decides nothing. When to try again is the business of :class:`Comeback`, and what is sent then of
:class:`PendingMessages`; a runtime without coroutines writes these few lines again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from .._codes import CloseCode
from .._errors import WebSocketError
from .._events import CloseReport
from .._types import Buffer, Message
from .backoff import Comeback
from .pending import PendingMessages

__all__ = ["Connections", "Reopening"]


class _Peer(Protocol):
    def send_nowait(self, message: Message) -> None: ...
    async def send(self, message: Message) -> None: ...
    async def close(self, code: int = ...) -> None: ...
    async def wait_closed(self) -> CloseReport: ...


_P = TypeVar("_P", bound=_Peer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopening:
    """What ``opened`` is told of a new connection."""

    #: How many connections were open before it: 0 for the first one.
    number: int
    #: How the one before it ended. ``bytes_queued`` is what never left this side.
    last_report: CloseReport | None
    #: How many messages the outbox has given up since the one before it opened.
    dropped: int
    #: How many messages wait to be sent, behind whatever ``opened`` sends.
    waiting: int

    @classmethod
    def after(cls, comeback: Comeback, pending: PendingMessages[Any]) -> Reopening:
        """What there is to tell before the next connection counts as open. For authors of adapters."""
        return cls(
            number=comeback.count,
            last_report=comeback.last_report,
            dropped=pending.dropped,
            waiting=len(pending.messages),
        )


class Connections(Generic[_P]):
    """One connection after the other, and what is to be sent whenever there is one. Made by ``async with reconnect()``.

    ``async for ws in connections`` gives them. For authors of adapters: ``dial`` opens one; ``opened`` is the
    application's hook, ``now`` the clock of the connections, ``chance`` draws from [0, 1), ``sleep`` waits, and
    ``start(function)`` lets a coroutine run beside.
    """

    def __init__(
        self,
        dial: Callable[[], Awaitable[_P]],
        comeback: Comeback,
        pending: PendingMessages[_P],
        *,
        opened: Callable[[_P, Reopening], Awaitable[object]] | None,
        now: Callable[[], float],
        chance: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        start: Callable[[Callable[[], Coroutine[Any, Any, None]]], object],
    ) -> None:
        self._dial = dial
        self._comeback = comeback
        self._pending = pending
        self._opened = opened
        self._now = now
        self._chance = chance
        self._sleep = sleep
        self._start = start
        self._running: AsyncGenerator[_P, None] | None = None

    @property
    def waiting(self) -> tuple[Message, ...]:
        """The messages of :meth:`send_later` that no connection has taken yet, the oldest first."""
        return self._pending.messages

    def send_later(self, message: Message | Buffer) -> list[Message]:
        """Send ``message`` as soon as there is a connection with room for it, behind those that wait already.

        Never waits. Returns the messages that are given up for want of room, by the policy of :class:`OutboxLimits`:
        mostly none. What a connection has taken is as if it had been sent by ``ws.send()``: it may be lost with it.
        While a message is being sent in parts, those of ``send_later`` wait for the next call, or connection.

        Raises :exc:`LocalProtocolError` for text that is not valid Unicode and :exc:`TypeError` for what is no message.
        """
        given_up = self._pending.put(message)
        self._push()
        return given_up

    def __aiter__(self) -> AsyncIterator[_P]:
        if self._running is None:
            self._running = self.lives()
        return self._running

    async def aclose(self) -> None:
        """Close the connection that is open, if one is, and end the loop."""
        if self._running is not None:
            await self._running.aclose()

    async def lives(self) -> AsyncGenerator[_P, None]:
        """The loop itself, for whoever closes it."""
        while True:
            try:
                peer = await self._open()
            except Exception as error:
                pause = self._comeback.failed(error, self._chance())
            else:
                try:
                    yield peer
                finally:
                    self._pending.detach()
                    await peer.close()
                pause = self._comeback.ended(await peer.wait_closed(), self._chance())
            await self._sleep(pause)

    async def _open(self) -> _P:
        peer = await self._dial()
        if self._opened is not None:
            try:
                await self._opened(peer, Reopening.after(self._comeback, self._pending))
            except BaseException:
                await peer.close(CloseCode.INTERNAL_ERROR)
                raise
        self._comeback.opened(self._now())
        self._pending.attach(peer)
        self._push()
        return peer

    def _push(self) -> None:
        peer = self._pending.push()
        if peer is not None:
            self._start(partial(self._pump, peer))

    async def _pump(self, peer: _P) -> None:
        try:
            while (message := self._pending.take()) is not None:
                await peer.send(message)
        except WebSocketError:  # the connection is ending: what waits is for the next one
            self._pending.put_back()
        except BaseException:
            self._pending.put_back()
            raise
