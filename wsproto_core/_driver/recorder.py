"""What follows the engines of a server or a client, as far as plans know it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from .._config import Limits, Timeouts

if TYPE_CHECKING:
    from .._extensions.base import Extension
    from .peer import WebSocketEngine

__all__ = ["Recorder", "attaching"]


class Recorder(Protocol):
    """What is attached to every new engine, such as a :class:`wsproto_core.recorder.FlightRecorder`."""

    def attach(
        self,
        engine: WebSocketEngine,
        *,
        limits: Limits,
        timeouts: Timeouts,
        extensions: Sequence[Extension],
        sealed: bool,
        now: float | None,
    ) -> None:
        """Follow ``engine``, which was made with these options; ``sealed`` is whether it has a pipeline."""
        ...


def attaching(
    recorder: Recorder | None, *, limits: Limits, timeouts: Timeouts, extensions: Sequence[Extension], sealed: bool
) -> Callable[..., None] | None:
    """What to call with a new engine, and ``now``; ``None`` without a recorder."""
    if recorder is None:
        return None
    return partial(recorder.attach, limits=limits, timeouts=timeouts, extensions=extensions, sealed=sealed)
