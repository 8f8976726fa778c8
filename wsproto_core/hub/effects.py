"""What comes of a command: one frozen class for each effect, and no behaviour.

``sessions`` are those to be told, each once and never none: an adapter frames an effect once, and writes it to all of
them. Their order is that in which they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .._types import Message
from .commands import Command, Position
from .reasons import Reason

__all__ = [
    "Deliver",
    "Effect",
    "Entered",
    "Joined",
    "Left",
    "Member",
    "Members",
    "PresenceChanged",
    "Published",
    "Refused",
]


@dataclass(frozen=True, slots=True)
class Member:
    """A session in a room, and what it shows."""

    session: str
    presence: Message


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message of ``sender``. ``room`` and ``offset`` are those of a message that was published; else ``None``."""

    sessions: tuple[str, ...]
    sender: str
    message: Message
    room: str | None = None
    #: In a room, one more than that of the message before.
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """The author's own message has this offset: told instead of the message itself, where no ``echo`` was wanted."""

    sessions: tuple[str, ...]
    room: str
    offset: int


@dataclass(frozen=True, slots=True)
class Entered:
    """This session is in the room now. What it has missed follows, as :class:`Deliver`."""

    sessions: tuple[str, ...]
    room: str
    #: Who is in it, in order of coming; itself last.
    members: tuple[Member, ...]
    #: Where the room is. What is published from now on has greater offsets.
    position: Position
    #: Whether ``Join.since`` is too far back, or of another life of the room: what was missed cannot be delivered, and
    #: nothing of it is.
    has_gap: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody has entered; told to the members who were there before."""

    sessions: tuple[str, ...]
    room: str
    member: Member


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody has left; told to the members who stay, and to whoever left by :class:`Leave`."""

    sessions: tuple[str, ...]
    room: str
    session: str


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """A member shows something else; told to all members, itself too."""

    sessions: tuple[str, ...]
    room: str
    member: Member


@dataclass(frozen=True, slots=True)
class Members:
    """Who is in a room, in order of coming."""

    sessions: tuple[str, ...]
    room: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that was not obeyed, and has changed nothing. ``argument`` is the field of it that was at fault."""

    command: Command
    reason: Reason
    argument: str

    @property
    def sessions(self) -> tuple[str, ...]:
        """Whoever asked, whether connected or not."""
        return (self.command.session,)


Effect: TypeAlias = Deliver | Published | Entered | Joined | Left | PresenceChanged | Members | Refused
