"""A pipeline in the engines of WebSocket: what is sent is sealed, and what cannot be opened is a violation."""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.pipeline.kit import CIPHERS, KEY, OTHER_KEY, encrypting, ring
from tests.driver.wire import START, Side, Wire, make_client, make_server, make_wire
from wsproto_core import (
    Accepted,
    Closed,
    CloseReport,
    Compress,
    Encrypt,
    Headers,
    Initiator,
    KeyRing,
    Limits,
    LocalProtocolError,
    Message,
    Opcode,
    OutboxFull,
    PerMessageDeflate,
    Ping,
    Pipeline,
    PipelineSession,
    Pong,
    PreparedMessage,
    Receive,
    Request,
    Role,
    ServerConnection,
    State,
    Timeouts,
    Violation,
)
from wsproto_core._driver.sealing import sessions
from wsproto_core.frames import Frame, parse_frames
from wsproto_core.testing import Chunks

MASK: Final = b"mask"
TEXTS: Final[list[Message]] = ["hello", "€" * 100, "", b"\x00\xff", b"", b"x" * 5000]
PIPELINES: Final = {
    "zlib": Pipeline(Compress()),
    "aes": encrypting(),
    "chacha": Pipeline(encrypt=Encrypt(ring(), CIPHERS[1])),
    "both": Pipeline(Compress(threshold=0), Encrypt(ring())),
}
every_pipeline = pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)


def session(pipeline: Pipeline, role: Role, limits: Limits | None = None, seed: int = 0) -> PipelineSession:
    random = Random(f"{role} {seed}")
    return pipeline.session(random.randbytes, role=role, limits=limits or Limits(), ordered=True)


def sealed_wire(
    client: Pipeline | None,
    server: Pipeline | None = None,
    *,
    chunks: Chunks = None,
    limits: Limits | None = None,
    **both: Any,
) -> Wire:
    """An open wire with a pipeline at each end; without another one for the server, the same."""
    limits = limits or Limits()
    pipelines = {Role.CLIENT: client, Role.SERVER: server or client}
    made = {role: None if one is None else session(one, role, limits) for role, one in pipelines.items()}
    wire = make_wire(
        chunks,
        client={"pipeline": made[Role.CLIENT]},
        server={"pipeline": made[Role.SERVER]},
        limits=limits,
        **both,
    )
    wire.open()
    for side in wire.sides:
        side.events.clear()
    return wire


def exchange(wire: Wire, sender: Side, *messages: Message) -> list[Any]:
    for message in messages:
        sender.engine.send(message)
    wire.settle()
    return wire.server.messages if sender is wire.client else wire.client.messages


def ends(wire: Wire) -> tuple[CloseReport, CloseReport]:
    """How it ended for the client, and for the server."""
    wire.finish()
    return wire.client.report, wire.server.report


# --- what crosses -----------------------------------------------------------------------------------------------------


@every_pipeline
@pytest.mark.parametrize("compression", [None, PerMessageDeflate(threshold=0)], ids=["bare", "deflated"])
def test_messages_go_both_ways(pipeline: Pipeline, compression: PerMessageDeflate | None, chunks: Chunks) -> None:
    extensions = [] if compression is None else [compression]
    wire = sealed_wire(pipeline, chunks=chunks, extensions=extensions)
    assert exchange(wire, wire.client, *TEXTS) == TEXTS
    assert exchange(wire, wire.server, *TEXTS) == TEXTS
    assert wire.states() == [State.OPEN, State.OPEN]
    assert [side.engine.statistics.messages_received for side in wire.sides] == [6, 6]
    assert wire.client.engine.extensions == tuple(extension.name for extension in extensions)


def test_nothing_of_a_message_shows() -> None:
    wire = sealed_wire(encrypting())
    exchange(wire, wire.client, "attack at dawn")
    (frame,) = wire.client.frames()
    assert (frame.opcode, len(frame.payload)) == (Opcode.BINARY, 14 + 46)
    assert b"attack" not in bytes(wire.client.outgoing.log)
    assert b"attack" not in frame.payload


