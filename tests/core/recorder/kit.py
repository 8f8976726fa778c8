"""Recorded conversations, for the tests of the flight recorder."""

from __future__ import annotations

from typing import Any

from wsproto_core import ClientConnection, Limits, ServerConnection
from wsproto_core.recorder import Flight, FlightRecorder
from wsproto_core.testing import Scenario, Script, VirtualClock, Wire

NOW = VirtualClock().now


def recorder(flights: list[Flight], **options: Any) -> FlightRecorder:
    """Keeps the flight of every connection, however it ended."""
    return FlightRecorder(flights.append, **{"when": lambda report: True, **options})


def recorded(kind: type[Any], recorder: FlightRecorder) -> Any:
    """What makes recorded engines of ``kind``."""

    def make(*arguments: Any, **options: Any) -> Any:
        engine = kind(*arguments, **options)
        known = {
            name: options[name] for name in ("limits", "timeouts", "extensions", "fragment_size") if name in options
        }
        recorder.attach(engine, now=options.get("now"), sealed=options.get("pipeline") is not None, **known)
        return engine

    return make


def flights_of(script: Script, **options: Any) -> list[Flight]:
    """The flights of everybody in ``script``."""
    flights: list[Flight] = []
    watch = recorder(flights, **options)
    scenario = Scenario(
        script, make_client=recorded(ClientConnection, watch), make_server=recorded(ServerConnection, watch)
    )
    scenario.play()
    assert watch.failure is None
    return flights


def recorded_wire(
    watch: FlightRecorder, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, **both: Any
) -> Wire[ClientConnection, ServerConnection]:
    """A wire between two recorded engines, not yet open."""
    clock = VirtualClock()
    options = {"entropy": lambda size: bytes(range(size)), "now": clock.now, "limits": Limits(), **both}
    make_client, make_server = recorded(ClientConnection, watch), recorded(ServerConnection, watch)
    there = make_client("ws://example.com/", **{**options, **(client or {})})
    del options["entropy"]
    return Wire(there, make_server(**{**options, **(server or {})}), clock=clock)
