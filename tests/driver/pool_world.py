"""A pool whose connections are opened, answer and end by hand, in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from wsproto_core import (
    Backoff,
    CloseReport,
    ConnectionRefused,
    Initiator,
    PoolLimits,
    PoolSlot,
    PoolTicket,
    State,
)
from wsproto_core._driver.pool import PoolEngine
from wsproto_core._driver.pool_parts import Abort, Check, Close, Open, Settle

__all__ = ["ENDED", "FORBIDDEN", "QUIET", "REFUSED", "Line", "World", "rested"]

#: Without timers, for tests that are about something else.
QUIET: dict[str, Any] = {"idle_timeout": None, "health_interval": None}
ENDED = CloseReport(initiator=Initiator.PEER, code=1001)
REFUSED = ConnectionRefused("nobody listens")
FORBIDDEN = ValueError("not like this")


@dataclass(eq=False)
class Line:
    """A connection without anything to connect."""

    number: int
    state: State = State.OPEN

    def close_nowait(self) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError


@dataclass
class World:
    """A pool, its clock, and what it has asked for."""

    engine: PoolEngine[Line]
    now: float = 100.0
    attempts: list[PoolSlot[Line]] = field(default_factory=list)
    checks: list[PoolSlot[Line]] = field(default_factory=list)
    closes: list[PoolSlot[Line]] = field(default_factory=list)
    aborts: list[PoolSlot[Line]] = field(default_factory=list)
    settled: list[PoolTicket[Line]] = field(default_factory=list)
    lines: int = 0

    @classmethod
    def of(cls, *, backoff: Backoff | None = None, chance: float = 0.5, **limits: Any) -> World:
        engine = PoolEngine[Line](
            PoolLimits(**{**QUIET, **limits}), backoff=backoff or Backoff(), retry=None, chance=lambda: chance
        )
        world = cls(engine)
        engine.open(world.now)
        world.look()
        return world

    def look(self) -> None:
        """Sort what the pool asks for."""
        for action in self.engine.actions():
            match action:
                case Open(slot):
                    self.attempts.append(slot)
                case Check(slot):
                    self.checks.append(slot)
                case Close(slot):
                    self.closes.append(slot)
                case Abort(slot):
                    self.aborts.append(slot)
                case Settle(ticket):
                    self.settled.append(ticket)

    def ask(self, timeout: float | None = None) -> PoolTicket[Line]:
        ticket = self.engine.acquire(self.now, timeout)
        self.look()
        return ticket

    def give_back(self, ticket: PoolTicket[Line], *, is_fit: bool = True) -> None:
        self.engine.release(ticket, self.now, is_fit=is_fit)
        self.look()

    def succeed(self) -> PoolSlot[Line]:
        """The oldest attempt leads to a connection."""
        slot = self.attempts.pop(0)
        self.lines += 1
        self.engine.opened(slot, Line(self.lines), self.now)
        self.look()
        return slot

    def fail(self, error: Exception = REFUSED) -> None:
        """The oldest attempt fails."""
        self.engine.failed(self.attempts.pop(0), error, self.now)
        self.look()

    def end(self, slot: PoolSlot[Line], report: CloseReport = ENDED) -> None:
        slot.connection.state = State.CLOSED
        self.engine.ended(slot, replace(report, at=self.now), self.now)
        self.look()

    def use(self) -> PoolTicket[Line]:
        """Ask for a connection, for which one is opened if need be."""
        ticket = self.ask()
        while not ticket.is_settled:
            self.succeed()
        return ticket

    def wait(self, seconds: float) -> None:
        """Let time pass; fire what is due on the way, at its time."""
        end = self.now + seconds
        while (deadline := self.engine.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.engine.handle_timeout(self.now)
            self.look()
        self.now = end


def rested(world: World, count: int) -> list[PoolSlot[Line]]:
    """``count`` open connections without users, the one used last at the end."""
    tickets = [world.use() for _ in range(count)]
    for ticket in tickets:
        world.now += 1
        world.give_back(ticket)
    slots = [ticket.slot for ticket in tickets]
    assert None not in slots
    return [slot for slot in slots if slot is not None]