def test_the_handshake_is_the_same() -> None:
    heads = []
    for pipeline in (None, encrypting()):
        wire = sealed_wire(pipeline)
        heads.append([bytes(link.log) for link in wire.links])
    assert heads[0] == heads[1]


def test_control_frames_are_as_ever() -> None:
    wire = sealed_wire(encrypting())
    wire.client.engine.ping(b"are you there?")
    wire.settle()
    assert wire.server.told(Ping) == [Ping(b"are you there?")]
    assert [pong.payload for pong in wire.client.told(Pong)] == [b"are you there?"]
    wire.client.engine.close(4000, "bye")
    client, server = ends(wire)
    assert (client.code, server.code, server.reason, server.violation) == (4000, 4000, "bye", None)


def test_large_messages_leave_in_fragments() -> None:
    wire = sealed_wire(encrypting(), fragment_size=1000)
    message = Random(0).randbytes(10_000)
    assert exchange(wire, wire.client, message, "next") == [message, "next"]
    assert len(wire.client.frames()) == 12


def test_a_prepared_message_is_sealed_for_each() -> None:
    wires = [sealed_wire(encrypting()), sealed_wire(PIPELINES["chacha"]), sealed_wire(None)]
    for message in ("text", b"bytes"):
        prepared = PreparedMessage(message)
        for wire in wires:
            wire.server.engine.send_prepared(prepared)
            wire.settle()
    assert [wire.client.messages for wire in wires] == [["text", b"bytes"]] * 3
    frames = [wire.server.frames()[0].payload for wire in wires]
    assert len(set(frames)) == 3
    assert wires[0].server.engine.statistics.messages_sent == 2


def test_a_rotation_in_the_middle() -> None:
    rings = [ring(), ring()]
    wire = sealed_wire(*(Pipeline(encrypt=Encrypt(keys)) for keys in rings))
    exchange(wire, wire.client, "old")
    steps: list[Callable[[KeyRing], None]] = [
        lambda keys: keys.add(2, OTHER_KEY),
        lambda keys: keys.use(2),
        lambda keys: keys.remove(1),
    ]
    for step in steps:
        for keys in rings:
            step(keys)
            exchange(wire, wire.client, "on")
            exchange(wire, wire.server, "on")
    assert wire.server.messages == ["old", *["on"] * 6]
    assert wire.client.messages == ["on"] * 6
    assert wire.client.frames()[-1].payload[2:6] == b"\x00\x00\x00\x02"


def test_a_key_that_is_gone() -> None:
    keys = ring()
    wire = sealed_wire(encrypting(), Pipeline(encrypt=Encrypt(keys)))
    keys.add(2, OTHER_KEY)
    keys.use(2)
    keys.remove(1)
    wire.client.engine.send("old")
    client, server = ends(wire)
    assert (server.violation, server.detail) == (Violation.UNKNOWN_KEY, "key 1")
    assert client.received_code == 1008


def test_a_request_that_somebody_else_has_parsed() -> None:
    headers = Headers({"Host": "example.com", "Sec-WebSocket-Version": "13"})
    request = Request(method="CONNECT", protocol="websocket", http_version="2", target="/", headers=headers)
    server = ServerConnection.from_request(request, pipeline=session(encrypting(), Role.SERVER), now=START)
    server.accept()
    client = session(encrypting(), Role.CLIENT)
    assert server.receive_data(bytes(Frame(Opcode.BINARY, client.seal("hi"), mask=MASK)), START) == ["hi"]
    server.send("ho")
    (frame,) = parse_frames(b"".join(server.data_to_send()))
    assert client.open(frame.payload) == "ho"


