"""Whatever was recorded, a new engine does again."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.core.recorder.kit import NOW, flights_of, recorded_wire, recorder
from wsproto_core import (
    Closed,
    Event,
    Extension,
    Headers,
    Initiator,
    Limits,
    LocalProtocolError,
    MessageTransform,
    Parameters,
    PerMessageDeflate,
    PreparedMessage,
    Receive,
    Request,
    ServerConnection,
    State,
    Timeouts,
    Violation,
)
from wsproto_core.frames import Frame, Opcode
from wsproto_core.recorder import Flight, load_flight, replay, save_flight, tell
from wsproto_core.testing import Dialogue, Move, Script, stream_script

KEY = "AAAAAAAAAAAAAAAAAAAAAA=="


def again(flight: Flight) -> Flight:
    """Through a file and back."""
    lines = list(save_flight(flight))
    found = load_flight(lines)
    assert found == flight
    assert list(tell(found))
    return found


# --- random conversations ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payloads", [True, False])
def test_every_conversation_is_the_same_again(payloads: bool) -> None:
    """Where it cannot be replayed, it says why."""
    seen: Counter[str] = Counter()
    for seed in range(120):
        for flight in map(again, flights_of(stream_script(seed), payloads=payloads)):
            if flight.begins_at is None:
                seen[flight.obstacle] += 1
                continue
            replayed = replay(flight)
            assert replayed.departures == ()
            assert replayed.engine.state is flight.ending.state
            assert sum(isinstance(event, Closed) for event in replayed.events) == 1
            seen["same"] += 1
    assert seen["same"] > 200
    assert (seen.total() == seen["same"]) is payloads, seen


@pytest.mark.parametrize("payloads", [True, False])
def test_what_has_lost_its_beginning_goes_on_from_where_a_message_begins(payloads: bool) -> None:
    seen: Counter[str] = Counter()
    for seed in range(150):
        for flight in map(again, flights_of(stream_script(seed), payloads=payloads, max_entries=14)):
            assert len(flight.entries) <= 14
            if flight.begins_at is None:
                seen["none"] += 1
                assert flight.obstacle
                continue
            seen["middle" if flight.dropped else "start"] += 1
            assert replay(flight).departures == ()
    assert seen["middle"] > 10, seen
    assert seen["start"] > 10, seen


# --- single things ----------------------------------------------------------------------------------------------------


def flown(flights: list[Flight], role: str) -> Flight:
    (flight,) = [flight for flight in flights if flight.facts.role.value == role]
    return again(flight)


def test_every_verb_is_made_again() -> None:
    flights: list[Flight] = []
    wire = recorded_wire(
        recorder(flights, payloads=True), server={"subprotocols": ["chat"]}, client={"subprotocols": ["soap", "chat"]}
    )
    wire.open()
    engine = wire.client.engine
    engine.send("text")
    engine.send(bytearray(b"binary"), urgent=True)
    assert engine.send_at_once("at once")
    assert not engine.send_at_once(bytearray(b"not as it is"))
    engine.send_fragment("one ", final=False)
    engine.send_fragment("message", final=True)
    engine.send_prepared(PreparedMessage(b"prepared"))
    engine.ping()
    engine.ping(memoryview(b"mine"), now=wire.now)
    engine.pong(b"unasked")
    wire.run(1.0)
    engine.close(4000, "bye", now=wire.now)
    wire.finish()
    client, server = flown(flights, "client"), flown(flights, "server")
    assert (client.facts.subprotocol, client.facts.subprotocols) == ("chat", ("o0xx", "chat"))
    replayed = replay(server)
    assert replayed.departures == replay(client).departures == ()
    said = [event for event in replayed.events if isinstance(event, str | bytes)]
    assert said == ["text", b"binary", "at once", "one message", b"prepared"]
    report = replayed.engine.close_report
    assert report is not None
    assert (report.code, report.reason, report.at) == (4000, "bye", wire.server.report.at)


def test_no_frame_passes_a_recorded_engine() -> None:
    wire = recorded_wire(recorder([]))
    wire.open()
    engine = wire.server.engine
    passes = engine.pass_frame
    assert not passes(PreparedMessage("news").frame)
    assert engine.statistics.messages_sent == 0
    engine.close(now=wire.now)
    wire.finish()
    assert engine.pass_frame is not passes


def test_what_was_refused_is_refused_again() -> None:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights, payloads=True), limits=Limits(outbox_size=10))
    wire.open()
    engine: Any = wire.client.engine
    engine.send("long enough to fill it")
    for call, argument in ((engine.send, "more"), (engine.close, 99), (engine.connect, None), (engine.send, 1)):
        with pytest.raises((LocalProtocolError, TypeError)):
            call(argument) if argument else call()
    wire.client.lose()
    flight = flown(flights, "client")
    assert [entry.told for entry in flight.entries if "raised" in str(entry.told)] == [
        ("raised OutboxFull",),
        ("raised LocalProtocolError",),
        ("raised LocalProtocolError",),
    ]
    assert replay(flight).departures == ()


def test_pulled_messages_and_those_at_hand() -> None:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights, payloads=True), limits=Limits(inbox_size=400))
    wire.server.pulls = True
    wire.open()
    for number in range(20):
        wire.client.engine.send(f"message {number}")
        wire.settle()
    assert not wire.server.engine.wants_read
    engine = wire.server.engine
    assert engine.next_message() == "message 0"
    while engine.next_message() is not None:
        pass
    wire.settle()
    while engine.next_message() is not None:
        pass
    wire.client.engine.send("at hand")
    wire.settle()
    assert [engine.message_at_hand(), engine.message_at_hand()] == ["at hand", None]
    wire.client.engine.close()
    wire.finish()
    flight = flown(flights, "server")
    taken = [argument for entry in flight.entries if entry.do == "take" for argument in entry.arguments]
    assert any(isinstance(count, int) and count > 3 for count in taken)
    assert replay(flight).departures == ()


@pytest.mark.parametrize("receive", list(Receive))
def test_parts_of_messages(receive: Receive) -> None:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights), receive=receive)
    wire.server.chunks = 7
    wire.open()
    wire.client.engine.send("é" * 100)
    wire.settle()
    wire.cut(ConnectionResetError("reset"))
    for role in ("client", "server"):
        replayed = replay(flown(flights, role))
        assert replayed.departures == ()
        assert isinstance(replayed.engine.close_report, object)


class Odd(Exception):
    """None of Python's own."""


