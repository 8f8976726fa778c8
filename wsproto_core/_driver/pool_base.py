"""What the pools of all adapters share: the engine, and what it asks to be done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from .backoff import Backoff
from .pool import PoolEngine
from .pool_limits import PoolLimits
from .pool_parts import Abort, Check, Close, Open, Pooled, PoolSlot, PoolTicket
from .pool_statistics import PoolStatistics

__all__ = ["PoolBase"]

_C = TypeVar("_C", bound=Pooled)


class PoolBase(ABC, Generic[_C]):
    """The part of a pool that no runtime changes. For authors of adapters."""

    def __init__(
        self,
        limits: PoolLimits,
        *,
        backoff: Backoff,
        retry: Callable[[BaseException], bool] | None,
        chance: Callable[[], float],
    ) -> None:
        self._engine: PoolEngine[_C] = PoolEngine(limits, backoff=backoff, retry=retry, chance=chance)
        #: Called with each connection once it is open, and with what each attempt that failed has ended by.
        self.on_opened: Callable[[_C], object] | None = None
        self.on_failed: Callable[[Exception], object] | None = None

    @property
    def statistics(self) -> PoolStatistics:
        """The pool at this moment, and its counts so far."""
        return self._engine.statistics

    def _carry_out(self) -> None:
        """Do what the engine asks for; to be called whenever it was told something."""
        for action in self._engine.actions():
            match action:
                case Open(slot):
                    self._begin_life(slot)
                case Check(slot):
                    self._begin_check(slot)
                case Close(slot):
                    slot.connection.close_nowait()
                case Abort(slot):
                    slot.connection.abort()
                case _:
                    self._wake(action.ticket)

    def _attempt_failed(self, slot: PoolSlot[_C], error: Exception, now: float) -> None:
        """No connection came about for ``slot``."""
        if self.on_failed is not None:
            self.on_failed(error)
        self._engine.failed(slot, error, now)

    def _attempt_succeeded(self, slot: PoolSlot[_C], connection: _C, now: float) -> None:
        """``connection`` was opened for ``slot``."""
        if self.on_opened is not None:
            self.on_opened(connection)
        self._engine.opened(slot, connection, now)

    @abstractmethod
    def _begin_life(self, slot: PoolSlot[_C]) -> None:
        """In the background: open a connection, and wait for its end; tell the engine of both."""

    @abstractmethod
    def _begin_check(self, slot: PoolSlot[_C]) -> None:
        """In the background: ping a connection, and tell the engine if it answers."""

    @abstractmethod
    def _wake(self, ticket: PoolTicket[_C]) -> None:
        """Let whoever waits for ``ticket`` go on."""
