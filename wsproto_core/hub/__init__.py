"""A hub without its sockets: who is connected, in which rooms, and who is told what. Commands in, effects out.

* :class:`Hub`: ``handle(command, now)`` gives the effects, ``next_deadline()`` and ``handle_timeout(now)`` are its time
* commands, each said by one session: :class:`Connect`, :class:`Disconnect`, :class:`Join`, :class:`Leave`,
  :class:`SetPresence`, :class:`Publish`, :class:`Send`, :class:`Broadcast`, :class:`ListMembers`
* effects, each to be told to some sessions: :class:`Entered`, :class:`Joined`, :class:`Left`,
  :class:`PresenceChanged`, :class:`Deliver`, :class:`Published`, :class:`Members`, :class:`Refused`
* what it may cost: :class:`HubLimits`; why it says no: :class:`Reason`; what it counts: :class:`HubStatistics`

``import wsproto_core`` does not import it.
"""

from __future__ import annotations

from .commands import (
    Broadcast,
    Command,
    Connect,
    Disconnect,
    Join,
    Leave,
    ListMembers,
    Position,
    Publish,
    Send,
    SetPresence,
)
from .effects import (
    Deliver,
    Effect,
    Entered,
    Joined,
    Left,
    Member,
    Members,
    PresenceChanged,
    Published,
    Refused,
)
from .hub import Hub
from .limits import HubLimits
from .reasons import Reason
from .statistics import HubStatistics

__all__ = [
    "Broadcast",
    "Command",
    "Connect",
    "Deliver",
    "Disconnect",
    "Effect",
    "Entered",
    "Hub",
    "HubLimits",
    "HubStatistics",
    "Join",
    "Joined",
    "Leave",
    "Left",
    "ListMembers",
    "Member",
    "Members",
    "Position",
    "PresenceChanged",
    "Publish",
    "Published",
    "Reason",
    "Refused",
    "Send",
    "SetPresence",
]
