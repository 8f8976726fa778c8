"""Two engines over a wire, for every engine that speaks a stream."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wsproto_core import (
    Accepted,
    ClientConnection,
    Closed,
    Event,
    Fragment,
    FramesConnection,
    Initiator,
    LengthPrefixed,
    Limits,
    Opcode,
    Receive,
    Request,
    Role,
    ServerConnection,
    State,
    StreamConnection,
    Timeouts,
    Timer,
    Violation,
)
from wsproto_core.frames import Frame
from wsproto_core.testing import BrokenContract, Chance, Link, Standstill, VirtualClock, Wire

WebSocketWire = Wire[ClientConnection, ServerConnection]


def make_wire(
    *, clock: VirtualClock | None = None, wire: dict[str, Any] | None = None, **options: Any
) -> WebSocketWire:
    clock = clock or VirtualClock()
    client = ClientConnection("ws://example.com/", entropy=Chance(1).randbytes, now=clock.now, **options)
    return Wire(client, ServerConnection(now=clock.now, **options), clock=clock, **(wire or {}))


def open_wire(**options: Any) -> WebSocketWire:
    wire = make_wire(**options)
    wire.open()
    return wire


def tcp_wire() -> Wire[StreamConnection, StreamConnection]:
    clock = VirtualClock()
    codec = LengthPrefixed(2)
    return Wire(StreamConnection(codec, now=clock.now), StreamConnection(codec, now=clock.now), clock=clock)


def frames_wire() -> Wire[FramesConnection, FramesConnection]:
    clock = VirtualClock()
    return Wire(FramesConnection(Role.CLIENT, now=clock.now), FramesConnection(Role.SERVER, now=clock.now), clock=clock)


@pytest.mark.parametrize("make", [make_wire, tcp_wire, frames_wire])
@pytest.mark.parametrize("chunks", [None, 1, Chance(3)])
def test_a_conversation(make: Any, chunks: Any) -> None:
    wire = make()
    for side in wire.sides:
        side.chunks = chunks
    for link in wire.links:
        link.latency, link.jitter, link.bandwidth, link.capacity = 0.1, 0.05, 10_000.0, 100
    wire.open()
    wire.client.engine.send(b"from the client" * 50)
    wire.server.engine.send(b"from the server")
    wire.run(60)
    assert (wire.server.messages, wire.client.messages) == ([b"from the client" * 50], [b"from the server"])
    wire.client.engine.close(now=wire.now)
    wire.finish()
    assert wire.states() == [State.CLOSED, State.CLOSED]
    assert wire.lost() == [True, True]
    assert wire.client.report.clean
    assert wire.server.report.initiator is Initiator.PEER


def test_the_default_application_lets_everybody_in_and_another_need_not() -> None:
    wire = open_wire()
    assert len(wire.client.told(Accepted)) == len(wire.server.told(Request)) == 1
    wire = make_wire()
    wire.server.react = lambda event: None
    with pytest.raises(Standstill, match="within 3 seconds"):
        wire.open(within=3)


def test_an_application_that_answers() -> None:
    wire = make_wire(wire={"up": Link(latency=0.1), "down": Link(latency=0.2)})

    def echo(event: Event) -> None:
        if isinstance(event, Request):
            wire.server.engine.accept()
        elif isinstance(event, str):
            wire.server.engine.send(event)

    wire.server.react = echo
    wire.open()
    began = wire.now
    wire.client.engine.send("echo")
    wire.clock.run_until(lambda: wire.client.messages == ["echo"])
    assert wire.now - began == pytest.approx(0.3)


def test_an_application_may_speak_to_another_connection() -> None:
    """Two wires, one clock: what comes from one client is relayed to the other."""
    clock = VirtualClock()
    first, second = make_wire(clock=clock), make_wire(clock=clock)
    first.open()
    second.open()

    def relay(event: Event) -> None:
        if isinstance(event, str):
            second.server.engine.send(event)

    first.server.react = relay
    first.client.engine.send("relayed")
    first.settle()
    assert second.client.messages == ["relayed"]


def test_pull_style() -> None:
    wire = open_wire(limits=Limits(inbox_size=10))
    wire.server.pulls = True
    for _ in range(20):
        wire.client.engine.send("five!")
        wire.settle()
    assert wire.server.messages == []
    assert wire.server.incoming.arrived
    received = wire.server.receive()
    assert received
    while items := wire.server.receive():
        received += items
    assert received == ["five!"] * 20


def test_fragments_are_messages_as_well() -> None:
    wire = open_wire(receive=Receive.FRAGMENTS)
    wire.client.engine.send_fragment("a", final=True)
    wire.settle()
    assert wire.server.messages == [Fragment("a", True)]


def test_frames_are_those_behind_the_handshake() -> None:
    wire = open_wire()
    wire.client.engine.send("hello")
    wire.settle()
    (frame,) = wire.client.frames()
    assert (frame.opcode, frame.payload) == (Opcode.TEXT, b"hello")
    bare = frames_wire()
    bare.client.engine.send("\r\n\r\n")
    bare.settle()
    assert [frame.payload for frame in bare.client.frames()] == [b"\r\n\r\n"]


def test_a_side_can_break_the_rules() -> None:
    wire = open_wire()
    wire.client.inject(Frame(Opcode.TEXT, b"unmasked"))
    assert wire.server.report.violation is Violation.UNMASKED_FRAME
    wire.finish()
    assert wire.client.report.received_code == 1002


def test_no_end_no_report() -> None:
    with pytest.raises(BrokenContract, match="the end was not told"):
        _ = open_wire().client.report


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_cut_is_noticed_by_both() -> None:
    wire = open_wire()
    wire.client.engine.send("lost")
    error = OSError("cut")
    wire.cut(error)
    assert [side.report.error for side in wire.sides] == [error, error]
    assert wire.lost() == [True, True]
    wire.client.lose()  # nothing more can be lost
    wire.run(10)
    assert wire.server.messages == []


def test_a_stall_is_noticed_by_the_timers() -> None:
    wire = open_wire(timeouts=Timeouts(ping_interval=5, pong_timeout=5))
    wire.stall()
    wire.finish()
    assert {side.report.timer for side in wire.sides} == {Timer.PONG}


def test_a_side_that_sleeps_does_nothing() -> None:
    wire = open_wire()
    wire.server.asleep = True
    wire.client.engine.send("are you there?")
    wire.run(10)
    assert wire.server.messages == []
    assert wire.server.next_time() is None
    wire.server.asleep = False
    wire.settle()
    assert wire.server.messages == ["are you there?"]


def test_the_other_side_of_a_lost_transport_reads_what_was_on_its_way() -> None:
    wire = open_wire(wire={"up": Link(latency=1.0)})
    wire.client.engine.send("last words")
    wire.settle()
    wire.client.lose()
    wire.finish()
    assert wire.server.messages == ["last words"]
    assert wire.server.report.initiator is Initiator.NETWORK


def test_half_an_end() -> None:
    wire = open_wire()
    wire.client.engine.send("in time")
    wire.settle()
    wire.client.end()
    assert wire.server.messages == ["in time"]
    assert wire.server.report.initiator is Initiator.NETWORK
    wire.finish()
    assert wire.client.report.initiator is Initiator.NETWORK


def test_it_may_never_end() -> None:
    nothing = Timeouts(
        opening_timeout=None, ping_interval=None, pong_timeout=None, idle_timeout=None, closing_timeout=None
    )
    wire = open_wire(timeouts=nothing)
    with pytest.raises(Standstill):
        wire.finish()


# --- engines that break their contract --------------------------------------------------------------------------------


class Twice(ServerConnection):
    """Tells its end twice."""

    def receive_eof(self, now: float) -> list[Event]:
        return super().receive_eof(now) * 2


class Reworded(ServerConnection):
    """Tells another report than it has."""

    def receive_eof(self, now: float) -> list[Event]:
        return [Closed(replace(event.report)) for event in super().receive_eof(now) if isinstance(event, Closed)]


class Deaf(ServerConnection):
    """Does nothing when something is due."""

    def handle_timeout(self, now: float) -> list[Event]:
        return []


class Clinging(ServerConnection):
    """Waits for something when its transport is gone."""

    def next_deadline(self) -> float | None:
        return 9999.0


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Twice, "follows Closed"),
        (Reworded, "Closed told"),
        (Deaf, "a deadline is left"),
        (Clinging, "without a transport"),
    ],
)
def test_a_broken_engine_is_found_out(kind: type[ServerConnection], words: str) -> None:
    clock = VirtualClock()
    client = ClientConnection("ws://example.com/", entropy=Chance(1).randbytes, now=clock.now)
    wire = Wire(client, kind(now=clock.now), clock=clock)
    wire.open()

    def live() -> None:
        wire.run(60 * 60)
        wire.client.end()

    with pytest.raises(BrokenContract, match=words):
        live()


class Insatiable(ServerConnection):
    """Always has something due, and always tells something."""

    def next_deadline(self) -> float | None:
        return 0.0

    def handle_timeout(self, now: float) -> list[Event]:
        return [b"more"]


def test_input_that_never_ends_is_found_out() -> None:
    clock = VirtualClock()
    client = ClientConnection("ws://example.com/", entropy=Chance(1).randbytes, now=clock.now)
    wire = Wire(client, Insatiable(now=clock.now), clock=clock)
    with pytest.raises(BrokenContract, match="its input never ends"):
        wire.open()


def test_two_that_answer_one_another_for_ever_are_found_out() -> None:
    wire = open_wire()
    for side in wire.sides:
        side.react = side.engine.send  # type: ignore[assignment]  # every event is a message here
    wire.client.engine.send("hello")
    with pytest.raises(BrokenContract, match="it never comes to rest"):
        wire.settle()


def test_whose_application_keeps_to_itself_touches_nobody() -> None:
    """Then another wire on the same clock is not looked at before its time has come."""
    clock = VirtualClock()
    busy, idle = make_wire(clock=clock), make_wire(clock=clock)
    busy.open()
    idle.open()
    looks: list[float] = []
    idle.client.act = looks.append  # type: ignore[assignment]  # it is called whenever the wire is looked at
    for side in busy.sides:
        side.reaches_others = False
    busy.links[0].latency = 0.5
    busy.client.engine.send("one")
    clock.run(1.0)
    assert looks == [clock.now - 1.0]
    busy.server.reaches_others = True
    busy.client.engine.send("two")
    clock.run(1.0)
    assert looks == [clock.now - 2.0, clock.now - 1.0, clock.now - 0.5]
