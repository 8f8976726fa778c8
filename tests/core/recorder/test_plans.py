"""A recorder that is given to ``serve()`` and ``connect()``: what the plans of all adapters do with it."""

from __future__ import annotations

import os

from tests.core.recorder.kit import NOW, recorder
from wsproto_core import Compress, ConnectPlan, Limits, PerMessageDeflate, Pipeline, ServePlan, Timeouts
from wsproto_core.recorder import Flight

LIMITS = Limits(message_size=5)
TIMEOUTS = Timeouts(idle_timeout=5.0)


def test_every_engine_of_a_server_is_recorded() -> None:
    flights: list[Flight] = []
    watch = recorder(flights)
    plan = ServePlan(
        "127.0.0.1",
        0,
        None,
        entropy=os.urandom,
        limits=LIMITS,
        timeouts=TIMEOUTS,
        compression=PerMessageDeflate(level=1),
        recorder=watch,
    )
    for _ in range(2):
        plan.engine(NOW).transport_lost(None, NOW)
    facts, _ = [flight.facts for flight in flights]
    assert (facts.role.value, facts.limits, facts.timeouts, facts.started_at) == ("server", LIMITS, TIMEOUTS, NOW)
    ((name, settings),) = facts.extensions
    assert (name, settings) == ("permessage-deflate", {**(settings or {}), "level": 1})
    assert not facts.is_sealed


def test_every_attempt_of_a_client_is_recorded() -> None:
    flights: list[Flight] = []
    plan = ConnectPlan(
        "ws://example.com/",
        entropy=os.urandom,
        environment={},
        limits=LIMITS,
        pipeline=Pipeline(compress=Compress("zlib")),
        recorder=recorder(flights),
    )
    engine = plan.engine()
    engine.connect(now=NOW)
    engine.transport_lost(OSError("gone"), NOW)
    (flight,) = flights
    assert (flight.facts.role.value, flight.facts.limits, flight.facts.is_sealed) == ("client", LIMITS, True)
    assert flight.facts.started_at is None


def test_without_a_recorder_an_engine_has_nothing_of_it() -> None:
    plan = ServePlan("127.0.0.1", 0, None, entropy=os.urandom)
    assert "receive_data" not in vars(plan.engine(NOW))
