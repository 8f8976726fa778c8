"""What a session can ask of a hub: one frozen class for each command, and no behaviour.

``session`` is always the one that asks. Its id is made by whoever owns the transport, from entropy of his own; the hub
only compares it. Every command raises :exc:`TypeError`, naming the argument, for a value of another type; whatever
else may be wrong with it depends on the hub, and is :class:`Refused` by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, NoneType
from typing import Any, Final, TypeAlias

from .._types import Message

__all__ = [
    "Broadcast",
    "Command",
    "Connect",
    "Disconnect",
    "Join",
    "Leave",
    "ListMembers",
    "Position",
    "Publish",
    "Send",
    "SetPresence",
]


class _Checked:
    """Holds every field to its type."""

    __slots__: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.__slots__:
            expected = _TYPES[name]
            if not isinstance(value := getattr(self, name), expected):
                words = " or ".join("None" if kind is NoneType else kind.__name__ for kind in expected)
                raise TypeError(f"{name} must be {words}, not {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class Position(_Checked):
    """How far a session has read in a room."""

    #: Which life of the room: it began at this time. A room that was forgotten and comes back begins another.
    epoch: float
    #: That of the last message that was read; 0 before the first.
    offset: int


@dataclass(frozen=True, slots=True)
class Connect(_Checked):
    """A session begins."""

    session: str


@dataclass(frozen=True, slots=True)
class Disconnect(_Checked):
    """A session ends, and leaves every room."""

    session: str


@dataclass(frozen=True, slots=True)
class Join(_Checked):
    """Enter a room, which comes to be if there is none of that name."""

    session: str
    room: str
    #: What the other members see of this one: small, and of no meaning to the hub.
    presence: Message = ""
    #: Where this session has been before: whatever came behind it is delivered, or :attr:`Entered.has_gap` is told.
    since: Position | None = None


@dataclass(frozen=True, slots=True)
class Leave(_Checked):
    """Leave a room."""

    session: str
    room: str


@dataclass(frozen=True, slots=True)
class SetPresence(_Checked):
    """Show the members of a room something else."""

    session: str
    room: str
    presence: Message


@dataclass(frozen=True, slots=True)
class Publish(_Checked):
    """Say something in a room. Without ``echo`` its author is told the offset only."""

    session: str
    room: str
    message: Message
    echo: bool = True


@dataclass(frozen=True, slots=True)
class Send(_Checked):
    """Say something to one session, ``to``."""

    session: str
    to: str
    message: Message


@dataclass(frozen=True, slots=True)
class Broadcast(_Checked):
    """Say something to every session; without ``echo``, to every other."""

    session: str
    message: Message
    echo: bool = True


@dataclass(frozen=True, slots=True)
class ListMembers(_Checked):
    """Ask who is in a room that one is in."""

    session: str
    room: str


Command: TypeAlias = Connect | Disconnect | Join | Leave | SetPresence | Publish | Send | Broadcast | ListMembers

_TYPES: Final[Mapping[str, tuple[type[Any], ...]]] = MappingProxyType(
    {
        "session": (str,),
        "room": (str,),
        "to": (str,),
        "presence": (str, bytes),
        "message": (str, bytes),
        "since": (Position, NoneType),
        "echo": (bool,),
        "epoch": (float, int),
        "offset": (int,),
    }
)
