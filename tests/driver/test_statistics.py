from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from wsproto_core import Latency
from wsproto_core._driver.statistics import RoundTrips


def latency_of(*seconds: float) -> Latency:
    trips = RoundTrips()
    for value in seconds:
        trips.add(value)
    summary = trips.summary()
    assert summary is not None
    return summary


def test_there_is_no_latency_before_the_first_round_trip() -> None:
    assert RoundTrips().summary() is None


def test_one_round_trip_is_every_figure() -> None:
    assert latency_of(0.25) == Latency(count=1, last=0.25, min=0.25, mean=0.25, max=0.25, p50=0.25, p99=0.25)


def test_the_figures() -> None:
    assert latency_of(4.0, 1.0, 3.0, 2.0) == Latency(count=4, last=2.0, min=1.0, mean=2.5, max=4.0, p50=2.0, p99=4.0)


@pytest.mark.parametrize(
    ("count", "p50", "p99"), [(2, 1, 2), (3, 2, 3), (100, 50, 99), (101, 51, 100), (200, 100, 198)]
)
def test_percentiles_are_nearest_ranks(count: int, p50: int, p99: int) -> None:
    latency = latency_of(*range(1, count + 1))
    assert (latency.p50, latency.p99) == (p50, p99)


def test_percentiles_look_at_the_latest_256_and_the_rest_at_all() -> None:
    latency = latency_of(1000.0, *[1.0] * 256)
    assert (latency.count, latency.max, latency.p99) == (257, 1000.0, 1.0)


def test_the_figures_are_plain_json() -> None:
    latency = latency_of(0.25)
    figures = {"count": 1, "last": 0.25, "min": 0.25, "mean": 0.25, "max": 0.25, "p50": 0.25, "p99": 0.25}
    assert json.loads(json.dumps(asdict(latency))) == figures
    assert latency.histogram.count == 1