@pytest.mark.parametrize("error", [None, ConnectionResetError("reset"), Odd("odd")])
def test_what_the_transport_complained_of(error: Exception | None) -> None:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights))
    wire.open()
    wire.client.lose(error)
    replayed = replay(flown(flights, "client"))
    report = replayed.engine.close_report
    assert replayed.departures == ()
    assert report is not None
    assert report.initiator is Initiator.NETWORK
    assert str(report.error) == str(error)
    assert type(report.error).__name__ == type(error).__name__


# --- opening ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "violation"),
    [
        ({"origins": ["https://example.org"]}, Violation.ORIGIN_NOT_ALLOWED),
        ({"hosts": ["example.org"]}, Violation.HOST_NOT_ALLOWED),
    ],
)
def test_a_policy_is_not_recorded_but_its_verdict_is(options: dict[str, Any], violation: Violation) -> None:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights), server=options)
    wire.client.engine.connect()
    wire.finish()
    for role in ("client", "server"):
        assert replay(flown(flights, role)).departures == ()
    assert flown(flights, "server").facts.violation is violation


def test_a_rejection_and_its_body() -> None:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights))

    def refuse(event: Event) -> None:
        if isinstance(event, Request):
            wire.server.engine.reject(503, {"Retry-After": "5", "Set-Cookie": "secret"}, None)
            wire.server.engine.reject_data(b"come back ", final=False)
            wire.server.engine.reject_data(b"later", final=True)

    wire.server.react = refuse
    wire.client.engine.connect()
    wire.finish()
    for role in ("client", "server"):
        flight = flown(flights, role)
        assert replay(flight).departures == ()
        assert "later" not in "".join(save_flight(flight))


@pytest.mark.parametrize("started_at", [None, NOW])
@pytest.mark.parametrize("max_entries", [500, 4])
def test_a_request_that_somebody_else_has_parsed(max_entries: int, started_at: float | None) -> None:
    flights: list[Flight] = []
    headers = {"Host": "example.com", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "chat"}
    request = Request(method="CONNECT", target="/", protocol="websocket", http_version="2", headers=Headers(headers))
    engine = ServerConnection.from_request(request, subprotocols=["chat"], now=NOW)
    recorder(flights, max_entries=max_entries).attach(engine, now=started_at)
    engine.accept()
    for number in range(3):
        engine.receive_data(bytes(Frame(Opcode.TEXT, b"hello", mask=b"abcd")), NOW + number)
        engine.send("hello")
        engine.data_to_send()
    engine.transport_lost(None, NOW + 3)
    (flight,) = map(again, flights)
    assert flight.facts.is_parsed
    assert bool(flight.dropped) is (max_entries == 4)
    assert replay(flight).departures == ()


