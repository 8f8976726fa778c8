"""What a pool is made of: slots for connections, tickets for those who want one, and what the pool asks to be done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeAlias, TypeVar

from .._types import State

__all__ = [
    "Abort",
    "Action",
    "Check",
    "Close",
    "Open",
    "PoolSlot",
    "PoolTicket",
    "Pooled",
    "Settle",
    "Stage",
]


class Pooled(Protocol):
    """What a pool wants of a connection."""

    @property
    def state(self) -> State: ...
    def close_nowait(self) -> None: ...
    def abort(self) -> None: ...


_C = TypeVar("_C", bound=Pooled)


class Stage(Enum):
    """The life of a slot."""

    #: An attempt to open a connection is under way.
    OPENING = "opening"
    #: It is open, and may have users.
    READY = "ready"
    #: It is open, and nobody gets it until it has answered a ping.
    CHECKING = "checking"
    #: Nobody gets it any more. It is closed once it has no users.
    LEAVING = "leaving"
    #: It is dropped without a closing handshake; its end is yet to be told.
    DROPPED = "dropped"
    #: It has ended, or never came about.
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class PoolSlot(Generic[_C]):
    """A connection's place in a pool, from the attempt to open it to its end. For authors of adapters."""

    round: int
    stage: Stage = Stage.OPENING
    users: int = 0
    opened_at: float = 0.0
    #: When somebody got it or gave it back.
    used_at: float = 0.0
    #: When its latest check, if one is under way, began; else when it was last used, or has answered one.
    checked_at: float = 0.0
    _connection: _C | None = None

    @property
    def connection(self) -> _C:
        """The connection, which must be open or have been open."""
        assert self._connection is not None, "opened"
        return self._connection

    def take_in(self, connection: _C, now: float) -> None:
        """The attempt has led to ``connection``."""
        self._connection = connection
        self.stage = Stage.READY
        self.opened_at = self.used_at = self.checked_at = now


@dataclass(slots=True, eq=False)
class PoolTicket(Generic[_C]):
    """Somebody's wish for a connection. For authors of adapters."""

    asked_at: float
    timeout: float | None
    slot: PoolSlot[_C] | None = None
    error: Exception | None = None

    @property
    def deadline(self) -> float | None:
        """When the wish expires."""
        return None if self.timeout is None else self.asked_at + self.timeout

    @property
    def is_settled(self) -> bool:
        """Whether it was granted or refused."""
        return self.slot is not None or self.error is not None

    def connection(self) -> _C:
        """The connection that was granted. Raises why it was refused."""
        if self.error is not None:
            raise self.error
        assert self.slot is not None, "settled"
        return self.slot.connection


@dataclass(frozen=True, slots=True)
class Open(Generic[_C]):
    """Open a connection for ``slot``: tell ``opened()`` and later ``ended()``, or ``failed()``."""

    slot: PoolSlot[_C]


@dataclass(frozen=True, slots=True)
class Check(Generic[_C]):
    """Ping the connection of ``slot``: tell ``answered()`` if the pong comes. The pool itself is the one to lose
    patience.
    """

    slot: PoolSlot[_C]


@dataclass(frozen=True, slots=True)
class Close(Generic[_C]):
    """Close the connection of ``slot``."""

    slot: PoolSlot[_C]


@dataclass(frozen=True, slots=True)
class Abort(Generic[_C]):
    """Drop the connection of ``slot`` at once."""

    slot: PoolSlot[_C]


@dataclass(frozen=True, slots=True)
class Settle(Generic[_C]):
    """Wake whoever waits for ``ticket``."""

    ticket: PoolTicket[_C]


Action: TypeAlias = Open[_C] | Check[_C] | Close[_C] | Abort[_C] | Settle[_C]
