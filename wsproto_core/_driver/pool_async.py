"""The pool of every runtime with coroutines: it does what its engine asks for, and waits.

What differs between asyncio, trio and anyio is the :class:`PoolRuntime`: how to connect, to start a task and to wait.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from .._errors import WebSocketError
from .async_peer import Peer
from .backoff import Backoff
from .pool_base import PoolBase
from .pool_limits import PoolLimits
from .pool_parts import PoolSlot, PoolTicket

__all__ = ["AsyncPool", "PoolRuntime", "Signal"]

_P = TypeVar("_P", bound=Peer)
_P_co = TypeVar("_P_co", bound=Peer, covariant=True)


class Signal(Protocol):
    """What one task sets, once, and others wait for: the ``Event`` of asyncio, trio or anyio."""

    def set(self) -> object:
        """Let everybody who waits go on."""
        ...

    async def wait(self) -> object:
        """Wait until it is set."""
        ...


class PoolRuntime(Protocol[_P_co]):
    """What an adapter brings to a pool. For authors of adapters."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def signal(self) -> Signal:
        """A fresh signal."""
        ...

    async def open(self) -> None:
        """The pool's block begins: make :meth:`spawn` possible."""
        ...

    def spawn(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        """Start a task, which the end of the pool's block cancels."""
        ...

    async def dial(self) -> _P_co:
        """Open a connection."""
        ...

    async def until(self, deadline: float | None, work: Callable[[], Awaitable[object]]) -> None:
        """Do ``work``, and give it up at ``deadline``."""
        ...

    async def stop(self) -> None:
        """The pool's block ends: cancel what still runs, and wait until it has ended."""
        ...


class AsyncPool(PoolBase[_P]):
    """Connections to one place, opened when somebody needs one, and used again.

    Any number of tasks may use it. Cancelling one that waits for a connection, or uses one, costs the others nothing.
    """

    def __init__(
        self,
        runtime: PoolRuntime[_P],
        limits: PoolLimits,
        *,
        backoff: Backoff,
        retry: Callable[[BaseException], bool] | None,
        chance: Callable[[], float],
    ) -> None:
        super().__init__(limits, backoff=backoff, retry=retry, chance=chance)
        self._runtime = runtime
        self._wishes: dict[PoolTicket[_P], Signal] = {}
        self._is_over = runtime.signal()
        # What the timer waits for, and until when.
        self._alarm = runtime.signal()
        self._alarm_at: float | None = None

    # --- for its users ------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._engine.open(self._runtime.now())
        await self._runtime.open()
        self._runtime.spawn(self._keep_time)
        self._carry_out()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except BaseException as late:
            if error is None or isinstance(late, Exception):
                raise  # else it was cancelled as well, and what leaves the block leaves it as itself
        finally:
            await self._runtime.stop()

    @asynccontextmanager
    async def connection(self, *, timeout: float | None = None) -> AsyncGenerator[_P]:
        """``async with pool.connection() as ws``: a connection for the block.

        Waits while all are taken, in the order of asking, for ``timeout`` seconds instead of
        ``PoolLimits.acquire_timeout``; 0 takes what is there. A connection that ends, or whose block is left by an
        exception, is replaced. What was received and not read is there for the next user.

        Raises :exc:`PoolTimeout`; :exc:`PoolClosed`; what ``connect`` raises, if ``retry`` says that trying again is
        no use or ``backoff`` is exhausted; :exc:`ValueError` for a ``timeout`` that is none.
        """
        ticket = await self._acquire(timeout)
        is_fit = False
        try:
            yield ticket.connection()
            is_fit = True
        finally:
            self._tell(partial(self._engine.release, is_fit=is_fit), ticket)

    async def close(self, *, grace_period: float = 10.0) -> None:
        """Close every connection: at once where nobody uses it, else when its user has given it back. After
        ``grace_period`` seconds those that are left are dropped.

        Who waits for a connection, or asks for one, gets :exc:`PoolClosed`. Returns when every connection has ended.
        Leaving the pool's block does this.
        """
        self._tell(partial(self._engine.close, grace_period=grace_period))
        await self._is_over.wait()

    def abort(self) -> None:
        """Drop every connection at once, without closing handshakes."""
        self._tell(partial(self._engine.close, grace_period=0.0))

    # --- behind -------------------------------------------------------------------------------------------------------

    async def _acquire(self, timeout: float | None) -> PoolTicket[_P]:
        """A ticket that was granted. Cancelled, it leaves nothing behind."""
        ticket = self._engine.acquire(self._runtime.now(), timeout)
        self._wishes[ticket] = settled = self._runtime.signal()
        self._carry_out()
        try:
            await settled.wait()
        except BaseException:
            self._wishes.pop(ticket, None)
            self._tell(self._engine.withdraw, ticket)
            raise
        ticket.connection()
        return ticket

    def _tell(self, what: Callable[..., None], *facts: object) -> None:
        what(*facts, self._runtime.now())
        self._carry_out()

    def _carry_out(self) -> None:
        super()._carry_out()
        if self._engine.is_over:
            self._is_over.set()
        deadline = self._engine.next_deadline()
        if deadline is not None and (self._alarm_at is None or deadline < self._alarm_at):
            self._alarm.set()

    async def _keep_time(self) -> None:
        while True:
            self._alarm = self._runtime.signal()
            self._alarm_at = self._engine.next_deadline()
            await self._runtime.until(self._alarm_at, self._alarm.wait)
            self._tell(self._engine.handle_timeout)

    def _begin_life(self, slot: PoolSlot[_P]) -> None:
        self._runtime.spawn(self._live, slot)

    async def _live(self, slot: PoolSlot[_P]) -> None:
        try:
            peer = await self._runtime.dial()
        except Exception as error:
            self._tell(self._attempt_failed, slot, error)
        else:
            self._tell(self._attempt_succeeded, slot, peer)
            self._tell(self._engine.ended, slot, await peer.wait_closed())

    def _begin_check(self, slot: PoolSlot[_P]) -> None:
        self._runtime.spawn(self._check, slot)

    async def _check(self, slot: PoolSlot[_P]) -> None:
        try:
            await slot.connection.ping()
        except WebSocketError:
            return  # of its end others tell
        self._tell(self._engine.answered, slot)

    def _wake(self, ticket: PoolTicket[_P]) -> None:
        self._wishes.pop(ticket).set()