def test_what_comes_with_the_answer_is_opened_as_well() -> None:
    client = make_client(pipeline=session(encrypting(), Role.CLIENT))
    server = make_server(pipeline=session(encrypting(), Role.SERVER))
    client.connect()
    server.receive_data(b"".join(client.data_to_send()), START)
    server.accept()
    server.send("welcome")
    accepted, message = client.receive_data(b"".join(server.data_to_send()), START)
    assert isinstance(accepted, Accepted)
    assert message == "welcome"


# --- limits -----------------------------------------------------------------------------------------------------------


@every_pipeline
@pytest.mark.parametrize("extensions", [[], [PerMessageDeflate(threshold=0)]], ids=["bare", "deflated"])
def test_the_limit_is_that_of_the_message(pipeline: Pipeline, extensions: list[Any]) -> None:
    limits = Limits(message_size=1000)
    wire = sealed_wire(pipeline, limits=limits, extensions=extensions)
    largest = Random(0).randbytes(1000)
    assert exchange(wire, wire.client, largest, b"x" * 1000) == [largest, b"x" * 1000]
    wire.client.engine.send(largest + b"!")
    client, server = ends(wire)
    # Where permessage-deflate inflates it, it is that which notices.
    assert server.violation in (Violation.MESSAGE_TOO_BIG, Violation.INFLATED_TOO_BIG)
    assert client.received_code == 1009


def test_without_a_limit() -> None:
    wire = sealed_wire(encrypting(), limits=Limits(message_size=None))
    assert exchange(wire, wire.client, bytes(2**20 + 1)) == [bytes(2**20 + 1)]


def test_a_bomb() -> None:
    wire = sealed_wire(PIPELINES["zlib"], limits=Limits(message_size=10_000))
    wire.client.engine.send(bytes(10_001))
    client, server = ends(wire)
    assert (server.violation, client.received_code) == (Violation.MESSAGE_TOO_BIG, 1009)
    assert len(wire.client.frames()[0].payload) < 100


# --- what is refused to the application, and leaves no gap ------------------------------------------------------------


def refused_sends(wire: Wire) -> list[str]:
    """Provoke every refusal of a send; return their words."""
    words = []
    engine = wire.client.engine
    attempts: list[Any] = [
        lambda: engine.send("\ud800"),
        lambda: engine.send(5),  # type: ignore[arg-type]  # the caller lies on purpose
        lambda: engine.send("first, please", urgent=True),
        lambda: engine.send_fragment("part", final=False),
        lambda: engine.send_fragment(b"whole", final=True),
    ]
    for attempt in attempts:
        with pytest.raises((LocalProtocolError, TypeError)) as refused:
            attempt()
        words.append(str(refused.value))
    return words


@every_pipeline
def test_a_refused_send_leaves_no_gap(pipeline: Pipeline) -> None:
    wire = sealed_wire(pipeline)
    exchange(wire, wire.client, "before")
    expected = ("lone surrogate", "must be str", "urgent", "whole messages", "whole messages")
    for words, part in zip(refused_sends(wire), expected, strict=True):
        assert part in words
    assert exchange(wire, wire.client, "after") == ["before", "after"]
    assert wire.client.engine.statistics.messages_sent == 2


def test_a_full_outbox_leaves_no_gap() -> None:
    wire = sealed_wire(encrypting(), limits=Limits(outbox_size=100))
    wire.client.engine.send(b"x" * 60)
    with pytest.raises(OutboxFull):
        wire.client.engine.send("no room")
    with pytest.raises(OutboxFull):
        wire.client.engine.send_prepared(PreparedMessage("no room"))
    wire.settle()
    assert exchange(wire, wire.client, "room again") == [b"x" * 60, "room again"]


def test_before_it_is_open_and_after_it_is_closed() -> None:
    wire = make_wire(
        client={"pipeline": session(encrypting(), Role.CLIENT)}, server={"pipeline": session(encrypting(), Role.SERVER)}
    )
    with pytest.raises(LocalProtocolError, match="not open yet"):
        wire.client.engine.send("early")
    wire.open()
    exchange(wire, wire.client, "first")
    assert wire.server.messages == ["first"]
    wire.client.engine.close()
    with pytest.raises(LocalProtocolError, match="close"):
        wire.client.engine.send("late")
    assert [report.violation for report in ends(wire)] == [None, None]


