"""What a pool counts."""

from __future__ import annotations

from dataclasses import dataclass

from .statistics import Latency

__all__ = ["PoolStatistics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatistics:
    """A pool at one moment, and its counts since it was opened."""

    #: Connections being opened.
    opening: int
    #: Open connections: those in use, those idle, and those that are being closed.
    open: int
    #: Connections with at least one user.
    in_use: int
    #: Connections without a user, ready for one or being checked.
    idle: int
    #: Users, of which one connection may have several.
    users: int
    #: Those who wait for a connection.
    waiting: int
    #: Connections opened so far.
    opened: int
    #: Connections of these that have ended, by whomever.
    closed: int
    #: Attempts to open one that came to nothing.
    failed: int
    #: Times that somebody got a connection.
    acquired: int
    #: Times that nobody did within the time limit.
    timed_out: int
    #: How long those who got one had waited, in seconds; ``None`` as long as nobody got one.
    wait_times: Latency | None
