"""What many connections have counted, added up: nothing is counted per message that they do not count themselves.

Each connection counts on its own. A :class:`Tally` takes over the counts of those that have ended; those that are there
are looked at when somebody asks. So it costs the same however many there have been.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Protocol, TypeVar

from .._errors import ConnectionTimeout
from .._events import CloseReport
from .._types import Initiator
from .histogram import Histogram
from .statistics import Latency, Statistics, include

__all__ = ["Clients", "Countable", "RoundTripSum", "Tally"]

#: Of the connections that were there, this many are looked at with each new one, whether they still are.
_LOOKS: Final = 2


class Countable(Protocol):
    """A connection, as far as it is counted."""

    @property
    def engine(self) -> Any: ...
    @property
    def latency(self) -> Latency | None: ...
    @property
    def close_report(self) -> CloseReport | None: ...


_P = TypeVar("_P", bound=Countable)


@dataclass(slots=True)
class RoundTripSum:
    """Round trips of several connections, in seconds."""

    count: int = 0
    total: float = 0.0
    min: float = float("inf")
    max: float = 0.0
    histogram: Histogram = field(default_factory=Histogram)

    @staticmethod
    def of(latency: Latency) -> RoundTripSum:
        """Those of one connection."""
        return RoundTripSum(latency.count, latency.mean * latency.count, latency.min, latency.max, latency.histogram)

    def include(self, other: RoundTripSum) -> None:
        """Add ``other`` round trips."""
        self.count += other.count
        self.total += other.total
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        self.histogram.include(other.histogram)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Sums over connections, those of the past included. For authors of adapters."""

    #: Connections that came to be open, and those of them that a server has let in.
    opened: int = 0
    accepted: int = 0
    #: Of these, the ones that are open.
    active: int = 0
    #: Visitors that a server has turned away.
    rejected: int = 0
    #: Attempts that came to nothing, of this side or of visitors.
    failed: int = 0
    #: Messages, bytes and control frames.
    traffic: Statistics = field(default_factory=Statistics)
    round_trips: RoundTripSum = field(default_factory=RoundTripSum)
    #: Connections that broke, or that a timer has ended, with something still to be sent.
    send_errors: int = 0
    #: Connections that ended because the peer broke a rule.
    receive_errors: int = 0
    #: Connections that a timer has ended, or kept from being open.
    timeouts: int = 0
    #: Connections that broke, and attempts that failed without running out of time.
    connection_errors: int = 0
    #: Whether nothing can be added any more.
    is_final: bool = False

    def attempt_failed(self, error: Exception) -> None:
        """This side wanted a connection, and none came about."""
        self.failed += 1
        if isinstance(error, ConnectionTimeout):
            self.timeouts += 1
        else:
            self.connection_errors += 1

    def visitor_left(self, report: CloseReport | None) -> None:
        """A visitor is gone that was never let in."""
        if report is not None and (report.http_status is not None or _is_decision(report)):
            self.rejected += 1
        else:
            self.failed += 1

    def add_traffic(self, peer: Countable) -> None:
        """Add what ``peer`` has counted up to now."""
        latency = peer.latency
        peer.engine.count_into(self.traffic)
        if latency is not None:
            self.round_trips.include(RoundTripSum.of(latency))

    def add_ended(self, peer: Countable) -> None:
        """Add what ``peer`` has counted, and how it ended: it is gone."""
        self.add_traffic(peer)
        report = peer.close_report
        if report is None or report.ok:
            return
        if report.violation is not None:
            self.receive_errors += 1
            return  # what is still queued is the answer, and leaves
        self.timeouts += report.timer is not None
        is_broken = report.timer is None and report.initiator is Initiator.NETWORK
        self.connection_errors += is_broken
        self.send_errors += report.bytes_queued > 0 and (is_broken or report.timer is not None)

    def include(self, other: Tally) -> None:
        """Add the sums of ``other``."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        include(self.traffic, other.traffic)
        self.round_trips.include(other.round_trips)

    def copy(self) -> Tally:
        """The same, from now on on its own."""
        trips = replace(self.round_trips, histogram=self.round_trips.histogram.copy())
        return replace(self, traffic=replace(self.traffic), round_trips=trips)


#: The counts of a tally itself.
_SUMS: Final = tuple(name for name, item in Tally.__dataclass_fields__.items() if item.type == "int")


def _is_decision(report: CloseReport) -> bool:
    """Whether this side ended it for no fault of the other."""
    return report.initiator is Initiator.LOCAL and report.timer is None and report.violation is None


class Clients(Generic[_P]):
    """Counts connections that this side has opened, of which nobody tells when they are gone. For authors of adapters.

    So it looks at some with every new one, and at all when it is asked: those that have ended are let go.
    """

    def __init__(self) -> None:
        self._tally = Tally()
        self._present: deque[_P] = deque()

    def opened(self, peer: _P) -> None:
        """``peer`` is a new open connection."""
        self._look_at(min(_LOOKS, len(self._present)))
        self._tally.opened += 1
        self._present.append(peer)

    def failed(self, error: Exception) -> None:
        """No connection came about."""
        self._tally.attempt_failed(error)

    def counted(self) -> Tally:
        """What they have counted so far."""
        self._look_at(len(self._present))
        tally = self._tally.copy()
        tally.active = sum(peer.close_report is None for peer in self._present)
        for peer in self._present:
            tally.add_traffic(peer)
        return tally

    def _look_at(self, count: int) -> None:
        """Let go of those that are gone, among the next ``count``."""
        for _ in range(count):
            peer = self._present.popleft()
            engine = peer.engine
            if peer.close_report is not None and engine.should_abort and not engine.bytes_queued:
                self._tally.add_ended(peer)  # no byte leaves any more
            else:
                self._present.append(peer)