@given(st.lists(st.sampled_from(["send", "large", "refused", "prepared", "ping", "full", "settle"]), max_size=30))
def test_whatever_fails_what_was_taken_arrives(steps: list[str]) -> None:
    wire = sealed_wire(PIPELINES["both"], limits=Limits(outbox_size=2000), fragment_size=500)
    engine, taken = wire.client.engine, []
    for number, step in enumerate(steps):
        message = f"{step} {number} " + ("x" * 1500 if step == "large" else "")
        try:
            match step:
                case "send" | "large":
                    engine.send(message)
                case "prepared":
                    engine.send_prepared(PreparedMessage(message))
                case "full":
                    message += Random(number).randbytes(1500).hex()
                    engine.send(message)
                case "ping":
                    engine.ping()
                    continue
                case "settle":
                    wire.settle()
                    continue
                case "refused":
                    refuse_two(engine)
                    continue
            taken.append(message)
        except OutboxFull:
            pass
    wire.settle()
    assert wire.server.messages == taken
    assert wire.states() == [State.OPEN, State.OPEN]


def refuse_two(engine: Any) -> None:
    for message, options in (("\ud800", {}), ("x", {"urgent": True})):
        with pytest.raises(LocalProtocolError):
            engine.send(message, **options)


# --- what cannot be opened --------------------------------------------------------------------------------------------


def binary(payload: bytes) -> bytes:
    return bytes(Frame(Opcode.BINARY, payload, mask=MASK))


