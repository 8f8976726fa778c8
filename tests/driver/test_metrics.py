"""Metrics: what many connections have counted, at one moment, for programs and for people."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core import (
    PROMETHEUS_CONTENT_TYPE,
    CloseReport,
    ConnectionRefused,
    ConnectionTimeout,
    Histogram,
    Initiator,
    Latency,
    MemoryMetrics,
    Metrics,
    RateMetrics,
    Statistics,
    Tally,
    Timer,
    Violation,
    prometheus_text,
)
from wsproto_core._driver.statistics import RoundTrips, include
from wsproto_core._driver.tally import Clients

durations = st.floats(min_value=0, max_value=100_000)
BROKEN = CloseReport(initiator=Initiator.NETWORK, code=1006)
ORDINARY = CloseReport(initiator=Initiator.PEER, code=1000, received_code=1000)


@dataclass
class Counted:
    """A connection, as far as it is counted."""

    statistics: Statistics = field(default_factory=Statistics)
    latency: Latency | None = None
    close_report: CloseReport | None = None
    should_abort: bool = False
    bytes_queued: int = 0

    @property
    def engine(self) -> Any:
        return SimpleNamespace(
            should_abort=self.should_abort,
            bytes_queued=self.bytes_queued,
            count_into=lambda total: include(total, self.statistics),
        )


def trips(*seconds: float) -> Latency | None:
    gathered = RoundTrips()
    for value in seconds:
        gathered.add(value)
    return gathered.summary()


# --- histogram --------------------------------------------------------------------------------------------------------


@given(st.lists(durations, min_size=1), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_the_nearest_rank_within_2_percent(seconds: list[float], fraction: float) -> None:
    histogram = Histogram()
    for value in seconds:
        histogram.add(value)
    exact = sorted(seconds)[max(1, -int(-fraction * len(seconds) // 1)) - 1]
    assert histogram.percentile(fraction) == pytest.approx(exact, rel=0.02, abs=1e-9)
    assert histogram.count == len(seconds)


@given(st.lists(durations), st.lists(durations))
def test_two_histograms_together_are_one_of_all(one: list[float], other: list[float]) -> None:
    parts, whole = (Histogram(), Histogram()), Histogram()
    for part, seconds in zip(parts, (one, other), strict=True):
        for value in seconds:
            part.add(value)
            whole.add(value)
    copy = parts[0].copy()
    copy.include(parts[1])
    assert [copy.percentile(n / 10) for n in range(11)] == [whole.percentile(n / 10) for n in range(11)]
    assert parts[0].count == len(one)


def test_a_histogram_that_has_seen_nothing() -> None:
    assert (Histogram().count, Histogram().percentile(0.5)) == (0, 0.0)


def test_a_clock_that_went_back_counts_as_no_time() -> None:
    histogram = Histogram()
    histogram.add(-1.0)
    assert (histogram.count, histogram.percentile(1)) == (1, 0.0)


# --- tally ------------------------------------------------------------------------------------------------------------


def test_traffic_adds_up() -> None:
    tally = Tally()
    tally.add_traffic(Counted(Statistics(messages_sent=1, bytes_received=20), trips(0.1)))
    tally.add_traffic(Counted(Statistics(messages_sent=2, bytes_received=3), trips(0.3, 0.2)))
    tally.add_traffic(Counted(Statistics(pings_sent=4)))
    assert tally.traffic == Statistics(messages_sent=3, bytes_received=23, pings_sent=4)
    together = tally.round_trips
    assert (together.count, together.min, together.max) == (3, 0.1, 0.3)
    assert together.total == pytest.approx(0.6)


def test_tallies_add_up_and_a_copy_goes_its_own_way() -> None:
    first = Tally(opened=1, accepted=2, rejected=3, failed=4, timeouts=5, traffic=Statistics(bytes_sent=6))
    first.add_traffic(Counted(latency=trips(1.0)))
    copy = first.copy()
    copy.include(first)
    assert copy == Tally(
        opened=2,
        accepted=4,
        rejected=6,
        failed=8,
        timeouts=10,
        traffic=Statistics(bytes_sent=12),
        round_trips=copy.round_trips,
    )
    assert (copy.round_trips.count, copy.round_trips.histogram.count) == (2, 2)
    assert (first.opened, first.traffic.bytes_sent, first.round_trips.count) == (1, 6, 1)
    assert first.round_trips.histogram.count == 1


def errors(tally: Tally) -> dict[str, int]:
    names = ("send_errors", "receive_errors", "timeouts", "connection_errors")
    return {name: count for name in names if (count := getattr(tally, name))}


@pytest.mark.parametrize(
    ("report", "counted"),
    [
        (None, {}),
        (ORDINARY, {}),
        (BROKEN, {"connection_errors": 1}),
        (
            CloseReport(initiator=Initiator.NETWORK, code=1006, bytes_queued=9),
            {"connection_errors": 1, "send_errors": 1},
        ),
        (CloseReport(initiator=Initiator.LOCAL, code=1006, timer=Timer.PONG), {"timeouts": 1}),
        (
            CloseReport(initiator=Initiator.LOCAL, code=1006, timer=Timer.CLOSING, bytes_queued=9),
            {"timeouts": 1, "send_errors": 1},
        ),
        (
            CloseReport(initiator=Initiator.LOCAL, code=1002, violation=Violation.BAD_REQUEST, bytes_queued=9),
            {"receive_errors": 1},
        ),
        (CloseReport(initiator=Initiator.LOCAL, code=1006, bytes_queued=9), {}),
        (CloseReport(initiator=Initiator.PEER, code=1011, received_code=1011), {}),
    ],
)
def test_how_a_connection_ends_is_counted_by_the_reason(report: CloseReport | None, counted: dict[str, int]) -> None:
    tally = Tally()
    tally.add_ended(Counted(Statistics(messages_sent=1), close_report=report))
    assert errors(tally) == counted
    assert tally.traffic.messages_sent == 1


def test_attempts_that_fail_are_counted_by_the_reason() -> None:
    tally = Tally()
    tally.attempt_failed(ConnectionTimeout("late"))
    tally.attempt_failed(ConnectionRefused("no"))
    assert tally.failed == 2
    assert errors(tally) == {"timeouts": 1, "connection_errors": 1}


@pytest.mark.parametrize(
    ("report", "is_rejected"),
    [
        (None, False),
        (BROKEN, False),
        (CloseReport(initiator=Initiator.LOCAL, code=1006, timer=Timer.OPENING), False),
        (CloseReport(initiator=Initiator.LOCAL, code=1002, violation=Violation.BAD_REQUEST), False),
        (CloseReport(initiator=Initiator.LOCAL, code=1006, http_status=403), True),
        (CloseReport(initiator=Initiator.LOCAL, code=1013, sent_code=1013), True),
    ],
)
def test_visitors_are_turned_away_or_fail(report: CloseReport | None, is_rejected: bool) -> None:
    tally = Tally()
    tally.visitor_left(report)
    assert (tally.rejected, tally.failed) == ((1, 0) if is_rejected else (0, 1))


def test_clients_are_held_as_long_as_they_are_there() -> None:
    clients = Clients[Counted]()
    peer = Counted(Statistics(messages_sent=1))
    clients.opened(peer)
    assert (clients.counted().active, clients.counted().traffic.messages_sent) == (1, 1)
    peer.close_report = ORDINARY
    peer.statistics.messages_sent = 2
    assert (clients.counted().active, clients.counted().traffic.messages_sent) == (0, 2)
    peer.should_abort, peer.bytes_queued = True, 5
    peer.statistics.bytes_sent = 7  # the goodbye, behind the report
    assert clients.counted().traffic.bytes_sent == 7
    peer.bytes_queued = 0
    assert clients.counted().traffic.bytes_sent == 7
    peer.statistics.bytes_sent = 1000
    assert clients.counted().traffic.bytes_sent == 7
    assert clients.counted().opened == 1


def test_however_many_clients_there_have_been_few_are_held() -> None:
    clients = Clients[Counted]()
    alive = [Counted() for _ in range(10)]
    for peer in alive:
        clients.opened(peer)
    for _ in range(1000):
        clients.opened(Counted(Statistics(messages_received=1), close_report=ORDINARY, should_abort=True))
        assert len(clients._present) <= 2 * len(alive) + 2
    tally = clients.counted()
    assert (tally.opened, tally.active, tally.traffic.messages_received) == (1010, 10, 1000)


def test_clients_that_never_came_to_be() -> None:
    clients = Clients[Counted]()
    clients.failed(ConnectionRefused("no"))
    assert (clients.counted().failed, clients.counted().opened) == (1, 0)


# --- the snapshot -----------------------------------------------------------------------------------------------------


def busy() -> Tally:
    tally = Tally(opened=12, accepted=8, active=3, rejected=1, failed=2, receive_errors=1, connection_errors=2)
    tally.add_traffic(
        Counted(
            Statistics(
                messages_sent=120,
                messages_received=118,
                bytes_sent=4000,
                bytes_received=3900,
                pings_sent=3,
                pongs_received=3,
            ),
            trips(0.001, 0.002, 0.003),
        )
    )
    return tally


def snapshot(tally: Tally | None = None, *, uptime: float = 20.0, memory: MemoryMetrics | None = None) -> Metrics:
    return Metrics.of(tally or busy(), started_at=1_000_000.0, uptime=uptime, memory=memory)


MEMORY = MemoryMetrics(now=30 * 2**20, peak=32 * 2**20)


def test_the_report_for_people() -> None:
    assert str(snapshot(memory=MEMORY)).splitlines() == [
        "connections  3 open, 12 in all (0.6/s), 8 accepted, 1 rejected, 2 failed",
        "messages     120 sent (6/s), 118 received (5.9/s)",
        "bytes        4000 sent (200/s), 3900 received (195/s)",
        "pings        3 sent, 0 received",
        "pongs        0 sent, 3 received",
        "round trips  3: mean 2 ms, min 1 ms, max 3 ms, p50 2.02 ms, p95 2.98 ms, p99 2.98 ms, p999 2.98 ms",
        "errors       0 send, 1 receive, 0 timeout, 2 connection",
        "memory       30.0 MiB, at most 32.0 MiB",
        "uptime       20.0 s",
    ]


def test_the_report_of_nothing() -> None:
    assert str(snapshot(Tally(), uptime=0.0)).splitlines() == [
        "connections  0 open, 0 in all (0/s), 0 accepted, 0 rejected, 0 failed",
        "messages     0 sent (0/s), 0 received (0/s)",
        "bytes        0 sent (0/s), 0 received (0/s)",
        "pings        0 sent, 0 received",
        "pongs        0 sent, 0 received",
        "round trips  none",
        "errors       0 send, 0 receive, 0 timeout, 0 connection",
        "uptime       0.0 s",
    ]


def test_time_is_what_it_was_given() -> None:
    metrics = snapshot(uptime=20.0)
    assert (metrics.started_at, metrics.updated_at, metrics.uptime) == (1_000_000.0, 1_000_020.0, 20.0)


def test_rates_between_two_snapshots() -> None:
    earlier, tally = snapshot(), busy()
    tally.opened += 10
    tally.traffic.messages_sent += 30
    tally.traffic.bytes_received += 500
    assert snapshot(tally, uptime=25.0).per_second_since(earlier) == RateMetrics(
        connections=2.0, messages_sent=6.0, messages_received=0.0, bytes_sent=0.0, bytes_received=100.0
    )


def test_rates_need_two_different_moments() -> None:
    with pytest.raises(ValueError, match="earlier"):
        snapshot().per_second_since(snapshot())


@pytest.mark.parametrize("metrics", [snapshot(), snapshot(memory=MEMORY), snapshot(Tally())])
def test_json_says_it_all(metrics: Metrics) -> None:
    told = json.loads(metrics.to_json())
    assert told == metrics.to_dict()
    assert Metrics.from_dict(told) == metrics
    assert told["per_second"]["messages_sent"] == metrics.messages.sent / metrics.uptime
    assert told["updated_at"] == metrics.updated_at


@pytest.mark.parametrize("figures", [{}, {"latency": None, "memory": None}])
def test_other_figures_are_no_snapshot(figures: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        Metrics.from_dict(figures)


# --- Prometheus -------------------------------------------------------------------------------------------------------


def test_the_text_for_prometheus() -> None:
    text = prometheus_text(snapshot(memory=MEMORY), {"service": "chat"})
    assert text.startswith(
        "# HELP wsproto_connections Open connections.\n"
        "# TYPE wsproto_connections gauge\n"
        'wsproto_connections{service="chat"} 3\n'
        "# HELP wsproto_connections_opened_total Connections that came to be open.\n"
        "# TYPE wsproto_connections_opened_total counter\n"
        'wsproto_connections_opened_total{service="chat"} 12\n'
    )
    for line in (
        'wsproto_connections_accepted_total{service="chat"} 8',
        'wsproto_connections_rejected_total{service="chat"} 1',
        'wsproto_connections_failed_total{service="chat"} 2',
        'wsproto_messages_total{service="chat",direction="sent"} 120',
        'wsproto_bytes_total{service="chat",direction="received"} 3900',
        'wsproto_pings_total{service="chat",direction="sent"} 3',
        'wsproto_pongs_total{service="chat",direction="received"} 3',
        'wsproto_errors_total{service="chat",kind="connection"} 2',
        "# TYPE wsproto_round_trip_seconds summary",
        'wsproto_round_trip_seconds{service="chat",quantile="0.999"} 0.0029818875',
        'wsproto_round_trip_seconds_sum{service="chat"} 0.006',
        'wsproto_round_trip_seconds_count{service="chat"} 3',
        'wsproto_memory_bytes{service="chat"} 31457280',
        'wsproto_memory_peak_bytes{service="chat"} 33554432',
        'wsproto_start_time_seconds{service="chat"} 1000000.0',
    ):
        assert f"\n{line}\n" in text


def test_without_labels_and_without_round_trips() -> None:
    text = prometheus_text(snapshot(Tally()))
    assert "\nwsproto_connections 0\n" in text
    assert "quantile" not in text
    assert "\nwsproto_round_trip_seconds_sum 0.0\nwsproto_round_trip_seconds_count 0\n" in text
    assert "memory" not in text


def test_every_sample_stands_behind_its_type_and_help() -> None:
    family = ""
    for line in prometheus_text(snapshot(memory=MEMORY)).splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
        elif line.startswith("# TYPE "):
            assert line.split()[2] == family
        else:
            assert line.startswith(family)


def test_values_of_labels_are_escaped() -> None:
    text = prometheus_text(snapshot(), {"path": 'C:\\temp "a"\nb'})
    assert 'wsproto_connections{path="C:\\\\temp \\"a\\"\\nb"} 3\n' in text


@pytest.mark.parametrize("name", ["", "1st", "a-b", "__own", "direction", "kind", "quantile", "ü"])
def test_names_that_no_label_may_have(name: str) -> None:
    with pytest.raises(ValueError, match="labels"):
        prometheus_text(snapshot(), {name: "x"})


def test_the_content_type() -> None:
    assert PROMETHEUS_CONTENT_TYPE.startswith("text/plain; version=0.0.4")
