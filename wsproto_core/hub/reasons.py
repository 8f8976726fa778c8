"""Every reason for which a hub refuses a command, as one table."""

from __future__ import annotations

from enum import Enum, unique

__all__ = ["Reason", "Refusal"]


@unique
class Reason(Enum):
    """Why a command was refused: ``.code``, a negative number that stays the same for ever, and ``.words``."""

    SESSION_NOT_FOUND = (-620, "no session of this id is connected")
    SESSION_EXISTS = (-622, "a session of this id is connected")
    TOO_MANY_SESSIONS = (-623, "there are HubLimits.max_sessions sessions")
    NOT_TEXT = (-640, "the text holds half a character, and cannot be sent")
    TOO_LARGE = (-642, "it has more bytes than HubLimits allows")
    NOT_A_MEMBER = (-680, "the session is not in this room")
    ALREADY_A_MEMBER = (-681, "the session is in this room")
    ROOM_FULL = (-682, "the room has HubLimits.max_members members")
    TOO_MANY_ROOMS = (-683, "there are HubLimits.max_rooms rooms, and somebody in each of them")
    TOO_MANY_JOINED = (-684, "the session is in HubLimits.max_joined rooms")

    def __init__(self, code: int, words: str) -> None:
        self.code = code
        self.words = words

    def __str__(self) -> str:
        return self.words


class Refusal(Exception):
    """Raised by the parts of a hub before they change anything; the hub makes :class:`Refused` of it."""

    def __init__(self, reason: Reason, argument: str) -> None:
        super().__init__(f"{argument}: {reason}")
        self.reason = reason
        self.argument = argument