def test_a_parsed_request_that_nobody_has_answered_yet() -> None:
    watch = recorder([])
    engine = ServerConnection.from_request(Request(method="GET", target="/"), now=NOW)
    watch.attach(engine, now=NOW)
    flight = watch.flight(engine)
    assert flight is not None
    assert "it is not in it" in again(flight).obstacle
    headers = Headers({"Host": "x", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"})
    request = Request(method="GET", target="/", headers=Headers([*headers.lines(), ("Sec-WebSocket-Key", KEY)]))
    engine = ServerConnection.from_request(request, now=NOW)
    watch.attach(engine)
    flight = watch.flight(engine)
    assert flight is not None
    replayed = replay(again(flight))
    assert (replayed.departures, replayed.engine.state) == ((), State.CONNECTING)


def test_a_parsed_request_that_was_wrong_is_not_in_it() -> None:
    flights: list[Flight] = []
    engine = ServerConnection.from_request(Request(method="POST", target="/"), now=NOW)
    recorder(flights).attach(engine, now=NOW)
    engine.accept()
    engine.transport_lost(None, NOW)
    (flight,) = map(again, flights)
    with pytest.raises(ValueError, match="cannot be replayed: somebody else had parsed the request"):
        replay(flight)


def test_a_connection_that_is_not_over_can_be_looked_at() -> None:
    watch = recorder([])
    wire = recorded_wire(watch)
    wire.open()
    wire.client.engine.send("hello")
    wire.settle()
    flight = watch.flight(wire.server.engine)
    assert flight is not None
    replayed = replay(again(flight))
    assert (replayed.departures, replayed.engine.state, replayed.engine.close_report) == ((), State.OPEN, None)
    assert list(tell(flight))[-1] == "state: OPEN"
    assert watch.flight(ServerConnection()) is None


# --- extensions and pipelines -----------------------------------------------------------------------------------------


def compressed(extension: Any, **options: Any) -> list[Flight]:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights, **options), extensions=[extension], timeouts=Timeouts(ping_interval=None))
    wire.open()
    for number in range(10):
        wire.client.engine.send(f"message {number} " * 30)
        wire.settle()
        wire.server.engine.send(f"answer {number} " * 30)
        wire.settle()
    wire.client.engine.close()
    wire.finish()
    return [again(flight) for flight in flights]


def test_compressed_messages_need_their_contents() -> None:
    for flight in compressed(PerMessageDeflate(threshold=0), payloads=True):
        assert replay(flight).departures == ()
    for flight in compressed(PerMessageDeflate()):
        with pytest.raises(ValueError, match="an extension has transformed its messages"):
            replay(flight)


def test_compression_that_forgets_can_be_entered_in_the_middle() -> None:
    forgetful = PerMessageDeflate(server_no_context_takeover=True, client_no_context_takeover=True, threshold=0)
    for flight in compressed(forgetful, payloads=True, max_entries=15):
        assert flight.begins_at is not None
        assert flight.dropped
        assert replay(flight).departures == ()
    for flight in compressed(PerMessageDeflate(threshold=0), payloads=True, max_entries=15):
        assert "compression goes on from one message to the next" in flight.obstacle


@pytest.mark.parametrize("end", ["close", "lose"])
def test_what_somebody_else_has_done_is_done_again(end: str) -> None:
    noise = Random(4).randbytes(40_000)
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights, payloads=True), extensions=[PerMessageDeflate()])
    for side in wire.sides:
        side.offload(1000)
        side.work_time = 0.5
    wire.open()
    wire.client.engine.send(noise)
    wire.server.engine.send(noise)
    wire.client.engine.send("behind it")
    wire.run(0.7)
    if end == "close":
        wire.client.engine.close()
        wire.finish()
    else:
        wire.cut()
    assert [flight.facts.work_size for flight in flights] == [1000, 1000]
    for flight in map(again, flights):
        assert "work_done" in [entry.do for entry in flight.entries]
        assert replay(flight).departures == ()
        alone = replace(flight, facts=replace(flight.facts, work_size=None))
        assert replay(alone).departures  # it had no work to give back