def tampered(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


def bad_messages() -> dict[str, tuple[bytes, Violation]]:
    """Frames that a client sends as its second message, and what is wrong with them."""
    client = session(encrypting(), Role.CLIENT)
    first, second = client.seal("first"), client.seal("second")
    stranger = session(Pipeline(encrypt=Encrypt(KeyRing({1: OTHER_KEY}))), Role.CLIENT)
    unknown = session(Pipeline(encrypt=Encrypt(KeyRing({9: KEY}))), Role.CLIENT)
    elsewhere = session(encrypting(), Role.CLIENT, seed=1)
    mirror = session(encrypting(), Role.SERVER)
    return {
        "unsealed bytes": (binary(b"second"), Violation.NOT_SEALED),
        "unsealed text": (bytes(Frame(Opcode.TEXT, b"second", mask=MASK)), Violation.NOT_SEALED),
        "empty": (binary(b""), Violation.NOT_SEALED),
        "not encrypted": (binary(b"\x01\x00second"), Violation.NOT_SEALED),
        "tampered": (binary(tampered(second)), Violation.BROKEN_SEAL),
        "wrong key": (binary(stranger.seal("second")), Violation.BROKEN_SEAL),
        "unknown key": (binary(unknown.seal("second")), Violation.UNKNOWN_KEY),
        "repeated": (binary(first), Violation.REPLAYED_MESSAGE),
        "left out": (binary(client.seal("third")), Violation.REPLAYED_MESSAGE),
        "recorded elsewhere": (binary(elsewhere.seal("first")), Violation.REPLAYED_MESSAGE),
        "reflected": (binary(mirror.seal("second")), Violation.REFLECTED_MESSAGE),
    }


every_bad_message = pytest.mark.parametrize("name", bad_messages())


def open_server(**options: Any) -> tuple[ServerConnection, PipelineSession]:
    """A server that has opened the client's first message, and the client's session."""
    client, server = make_client(), make_server(pipeline=session(encrypting(), Role.SERVER), **options)
    client.connect()
    server.receive_data(b"".join(client.data_to_send()), START)
    server.accept()
    server.data_to_send()
    mine = session(encrypting(), Role.CLIENT)
    assert server.receive_data(binary(mine.seal("first")), START) == ["first"]
    return server, mine


@every_bad_message
def test_it_is_a_violation_like_any_other(name: str) -> None:
    frame, violation = bad_messages()[name]
    server, _ = open_server()
    (closed,) = server.receive_data(frame, START)
    assert isinstance(closed, Closed)
    report = closed.report
    assert report is server.close_report
    assert (report.violation, report.code, report.sent_code) == (violation, 1008, 1008)
    assert (report.initiator, report.received_code) == (Initiator.LOCAL, None)
    (close,) = parse_frames(b"".join(server.data_to_send()))
    assert close.payload[:2] == (1008).to_bytes(2, "big")
    assert violation.words in close.payload[2:].decode()
    # Nothing that follows is read.
    assert server.receive_data(frame, START) == []
    assert server.statistics.messages_received == 1


def test_what_came_before_in_the_same_read_is_delivered() -> None:
    server, mine = open_server()
    ping, late = (bytes(Frame(Opcode.PING, word, mask=MASK)) for word in (b"before", b"behind"))
    good, bad, behind = (binary(data) for data in (mine.seal("good"), b"bad", mine.seal("behind")))
    close = bytes(Frame(Opcode.CLOSE, b"\x03\xe8", mask=MASK))
    events = server.receive_data(ping + good + bad + late + behind + close, START)
    assert events[:2] == [Ping(b"before"), "good"]
    assert len(events) == 3
    assert server.state is State.CLOSING
    assert server.statistics.messages_received == 2
    assert server.statistics.pings_received == 1
    # It can still be answered, and then comes the goodbye.
    server.send("answer")
    pong, answer, goodbye = parse_frames(b"".join(server.data_to_send()))
    assert (pong.opcode, pong.payload) == (Opcode.PONG, b"before")
    assert mine.open(answer.payload) == "answer"
    assert (goodbye.opcode, goodbye.payload[:2]) == (Opcode.CLOSE, (1008).to_bytes(2, "big"))


def test_pulled_messages_are_answered_before_the_goodbye() -> None:
    server, mine = open_server(timeouts=Timeouts(closing_timeout=10.0))
    assert len(server.gather(server.receive_data(binary(mine.seal("question")) + binary(b"bad"), START))) == 1
    assert server.data_to_send() == []
    assert server.next_message() == "question"
    server.send("answer")
    assert server.next_message() is None
    answer, goodbye = parse_frames(b"".join(server.data_to_send()))
    assert mine.open(answer.payload) == "answer"
    assert goodbye.opcode == Opcode.CLOSE


def test_the_first_offence_counts() -> None:
    server, mine = open_server()
    events = server.receive_data(binary(b"bad") + b"\xff\xff", START)
    assert server.close_report is not None
    assert server.close_report.violation is Violation.NOT_SEALED
    assert len(events) == 1
    other, mine = open_server()
    assert other.receive_data(binary(mine.seal("good")) + b"\xff\xff" + binary(b"bad"), START)[0] == "good"
    assert other.close_report is not None
    assert other.close_report.violation is Violation.RESERVED_OPCODE


@pytest.mark.parametrize("with_pipeline", ["client", "server"])
def test_a_peer_without_a_pipeline(with_pipeline: str) -> None:
    made = {"client": session(encrypting(), Role.CLIENT), "server": session(encrypting(), Role.SERVER)}
    options = {side: {"pipeline": one} if side == with_pipeline else {} for side, one in made.items()}
    wire = make_wire(client=options["client"], server=options["server"])
    wire.open()
    sealing, bare = (wire.client, wire.server) if with_pipeline == "client" else (wire.server, wire.client)
    sealing.engine.send("sealed")
    wire.settle()
    (message,) = bare.messages
    assert isinstance(message, bytes)
    assert len(message) == 6 + 46
    bare.engine.send("bare")
    told: dict[str, CloseReport] = dict(zip(("client", "server"), ends(wire), strict=True))
    assert told.pop(with_pipeline).violation is Violation.NOT_SEALED
    (other,) = told.values()
    assert (other.initiator, other.received_code, other.violation) == (Initiator.PEER, 1008, None)
    assert "not sealed" in other.reason


def test_a_wrong_key_is_told_to_both() -> None:
    wire = sealed_wire(encrypting(), Pipeline(encrypt=Encrypt(KeyRing({1: OTHER_KEY}))))
    wire.client.engine.send("hello")
    client, server = ends(wire)
    assert (server.violation, server.code, server.detail) == (Violation.BROKEN_SEAL, 1008, "key 1")
    assert (client.initiator, client.code) == (Initiator.PEER, 1008)
    assert "sealed with another key" in client.reason


def test_while_this_side_closes_it_is_noticed_too() -> None:
    server, mine = open_server()
    server.close(1001)
    events = server.receive_data(binary(mine.seal("good")) + binary(b"bad"), START)
    assert events[0] == "good"
    assert server.close_report is not None
    assert server.close_report.violation is Violation.NOT_SEALED


def test_early_messages_may_be_refused() -> None:
    careful = Pipeline(encrypt=Encrypt(ring(), accepts_early=False))
    wire = sealed_wire(encrypting(), careful)
    exchange(wire, wire.server, "welcome")
    assert exchange(wire, wire.client, "thanks") == ["thanks"]
    hasty = sealed_wire(encrypting(), careful)
    hasty.client.engine.send("thanks")
    assert ends(hasty)[1].violation is Violation.REPLAYED_MESSAGE


def test_the_report_tells_when() -> None:
    server, _ = open_server()
    server.receive_data(binary(b"bad"), START + 5)
    assert server.close_report is not None
    assert server.close_report.at == START + 5


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_key_shows() -> None:
    keys = KeyRing({1: KEY})
    pipeline = Pipeline(encrypt=Encrypt(keys))
    wire = sealed_wire(pipeline, Pipeline(encrypt=Encrypt(KeyRing({1: OTHER_KEY}))))
    wire.client.engine.send("hello")
    shown = [*map(repr, ends(wire)), repr(pipeline), repr(wire.client.engine), *map(repr, wire.server.events)]
    shown += [repr(vars(engine)) for engine in (wire.client.engine, wire.server.engine)]
    for key in (KEY, OTHER_KEY):
        assert not any(spelt in text for text in shown for spelt in (repr(key)[2:20], key.hex(), key.hex(" ")))


# --- what does not go together ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("receive", [Receive.FRAGMENTS, Receive.CHUNKS])
def test_only_whole_messages(receive: Receive) -> None:
    with pytest.raises(ValueError, match="receive: a pipeline opens whole messages"):
        make_server(pipeline=session(encrypting(), Role.SERVER), receive=receive)


def test_options_take_a_pipeline_and_engines_a_session() -> None:
    not_a_pipeline: Any = ring()
    with pytest.raises(TypeError, match="pipeline must be Pipeline, not KeyRing"):
        sessions(not_a_pipeline, Role.CLIENT, os.urandom, Limits(), ordered=True)
    for make in (make_server, make_client):
        with pytest.raises(TypeError, match="pipeline must be PipelineSession, not Pipeline"):
            make(pipeline=encrypting())


def test_each_connection_has_its_own_session() -> None:
    make = {role: sessions(encrypting(), role, os.urandom, Limits(), ordered=True) for role in Role}
    seen = set()
    for _ in range(3):
        wire = make_wire(client={"pipeline": make[Role.CLIENT]()}, server={"pipeline": make[Role.SERVER]()})
        wire.open()
        exchange(wire, wire.client, "hello")
        exchange(wire, wire.server, "hello")
        assert wire.states() == [State.OPEN, State.OPEN]
        seen |= {side.frames()[0].payload[6:22] for side in wire.sides}
    assert len(seen) == 6


def test_without_a_pipeline_there_are_no_sessions() -> None:
    assert sessions(None, Role.CLIENT, os.urandom, Limits(), ordered=True)() is None
