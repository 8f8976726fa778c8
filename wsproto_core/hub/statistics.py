"""What a hub counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HubStatistics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubStatistics:
    """A hub at one moment, and its counts since it began."""

    #: Sessions that are connected.
    sessions: int
    #: Rooms, with those that nobody is in and that are still remembered.
    rooms: int
    #: Messages that were published in rooms.
    published: int
    #: Messages of any kind, counted once for each session that each was for.
    delivered: int
    #: Commands that were refused.
    refused: int
