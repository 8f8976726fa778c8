"""What a receiver makes of a peer's bytes, in words that every library's answers translate into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wsproto_core import (
    Closed,
    Event,
    Extension,
    FramesConnection,
    Limits,
    Message,
    Ping,
    Pong,
    Role,
    Timeouts,
    Violation,
)

__all__ = ["UNLIMITED", "Reading", "read_with_engine"]

#: Limits that no conversation of a test meets: what other libraries do there is their own choice.
UNLIMITED: Final = Limits(
    message_size=None, max_fragments=None, control_frame_rate=None, inflate_ratio=None, inbox_size=1 << 40
)
_NOW: Final = 0.0
_NO_TIMEOUTS: Final = Timeouts(
    opening_timeout=None, ping_interval=None, pong_timeout=None, idle_timeout=None, closing_timeout=None
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a receiver of whole messages was told, and how it ended."""

    #: Messages, pings and pongs in order.
    told: tuple[Message | Ping | Pong, ...] = ()
    #: Code and reason of the peer's close frame; code 1005 for one that says nothing, ``None`` as long as none came.
    goodbye: tuple[int, str] | None = None
    #: The code with which the receiver fails the connection; ``None`` if it sees no reason to.
    failure: int | None = None
    #: The rule that was broken, where the receiver can name it. It does not count when readings are compared.
    violation: Violation | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def _facts(self) -> tuple[object, ...]:
        kinds = tuple(type(item) for item in self.told)
        return kinds, self.told, self.goodbye, self.failure


def read_with_engine(
    pieces: Iterable[bytes], *, masked: bool, extensions: Iterable[Extension] = (), limits: Limits = UNLIMITED
) -> Reading:
    """What our engine makes of ``pieces`` from a peer that masks, or does not, on an open connection."""
    engine = FramesConnection(
        Role.SERVER if masked else Role.CLIENT,
        extensions=tuple(extensions),
        masked=True,
        entropy=bytes,
        limits=limits,
        timeouts=_NO_TIMEOUTS,
        now=_NOW,
    )
    events: list[Event] = []
    for piece in pieces:
        events += engine.receive_data(piece, _NOW)
        while (deadline := engine.next_deadline()) is not None and deadline <= _NOW:
            events += engine.handle_timeout(_NOW)
        engine.data_to_send()
    return _reading(events)


def _reading(events: Iterable[Event]) -> Reading:
    told: list[Message | Ping | Pong] = []
    for event in events:
        match event:
            case str() | bytes() | Ping():
                told.append(event)
            case Pong(payload):
                told.append(Pong(payload))
            case Closed(report) if report.violation is not None:
                return Reading(tuple(told), None, report.violation.close_code, report.violation)
            case Closed(report) if report.received_code is not None:
                return Reading(tuple(told), (report.received_code, report.reason))
            case _:
                raise AssertionError(f"an open connection that is only fed told {event!r}")
    return Reading(tuple(told))
