"""How many connections a pool keeps, for how long, and how patient it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .._config import check_count, check_duration

__all__ = ["PoolLimits"]

_COUNTS: Final = ("max_size", "max_users")
_DURATIONS: Final = ("idle_timeout", "max_lifetime", "acquire_timeout", "health_interval", "health_timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """Bounds of a pool. Durations are in seconds; ``None`` switches one off.

    Raises :exc:`ValueError` (or :exc:`TypeError`), naming the argument.
    """

    #: Connections that are kept open even if nobody uses them; may be 0.
    min_size: int = 0
    #: Connections at the most, counting those that are being opened or closed.
    max_size: int = 10
    #: Users of one connection at the same time. More than one needs a protocol whose answers tell whom they are for.
    max_users: int = 1
    #: Time without a user after which a connection beyond ``min_size`` is closed.
    idle_timeout: float | None = 300.0
    #: Age at which a connection gets no new user, and is closed once it has none.
    max_lifetime: float | None = None
    #: How long to wait for a connection.
    acquire_timeout: float | None = 30.0
    #: Time without a user, or since the last check, after which a connection is checked by a ping.
    health_interval: float | None = 20.0
    #: How long the pong may take; then the connection is dropped.
    health_timeout: float | None = 5.0

    def __post_init__(self) -> None:
        if self.min_size != 0:
            check_count("min_size", self.min_size, optional=False)
        for name in _COUNTS:
            check_count(name, getattr(self, name), optional=False)
        for name in _DURATIONS:
            check_duration(name, getattr(self, name))
        if self.min_size > self.max_size:
            raise ValueError(f"min_size must not be more than max_size ({self.max_size}), not {self.min_size!r}")
