"""What a hub may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .._config import check_count, check_duration
from .._types import Message
from .reasons import Reason, Refusal

__all__ = ["HubLimits", "check_size", "exceeds"]

_KIB: Final = 1024
_COUNTS: Final = (
    "max_sessions",
    "max_rooms",
    "max_joined",
    "max_members",
    "room_name_size",
    "presence_size",
    "message_size",
    "history_size",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubLimits:
    """Upper bounds of what sessions can make a hub hold; ``None`` means no limit, and is never computed with.

    Together they bound its memory: rooms cost ``max_rooms * history_size`` at the most, 640 MB by default, and members
    ``max_sessions * max_joined * presence_size``.

    Raises :exc:`ValueError` (or :exc:`TypeError`), naming the argument.
    """

    #: Sessions at the same time.
    max_sessions: int | None = 10_000
    #: Rooms at the same time. One that nobody is in makes way for another.
    max_rooms: int | None = 10_000
    #: Rooms that one session is in.
    max_joined: int | None = 100
    #: Members of one room.
    max_members: int | None = 10_000
    #: Bytes of a room's name, in UTF-8.
    room_name_size: int | None = 256
    #: Bytes of what a member shows.
    presence_size: int | None = _KIB
    #: Bytes of a message.
    message_size: int | None = 512 * _KIB
    #: Messages that are kept for one room; 0 keeps none.
    max_history: int | None = 100
    #: Memory, in bytes, of the messages that are kept for one room: what ``sys.getsizeof()`` says of each, and 100.
    history_size: int | None = 64 * _KIB
    #: How long a room is remembered that nobody is in, in seconds; ``None``: until its place is needed.
    history_timeout: float | None = 60.0

    def __post_init__(self) -> None:
        for name in _COUNTS:
            check_count(name, getattr(self, name), optional=True)
        if self.max_history != 0:
            check_count("max_history", self.max_history, optional=True)
        check_duration("history_timeout", self.history_timeout)


def exceeds(amount: int, limit: int | None) -> bool:
    """Whether ``amount`` is more than there may be."""
    return limit is not None and amount > limit


def check_size(argument: str, content: Message, limit: int | None) -> None:
    """Refuse what has more than ``limit`` bytes, and text that cannot be sent."""
    try:
        size = len(content) if isinstance(content, bytes) else len(content.encode())
    except UnicodeEncodeError:
        raise Refusal(Reason.NOT_TEXT, argument) from None
    if exceeds(size, limit):
        raise Refusal(Reason.TOO_LARGE, argument)
