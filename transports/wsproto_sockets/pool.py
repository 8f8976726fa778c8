"""Connections that are opened once and used by many."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

from wsproto_core import Backoff, PoolBase, PoolLimits, PoolSlot, PoolStatistics, PoolTicket, WebSocketError

from .client import prepare
from .peer import WebSocket
from .waiting import remaining

__all__ = ["Pool"]

_DEFAULT_LIMITS: Final = PoolLimits()
_DEFAULT_BACKOFF: Final = Backoff()


class Pool(PoolBase[WebSocket]):
    """Connections to ``uri``, opened when somebody needs one, and used again::

        with Pool(uri, PoolLimits(max_size=4)) as pool:
            with pool.connection() as ws:
                ws.send("hi")

    * ``pool_limits``: how many connections, for how long, and how long to wait for one.
    * ``backoff``: how long to wait behind an attempt that failed, and when to give up.
    * ``retry(error)``: whether a failure to connect is worth another attempt; without it, as :func:`is_retryable` says.
      Any other is raised to those who wait.
    * ``options``: those of :func:`connect`, which are checked at once.

    Any number of threads may use it.
    """

    def __init__(
        self,
        uri: str,
        pool_limits: PoolLimits = _DEFAULT_LIMITS,
        *,
        backoff: Backoff = _DEFAULT_BACKOFF,
        retry: Callable[[BaseException], bool] | None = None,
        **options: Any,
    ) -> None:
        prepare(uri, sock=None, **options)  # what cannot work is told now; a pool opens its own sockets
        super().__init__(pool_limits, backoff=backoff, retry=retry, chance=random.random)
        self._uri = uri
        self._options = options
        # Guards the engine, and is notified of whatever it is told.
        self._changed = threading.Condition()

    # --- for its users ------------------------------------------------------------------------------------------------

    @property
    def statistics(self) -> PoolStatistics:
        """The pool at this moment, and its counts so far."""
        with self._changed:
            return super().statistics

    @contextmanager
    def connection(self, *, timeout: float | None = None) -> Generator[WebSocket]:
        """``with pool.connection() as ws``: a connection for the block.

        Waits while all are taken, in the order of asking, for ``timeout`` seconds instead of
        ``PoolLimits.acquire_timeout``; 0 takes what is there. A connection that ends, or whose block is left by an
        exception, is replaced. What was received and not read is there for the next user.

        Raises :exc:`PoolTimeout`; :exc:`PoolClosed`; what ``connect`` raises, if ``retry`` says that trying again is
        no use or ``backoff`` is exhausted; :exc:`ValueError` for a ``timeout`` that is none.
        """
        ticket = self._acquire(timeout)
        is_fit = False
        try:
            yield ticket.connection()
            is_fit = True
        finally:
            self._tell(partial(self._engine.release, is_fit=is_fit), ticket)

    def close(self, *, grace_period: float = 10.0) -> None:
        """Close every connection: at once where nobody uses it, else when its user has given it back. After
        ``grace_period`` seconds those that are left are dropped.

        Who waits for a connection, or asks for one, gets :exc:`PoolClosed`. Returns when every connection has ended.
        Leaving the pool's block does this.
        """
        with self._changed:
            self._tell(partial(self._engine.close, grace_period=grace_period))
            self._changed.wait_for(lambda: self._engine.is_over)

    def abort(self) -> None:
        """Drop every connection at once, without closing handshakes."""
        self._tell(partial(self._engine.close, grace_period=0.0))

    def __enter__(self) -> Self:
        with self._changed:
            self._tell(self._engine.open)
            self._spawn(self._keep_time)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- behind -------------------------------------------------------------------------------------------------------

    def _acquire(self, timeout: float | None) -> PoolTicket[WebSocket]:
        """A ticket that was granted. Interrupted, it leaves nothing behind."""
        with self._changed:
            ticket = self._engine.acquire(monotonic(), timeout)
            self._carry_out()
            try:
                self._changed.wait_for(lambda: ticket.is_settled)
            except BaseException:
                self._tell(self._engine.withdraw, ticket)
                raise
        ticket.connection()
        return ticket

    def _tell(self, what: Callable[..., None], *facts: object) -> None:
        with self._changed:
            what(*facts, monotonic())
            self._carry_out()

    def _carry_out(self) -> None:
        super()._carry_out()
        self._changed.notify_all()

    def _keep_time(self) -> None:
        with self._changed:
            while not self._engine.is_over:
                self._changed.wait(remaining(self._engine.next_deadline()))
                self._tell(self._engine.handle_timeout)

    def _begin_life(self, slot: PoolSlot[WebSocket]) -> None:
        self._spawn(self._live, slot)

    def _live(self, slot: PoolSlot[WebSocket]) -> None:
        try:
            ws = prepare(self._uri, **self._options).open()
        except Exception as error:
            self._tell(self._attempt_failed, slot, error)
        else:
            self._tell(self._attempt_succeeded, slot, ws)
            self._tell(self._engine.ended, slot, ws.wait_closed())

    def _begin_check(self, slot: PoolSlot[WebSocket]) -> None:
        self._spawn(self._check, slot)

    def _check(self, slot: PoolSlot[WebSocket]) -> None:
        try:
            slot.connection.ping()
        except WebSocketError:
            return  # of its end others tell
        self._tell(self._engine.answered, slot)

    def _wake(self, ticket: PoolTicket[WebSocket]) -> None:
        """Everybody is notified, and looks at a ticket of their own."""

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, name="wsproto_sockets pool", daemon=True).start()
