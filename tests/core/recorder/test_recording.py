"""What is attached to an engine, what it costs, and when it hands over."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from tests.core.recorder.kit import NOW, recorded_wire, recorder
from wsproto_core import Buffer, ClientConnection, CloseReport, Initiator, ServerConnection, Violation
from wsproto_core.frames import Frame, Opcode
from wsproto_core.recorder import Flight, FlightRecorder, is_abnormal, replay
from wsproto_core.testing import Wire


def opened(watch: FlightRecorder, **options: Any) -> Wire[ClientConnection, ServerConnection]:
    wire = recorded_wire(watch, **options)
    wire.open()
    return wire


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ({"code": 1000, "received_code": 1000, "sent_code": 1000}, False),
        ({"code": 1001, "received_code": 1001}, False),
        ({"code": 1006, "http_status": 403}, False),
        ({"code": 1006, "http_status": 400, "violation": Violation.BAD_REQUEST}, True),
        ({"code": 1006}, True),
        ({"code": 1011, "received_code": 1011, "sent_code": 1011}, True),
    ],
)
def test_what_counts_as_abnormal(report: dict[str, Any], expected: bool) -> None:
    assert is_abnormal(CloseReport(initiator=Initiator.PEER, **report)) is expected


def test_an_ordinary_end_is_not_handed_over() -> None:
    flights: list[Flight] = []
    wire = opened(FlightRecorder(flights.append))
    wire.client.engine.close()
    wire.finish()
    assert flights == []
    wire = opened(FlightRecorder(flights.append))
    wire.cut()
    assert {flight.facts.role.value for flight in flights} == {"client", "server"}


def test_others_can_be_chosen() -> None:
    flights: list[Flight] = []
    wire = opened(FlightRecorder(flights.append, when=lambda report: report.code == 4000))
    wire.client.engine.close(4000)
    wire.finish()
    assert [flight.ending.report["code"] for flight in flights] == [4000, 4000]


def test_no_connection_suffers_from_its_recorder() -> None:
    def fail(_: object) -> None:
        raise OSError("the disk is full")

    watch = FlightRecorder(fail)
    wire = opened(watch)
    wire.cut()
    assert wire.lost() == [True, True]
    assert (watch.failures, str(watch.failure)) == (2, "the disk is full")


@pytest.mark.parametrize("name", ["max_entries", "memory_size"])
def test_what_makes_no_sense_is_told(name: str) -> None:
    options: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be positive"):
        FlightRecorder(print, **options)


def test_only_a_new_engine_can_be_recorded() -> None:
    watch = recorder([])
    engine = ClientConnection("ws://example.com/", entropy=bytes)
    watch.attach(engine)
    with pytest.raises(ValueError, match="engine: it must be new"):
        watch.attach(engine)
    late = ClientConnection("ws://example.com/", entropy=bytes)
    late.connect()
    with pytest.raises(ValueError, match="engine: it must be new"):
        watch.attach(late)
    with pytest.raises(ValueError, match="engine: it must be new"):
        watch.attach(opened(recorder([])).client.engine)


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_an_engine_is_left_as_it_was() -> None:
    watch = recorder([])
    wire = opened(watch)
    engine: Any = wire.server.engine
    before = set(vars(ServerConnection(now=NOW)))
    assert "receive_data" in vars(engine)
    assert isinstance(engine, ServerConnection)
    wire.server.pulls = True
    wire.client.engine.send("hello")
    wire.settle()
    wire.cut()
    assert set(vars(engine)) == before
    assert watch.flight(engine) is None
    assert engine.message_at_hand() == "hello"


def test_a_recorded_engine_needs_no_collector() -> None:
    """No cycle is left behind, once the transport is gone."""
    engine = ServerConnection(now=NOW)
    recorder([]).attach(engine, now=NOW)
    engine.transport_lost(None, NOW)
    alive = weakref.ref(engine)
    gc.disable()
    try:
        del engine
        assert alive() is None
    finally:
        gc.enable()


def spoken(watch: FlightRecorder, *messages: bytes) -> Flight:
    wire = opened(watch)
    for message in messages:
        wire.client.engine.send(message)
        wire.settle()
        wire.run(0.001)
    flight = watch.flight(wire.server.engine)
    assert flight is not None
    return flight


def test_so_many_calls_are_kept() -> None:
    flight = spoken(recorder([], max_entries=10), *[b"x"] * 100)
    assert len(flight.entries) == 10
    assert flight.dropped > 90


def test_so_many_bytes_are_kept() -> None:
    flight = spoken(recorder([], memory_size=20_000, payloads=True), *[b"x" * 1000] * 100)
    held = [argument for entry in flight.entries for argument in entry.arguments if isinstance(argument, bytes)]
    assert 10_000 < sum(map(len, held)) < 20_000
    assert 10 < len(flight.entries) < 40
    assert replay(flight).departures == ()


def test_what_is_larger_than_all_the_room_takes_everything_with_it() -> None:
    watch = recorder([], memory_size=20_000)
    flight = spoken(watch, b"x", b"x" * 50_000, b"y")
    assert len(flight.entries) < 8
    assert replay(flight).departures == ()


def test_of_much_that_came_of_one_call_only_the_beginning_is_told() -> None:
    watch = recorder([], payloads=True)
    wire = opened(watch)
    data = b"".join(bytes(Frame(Opcode.TEXT, b"x", mask=b"abcd")) for _ in range(1000))
    wire.client.outgoing.write(data)
    wire.settle()
    flight = watch.flight(wire.server.engine)
    assert flight is not None
    (told,) = [entry.told for entry in flight.entries if len(entry.told) > 2]
    assert told == ("text 1",) * 100 + ("and more",)
    assert replay(flight).departures == ()


def test_an_engine_that_crashes_has_its_last_input_noted() -> None:
    class Broken(ServerConnection):
        def _decode_frames(self, data: Buffer) -> Any:
            raise ZeroDivisionError

    watch = recorder([])
    engine = Broken(now=NOW)
    watch.attach(engine, now=NOW)
    request = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    engine.receive_data(
        request + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n\x81", NOW
    )
    with pytest.raises(ZeroDivisionError):
        engine.accept()
    flight = watch.flight(engine)
    assert flight is not None
    assert (flight.entries[-1].do, flight.entries[-1].told) == ("accept", ("raised ZeroDivisionError",))
    assert replay(flight).departures == ("call 1, accept: nothing, and not raised ZeroDivisionError",)


def test_a_recorded_engine_is_followed() -> None:
    wire = opened(recorder([]))
    assert wire.server.engine.is_followed
