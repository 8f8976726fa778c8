"""A pool of connections to one place, without the connections: who gets which, when another is opened, and when one has
to go.

The interface sorts into the four kinds of :mod:`.connection`:

* **in, from the world:** :meth:`~PoolEngine.opened`, :meth:`~PoolEngine.failed`, :meth:`~PoolEngine.ended`,
  :meth:`~PoolEngine.answered`, :meth:`~PoolEngine.handle_timeout`
* **verbs, from the application:** :meth:`~PoolEngine.open`, :meth:`~PoolEngine.acquire`, :meth:`~PoolEngine.withdraw`,
  :meth:`~PoolEngine.release`, :meth:`~PoolEngine.close`
* **out, to the world:** :meth:`~PoolEngine.actions`, :meth:`~PoolEngine.next_deadline`
* **facts:** ``statistics``, ``is_over``

The laws:

* Who asks waits only while every connection has all the users that it may have, or is being checked. Those who wait
  are served in the order of asking.
* Who is served gets the connection with the fewest users; among those the one used last, so that those to spare rest,
  and go when they have rested for too long.
* There are as many connections as there are users and waiters, within ``min_size`` and ``max_size``: who has to share a
  connection does not wait for another to be opened, but it is opened for the next.
* ``max_size`` counts every connection from the first attempt to open it to its end.
* A connection whose user left by an exception has no new user: nobody knows what is still to come on it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Generic, TypeAlias, TypeVar

from .._errors import LocalProtocolError, PoolClosed, PoolTimeout
from .._events import CloseReport
from .._types import State
from .backoff import Backoff
from .pool_attempts import Attempts
from .pool_limits import PoolLimits
from .pool_parts import Abort, Action, Check, Close, Open, Pooled, PoolSlot, PoolTicket, Settle, Stage
from .pool_statistics import PoolStatistics
from .statistics import RoundTrips

__all__ = ["PoolEngine"]

_C = TypeVar("_C", bound=Pooled)
#: When something is to happen to a slot by itself, and what.
_Due: TypeAlias = tuple[float, Callable[[PoolSlot[_C], float], None]]


class PoolEngine(Generic[_C]):
    """See the module's docstring. After every call, do what ``actions()`` gives."""

    def __init__(
        self,
        limits: PoolLimits,
        *,
        backoff: Backoff,
        retry: Callable[[BaseException], bool] | None,
        chance: Callable[[], float],
    ) -> None:
        self.limits = limits
        self._attempts = Attempts(backoff, retry, chance)
        self._slots: dict[PoolSlot[_C], None] = {}
        self._waiting: OrderedDict[PoolTicket[_C], None] = OrderedDict()
        self._actions: list[Action[_C]] = []
        self._is_open = False
        # Once it is being closed: when its users have had their time.
        self._grace_deadline: float | None = None
        # No waiter expires earlier, and no attempt that is wanted begins earlier.
        self._first_expiry: float | None = None
        self._grows_at: float | None = None
        self._opened = self._closed = self._failed = self._acquired = self._timed_out = 0
        self._wait_times = RoundTrips()

    # --- in, from the world -------------------------------------------------------------------------------------------

    def opened(self, slot: PoolSlot[_C], connection: _C, now: float) -> None:
        """``connection`` was opened for ``slot``."""
        self._opened += 1
        self._attempts.succeeded(now)
        slot.take_in(connection, now)
        if not self._is_open:
            self._retire(slot, now)
        self._advance(now)

    def failed(self, slot: PoolSlot[_C], error: Exception, now: float) -> None:
        """No connection came about for ``slot``."""
        self._failed += 1
        self._forget(slot)
        final = self._attempts.failed(error, slot.round, now)
        if final is not None:
            for ticket in tuple(self._waiting):
                self._refuse(ticket, final)
        self._advance(now)

    def ended(self, slot: PoolSlot[_C], report: CloseReport, now: float) -> None:
        """The connection of ``slot`` has ended, by whomever."""
        self._closed += 1
        if slot.stage in (Stage.READY, Stage.CHECKING) and not slot.users:
            self._attempts.lost(report, slot.opened_at, now)
        self._forget(slot)
        self._advance(now)

    def answered(self, slot: PoolSlot[_C], now: float) -> None:
        """The connection of ``slot`` has passed its check."""
        if slot.stage is Stage.CHECKING:
            slot.stage = Stage.READY
            slot.checked_at = now
        self._advance(now)

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        is_spare = self._has_spare()
        for slot in tuple(self._slots):
            due = self._next_due(slot, is_spare)
            if due is not None and due[0] <= now:
                due[1](slot, now)
                is_spare = self._has_spare()
        self._advance(now)
        self._expire_waiters(now)

    # --- verbs, from the application ----------------------------------------------------------------------------------

    def open(self, now: float) -> None:
        """Begin: ``min_size`` connections are wanted. Raises :exc:`LocalProtocolError` the second time."""
        if self._is_open or self._grace_deadline is not None:
            raise LocalProtocolError("a pool is opened once")
        self._is_open = True
        self._advance(now)

    def acquire(self, now: float, timeout: float | None = None) -> PoolTicket[_C]:
        """Ask for a connection, for ``timeout`` seconds instead of ``PoolLimits.acquire_timeout``; 0 takes what is
        there. Raises :exc:`PoolClosed` and, naming the argument, :exc:`ValueError`.
        """
        if not self._is_open:
            raise PoolClosed("the pool is closed" if self._grace_deadline is not None else "the pool was never entered")
        _check_span("timeout", timeout)
        ticket = PoolTicket[_C](now, self.limits.acquire_timeout if timeout is None else timeout)
        self._waiting[ticket] = None
        self._first_expiry = _earliest(self._first_expiry, ticket.deadline)
        self._advance(now)
        self._expire_waiters(now)
        return ticket

    def withdraw(self, ticket: PoolTicket[_C], now: float) -> None:
        """Whoever holds ``ticket`` has given up: the connection, if it has one, is given back unused."""
        self._waiting.pop(ticket, None)
        if ticket.slot is not None:
            self.release(ticket, now, is_fit=True)

    def release(self, ticket: PoolTicket[_C], now: float, *, is_fit: bool) -> None:
        """Give a connection back, once. Unless it ``is_fit`` for others, nobody else gets it."""
        slot = ticket.slot
        assert slot is not None, "granted"
        slot.users -= 1
        slot.used_at = slot.checked_at = now
        if slot.stage is Stage.LEAVING or (slot.stage is Stage.READY and not is_fit):
            self._retire(slot, now)
        self._advance(now)

    def close(self, now: float, grace_period: float) -> None:
        """Give no more connections, and close each as soon as it has no user, or after ``grace_period`` seconds at
        once. Called again, it can only shorten that. Raises :exc:`ValueError`, naming the argument.
        """
        _check_span("grace_period", grace_period)
        deadline = now + grace_period
        if self._grace_deadline is None:
            self._grace_deadline = deadline
            self._shut()
            for slot in self._in_stage(Stage.READY, Stage.CHECKING):
                self._retire(slot, now)
        self._grace_deadline = min(self._grace_deadline, deadline)
        self._advance(now)

    # --- out, to the world --------------------------------------------------------------------------------------------

    def actions(self) -> list[Action[_C]]:
        """What is to be done since the last call, in order."""
        actions, self._actions = self._actions, []
        return actions

    def next_deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`; it may find that nothing is due yet."""
        is_spare = self._has_spare()
        dues = [due[0] for slot in self._slots if (due := self._next_due(slot, is_spare)) is not None]
        drops_at = self._grace_deadline if self._in_stage(Stage.LEAVING) else None
        return _earliest(self._first_expiry, self._grows_at, drops_at, *dues)

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether it was closed and no connection is open any more."""
        return self._grace_deadline is not None and all(slot.stage is Stage.OPENING for slot in self._slots)

    @property
    def statistics(self) -> PoolStatistics:
        """The counts so far."""
        opening = len(self._in_stage(Stage.OPENING))
        return PoolStatistics(
            opening=opening,
            open=len(self._slots) - opening,
            in_use=sum(slot.users > 0 for slot in self._slots),
            idle=sum(not slot.users for slot in self._in_stage(Stage.READY, Stage.CHECKING)),
            users=sum(slot.users for slot in self._slots),
            waiting=len(self._waiting),
            opened=self._opened,
            closed=self._closed,
            failed=self._failed,
            acquired=self._acquired,
            timed_out=self._timed_out,
            wait_times=self._wait_times.summary(),
        )

    # --- behind: who gets one -----------------------------------------------------------------------------------------

    def _advance(self, now: float) -> None:
        """Do what the latest input makes possible."""
        if self._is_open:
            self._serve(now)
            self._grow(now)
        elif self._grace_deadline is not None and now >= self._grace_deadline:
            for slot in self._in_stage(Stage.LEAVING):
                self._drop(slot, now)

    def _serve(self, now: float) -> None:
        for slot in self._in_stage(Stage.READY):
            if slot.connection.state is not State.OPEN:  # its end will be told soon
                self._retire(slot, now)
        while self._waiting and (chosen := self._least_loaded()) is not None:
            ticket, _ = self._waiting.popitem(last=False)
            self._grant(ticket, chosen, now)

    def _least_loaded(self) -> PoolSlot[_C] | None:
        free = [slot for slot in self._in_stage(Stage.READY) if slot.users < self.limits.max_users]
        return min(free, key=lambda slot: (slot.users, -slot.used_at), default=None)

    def _grant(self, ticket: PoolTicket[_C], slot: PoolSlot[_C], now: float) -> None:
        slot.users += 1
        slot.used_at = now
        ticket.slot = slot
        self._acquired += 1
        self._wait_times.add(now - ticket.asked_at)
        self._actions.append(Settle(ticket))

    def _refuse(self, ticket: PoolTicket[_C], error: Exception) -> None:
        del self._waiting[ticket]
        ticket.error = error
        self._actions.append(Settle(ticket))

    def _expire_waiters(self, now: float) -> None:
        if self._first_expiry is None or now < self._first_expiry:
            return
        for ticket in tuple(self._waiting):
            if ticket.deadline is not None and ticket.deadline <= now:
                self._timed_out += 1
                self._refuse(ticket, self._timeout_of(ticket))
        self._first_expiry = _earliest(*(ticket.deadline for ticket in self._waiting))

    def _timeout_of(self, ticket: PoolTicket[_C]) -> PoolTimeout:
        error = PoolTimeout(f"no connection was free within {ticket.timeout} seconds")
        error.__cause__ = self._attempts.error
        return error

    # --- behind: how many there are -----------------------------------------------------------------------------------

    def _grow(self, now: float) -> None:
        """Begin the attempts that are wanted, as far as there is room and patience."""
        missing = min(self._missing(), self.limits.max_size - len(self._slots))
        under_way = len(self._in_stage(Stage.OPENING))
        for _ in range(self._attempts.allowed(missing, under_way, now)):
            slot = PoolSlot[_C](self._attempts.round)
            self._slots[slot] = None
            self._actions.append(Open(slot))
        self._grows_at = self._attempts.next_at if missing > 0 and now < self._attempts.next_at else None

    def _missing(self) -> int:
        """How many connections more are wanted, or less than nothing."""
        if not (self._waiting or self._attempts.are_unasked):
            return 0
        staying = self._in_stage(Stage.OPENING, Stage.READY, Stage.CHECKING)
        wanted = sum(slot.users for slot in staying) + len(self._waiting)
        return max(wanted, self.limits.min_size) - len(staying)

    def _in_stage(self, *stages: Stage) -> list[PoolSlot[_C]]:
        return [slot for slot in self._slots if slot.stage in stages]

    # --- behind: what becomes of one ----------------------------------------------------------------------------------

    def _has_spare(self) -> bool:
        return len(self._in_stage(Stage.READY, Stage.CHECKING)) > self.limits.min_size

    def _next_due(self, slot: PoolSlot[_C], is_spare: bool) -> _Due[_C] | None:
        return min(self._dues(slot, is_spare), key=itemgetter(0), default=None)

    def _dues(self, slot: PoolSlot[_C], is_spare: bool) -> Iterator[_Due[_C]]:
        limits = self.limits
        if slot.stage is Stage.CHECKING and limits.health_timeout is not None:
            yield slot.checked_at + limits.health_timeout, self._drop
        if slot.stage is not Stage.READY:
            return
        if limits.max_lifetime is not None:
            yield slot.opened_at + limits.max_lifetime, self._retire
        if slot.users:
            return
        if limits.idle_timeout is not None and is_spare:
            yield slot.used_at + limits.idle_timeout, self._retire
        if limits.health_interval is not None:
            yield slot.checked_at + limits.health_interval, self._check

    def _check(self, slot: PoolSlot[_C], now: float) -> None:
        slot.stage = Stage.CHECKING
        slot.checked_at = now
        self._actions.append(Check(slot))

    def _retire(self, slot: PoolSlot[_C], _now: float) -> None:
        slot.stage = Stage.LEAVING
        if not slot.users:
            self._actions.append(Close(slot))

    def _drop(self, slot: PoolSlot[_C], _now: float) -> None:
        slot.stage = Stage.DROPPED
        self._actions.append(Abort(slot))

    def _forget(self, slot: PoolSlot[_C]) -> None:
        slot.stage = Stage.ENDED
        del self._slots[slot]

    def _shut(self) -> None:
        self._is_open = False
        self._grows_at = None
        for ticket in tuple(self._waiting):
            self._refuse(ticket, PoolClosed("the pool is closed"))
        self._first_expiry = None


def _check_span(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a number of seconds, at least 0, not {value!r}")


def _earliest(*times: float | None) -> float | None:
    return min((at for at in times if at is not None), default=None)
