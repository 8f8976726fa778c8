"""Who is in one room, and what each of them shows."""

from __future__ import annotations

from .._types import Message
from .effects import Member

__all__ = ["Presence"]


class Presence:
    """The members of one room, in the order in which they came."""

    __slots__ = ("_shown",)

    def __init__(self) -> None:
        self._shown: dict[str, Message] = {}

    def __len__(self) -> int:
        return len(self._shown)

    def show(self, session: str, presence: Message) -> Member:
        """``session`` comes, or stays and shows something else."""
        self._shown[session] = presence
        return Member(session, presence)

    def leave(self, session: str) -> None:
        """``session``, a member, goes."""
        del self._shown[session]

    def members(self) -> tuple[Member, ...]:
        """All of them."""
        return tuple(Member(session, presence) for session, presence in self._shown.items())

    def sessions(self) -> tuple[str, ...]:
        """The sessions of all of them."""
        return tuple(self._shown)
