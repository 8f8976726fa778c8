"""The state of many connections at one moment, as numbers for programs and as words for people.

What lives here is a snapshot: it does not change, and two of them give the rates between them. Time is an argument.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .tally import RoundTripSum, Tally

__all__ = [
    "ConnectionMetrics",
    "ErrorMetrics",
    "LatencyMetrics",
    "MemoryMetrics",
    "Metrics",
    "RateMetrics",
    "TrafficMetrics",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionMetrics:
    """Connections, of both sides."""

    #: Connections that came to be open, so far.
    total: int = 0
    #: Those of them that are open.
    active: int = 0
    #: Those of them that servers have let in; this side has opened the others.
    accepted: int = 0
    #: Visitors that servers have turned away, by a status or a close code.
    rejected: int = 0
    #: Attempts that came to nothing: of this side, and of visitors that never finished their handshake.
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficMetrics:
    """What went one way and the other."""

    sent: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyMetrics:
    """Round trips, in seconds. Percentiles are exact to 2 %, the other figures to the last digit."""

    count: int
    mean: float
    min: float
    max: float
    p50: float
    p95: float
    p99: float
    p999: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMetrics:
    """Connections that did not end well, by the reason. ``send`` may come on top of another."""

    #: It broke, or a timer ended it, with something still to be sent.
    send: int = 0
    #: The peer broke a rule.
    receive: int = 0
    #: A timer ended it, or kept it from being open.
    timeout: int = 0
    #: It broke, or an attempt failed otherwise than by a timer.
    connection: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryMetrics:
    """Physical memory of the process, in bytes."""

    now: int
    peak: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RateMetrics:
    """Per second, on the average of some time."""

    connections: float
    messages_sent: float
    messages_received: float
    bytes_sent: float
    bytes_received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """A snapshot of what was counted since the start.

    Control frames and bytes are those on the wire. ``str()`` gives a report to read; :func:`prometheus_text` one for
    Prometheus.
    """

    connections: ConnectionMetrics
    messages: TrafficMetrics
    bytes: TrafficMetrics
    pings: TrafficMetrics
    pongs: TrafficMetrics
    #: Round trips of pings and of echoed timestamps; ``None`` before the first.
    latency: LatencyMetrics | None
    errors: ErrorMetrics
    #: ``None`` where it is not known.
    memory: MemoryMetrics | None = None
    #: When counting began, in seconds of whatever clock was given (a bridge gives Unix time).
    started_at: float
    #: Seconds from then to this snapshot.
    uptime: float

    @staticmethod
    def of(tally: Tally, *, started_at: float, uptime: float, memory: MemoryMetrics | None = None) -> Metrics:
        """A snapshot of ``tally``."""
        traffic = tally.traffic
        return Metrics(
            connections=ConnectionMetrics(
                total=tally.opened,
                active=tally.active,
                accepted=tally.accepted,
                rejected=tally.rejected,
                failed=tally.failed,
            ),
            messages=TrafficMetrics(sent=traffic.messages_sent, received=traffic.messages_received),
            bytes=TrafficMetrics(sent=traffic.bytes_sent, received=traffic.bytes_received),
            pings=TrafficMetrics(sent=traffic.pings_sent, received=traffic.pings_received),
            pongs=TrafficMetrics(sent=traffic.pongs_sent, received=traffic.pongs_received),
            latency=_latency(tally.round_trips),
            errors=ErrorMetrics(
                send=tally.send_errors,
                receive=tally.receive_errors,
                timeout=tally.timeouts,
                connection=tally.connection_errors,
            ),
            memory=memory,
            started_at=started_at,
            uptime=uptime,
        )

    @property
    def updated_at(self) -> float:
        """When this snapshot was taken, as ``started_at`` tells time."""
        return self.started_at + self.uptime

    @property
    def per_second(self) -> RateMetrics:
        """The rates since the start."""
        return _rates(self, None)

    def per_second_since(self, earlier: Metrics) -> RateMetrics:
        """The rates since an ``earlier`` snapshot of the same. Raises :exc:`ValueError` if it is not earlier."""
        if earlier.uptime >= self.uptime:
            raise ValueError("earlier must be a snapshot that was taken before this one")
        return _rates(self, earlier)

    def to_dict(self) -> dict[str, Any]:
        """The figures as nested dictionaries of numbers, with the rates since the start."""
        return {**asdict(self), "updated_at": self.updated_at, "per_second": asdict(self.per_second)}

    def to_json(self) -> str:
        """:meth:`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict())

    @staticmethod
    def from_dict(figures: Mapping[str, Any]) -> Metrics:
        """The snapshot that :meth:`to_dict` has written. Raises :exc:`KeyError` or :exc:`TypeError` for others."""
        latency, memory = figures["latency"], figures["memory"]
        return Metrics(
            connections=ConnectionMetrics(**figures["connections"]),
            messages=TrafficMetrics(**figures["messages"]),
            bytes=TrafficMetrics(**figures["bytes"]),
            pings=TrafficMetrics(**figures["pings"]),
            pongs=TrafficMetrics(**figures["pongs"]),
            latency=None if latency is None else LatencyMetrics(**latency),
            errors=ErrorMetrics(**figures["errors"]),
            memory=None if memory is None else MemoryMetrics(**memory),
            started_at=figures["started_at"],
            uptime=figures["uptime"],
        )

    def __str__(self) -> str:
        connections, rates, errors = self.connections, self.per_second, self.errors
        lines = {
            "connections": f"{connections.active} open, {connections.total} in all ({rates.connections:.3g}/s), "
            f"{connections.accepted} accepted, {connections.rejected} rejected, {connections.failed} failed",
            "messages": _flow(self.messages, rates.messages_sent, rates.messages_received),
            "bytes": _flow(self.bytes, rates.bytes_sent, rates.bytes_received),
            "pings": f"{self.pings.sent} sent, {self.pings.received} received",
            "pongs": f"{self.pongs.sent} sent, {self.pongs.received} received",
            "round trips": "none" if self.latency is None else _trips(self.latency),
            "errors": f"{errors.send} send, {errors.receive} receive, {errors.timeout} timeout, "
            f"{errors.connection} connection",
        }
        if self.memory is not None:
            lines["memory"] = f"{self.memory.now / 2**20:.1f} MiB, at most {self.memory.peak / 2**20:.1f} MiB"
        lines["uptime"] = f"{self.uptime:.1f} s"
        return "\n".join(f"{name:<12} {words}" for name, words in lines.items())


def _latency(trips: RoundTripSum) -> LatencyMetrics | None:
    if not trips.count:
        return None

    def percentile(fraction: float) -> float:
        return min(max(trips.histogram.percentile(fraction), trips.min), trips.max)

    return LatencyMetrics(
        count=trips.count,
        mean=trips.total / trips.count,
        min=trips.min,
        max=trips.max,
        p50=percentile(0.50),
        p95=percentile(0.95),
        p99=percentile(0.99),
        p999=percentile(0.999),
    )


def _rates(now: Metrics, then: Metrics | None) -> RateMetrics:
    seconds = now.uptime - (0.0 if then is None else then.uptime)

    def rate(count: int, before: int) -> float:
        return (count - before) / seconds if seconds > 0 else 0.0

    messages, octets = (TrafficMetrics(), TrafficMetrics()) if then is None else (then.messages, then.bytes)
    return RateMetrics(
        connections=rate(now.connections.total, 0 if then is None else then.connections.total),
        messages_sent=rate(now.messages.sent, messages.sent),
        messages_received=rate(now.messages.received, messages.received),
        bytes_sent=rate(now.bytes.sent, octets.sent),
        bytes_received=rate(now.bytes.received, octets.received),
    )


def _flow(traffic: TrafficMetrics, sent_rate: float, received_rate: float) -> str:
    return f"{traffic.sent} sent ({sent_rate:.3g}/s), {traffic.received} received ({received_rate:.3g}/s)"


def _trips(latency: LatencyMetrics) -> str:
    figures = ("mean", "min", "max", "p50", "p95", "p99", "p999")
    words = ", ".join(f"{name} {getattr(latency, name) * 1000:.3g} ms" for name in figures)
    return f"{latency.count}: {words}"