def test_what_comes_back_behind_the_end_is_given_back_again() -> None:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights, payloads=True), extensions=[PerMessageDeflate()])
    wire.open()
    client, server = wire.client.engine, wire.server.engine
    server.offload(1000)
    client.send(Random(4).randbytes(100_000))
    server.receive_data(b"".join(b"".join(batch) for batch in iter(client.data_to_send, [])), wire.now)
    work = server.next_work()
    assert work is not None
    server.abort()
    work()
    (closed,) = server.work_done(work, wire.now)
    assert isinstance(closed, Closed)
    server.transport_lost(None, wire.now)
    assert replay(again(flights[0])).departures == ()


class Reversed(MessageTransform):
    """Says everything backwards, and marks it."""

    reserved_bits = 0x20

    def wants(self, size: int, compress: bool | None) -> bool:
        return True

    def encode(self, data: Any, final: bool) -> bytes:
        return bytes(data)[::-1]

    def decode(self, data: Any, final: bool) -> bytes:
        return bytes(data)[::-1]


class Backwards(Extension):
    """An extension that this package does not know."""

    name = "x-backwards"

    def offer(self) -> tuple[Parameters, ...]:
        return ((),)

    def accept(self, offered: Parameters, limits: Limits) -> tuple[Parameters, MessageTransform]:
        return (), Reversed()

    def confirm(self, answered: Parameters, limits: Limits) -> MessageTransform:
        return Reversed()


def test_an_extension_of_somebody_elses_has_to_be_given() -> None:
    for flight in compressed(Backwards(), payloads=True):
        with pytest.raises(ValueError, match="extensions: 'x-backwards' is not known here"):
            replay(flight)
        assert replay(flight, extensions=[Backwards()]).departures == ()


def test_settings_that_nobody_knows() -> None:
    def add_one(head: Any, calls: Any) -> None:
        head["facts"]["extensions"] = [["permessage-deflate", {"magic": True}]]

    with pytest.raises(ValueError, match=r"extensions: .*magic"):
        replay(changed(add_one))


def test_an_extension_that_was_not_agreed_on_is_not_missed() -> None:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights), client={"extensions": [Backwards()]})
    wire.open()
    wire.cut()
    assert replay(flown(flights, "client")).departures == ()


def test_a_pipeline_has_sealed_its_messages() -> None:
    flights: list[Flight] = []
    engine = ServerConnection(now=NOW)
    recorder(flights).attach(engine, now=NOW, sealed=True)
    engine.transport_lost(None, NOW)
    with pytest.raises(ValueError, match="a pipeline has sealed its messages"):
        replay(again(flights[0]))


# --- departures -------------------------------------------------------------------------------------------------------


def changed(change: Any) -> Flight:
    """A flight of a server in which something is not as it was."""
    script = Script(dialogues=(Dialogue(moves=(Move("client", "send", "hello"), Move("server", "send", "hi"))),))
    (flight,) = [flight for flight in flights_of(script, payloads=True) if flight.facts.role.value == "server"]
    head, *calls = map(json.loads, save_flight(flight))
    change(head, calls)
    return load_flight(map(json.dumps, [head, *calls]))


def index_of(calls: list[dict[str, Any]], do: str, told: str) -> int:
    return next(n for n, call in enumerate(calls) if call["do"] == do and told in str(call.get("told")))


def test_what_is_otherwise_is_told() -> None:
    def say_something_else(head: Any, calls: Any) -> None:
        calls[index_of(calls, "receive_data", "text 5")]["told"] = ["text 6"]

    (departure,) = replay(changed(say_something_else)).departures
    assert departure.startswith("call ")
    assert departure.endswith("receive_data: text 5, and not text 6")


def test_other_contents_show_in_a_sum() -> None:
    def say_something_else(head: Any, calls: Any) -> None:
        next(call for call in calls if call["do"] == "send")["message"] = "ho"

    (departure,) = replay(changed(say_something_else)).departures
    assert "data_to_send: 4 bytes, TEXT 2, sum " in departure


def test_another_end_is_told() -> None:
    def end_otherwise(head: Any, calls: Any) -> None:
        head["ending"]["state"] = "OPEN"
        head["ending"]["report"]["code"] = 4000

    assert replay(changed(end_otherwise)).departures == (
        "it ends CLOSED, and not OPEN",
        "its report says code 1000, and not 4000",
    )


def test_an_engine_that_ends_too_early_is_told() -> None:
    def leave_out_the_end(head: Any, calls: Any) -> None:
        del calls[index_of(calls, "receive_data", "closed") :]

    departures = replay(changed(leave_out_the_end)).departures
    assert departures[0] == "it ends CLOSING, and not CLOSED"
    assert "its report says code None, and not 1000" in departures
