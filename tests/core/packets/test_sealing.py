"""A pipeline in the engines of TCP and UDP peers: the same as over WebSocket, as far as there are codes to tell."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.packets.kit import START, entropy_of
from tests.core.pipeline.kit import KEY, OTHER_KEY, encrypting, ring
from wsproto_core import (
    Accepted,
    Closed,
    CloseReport,
    Compress,
    DatagramCodec,
    DatagramPeer,
    DatagramServer,
    Delimited,
    Encrypt,
    Event,
    FramesConnection,
    Initiator,
    KeyRing,
    LengthPrefixed,
    Limits,
    LocalProtocolError,
    Message,
    Netstring,
    OutboxFull,
    PerMessageDeflate,
    Pipeline,
    PipelineSession,
    PreparedMessage,
    Raw,
    Receive,
    Role,
    State,
    StreamCodec,
    StreamConnection,
    Timeouts,
    VarintPrefixed,
    Violation,
)
from wsproto_core._driver.sealing import sessions
from wsproto_core._packets.packet import parse_packet
from wsproto_core.testing import Chance, DatagramLink, DatagramNet, DatagramWire, Wire

TYPED: Final[list[Message]] = ["hello", "€" * 50, "", b"\x00\xff\n,", b"", b"x" * 150]
PIPELINES: Final = {"zlib": Pipeline(Compress()), "aes": encrypting(), "both": Pipeline(Compress(), Encrypt(ring()))}
every_pipeline = pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
STRANGER: Final = Pipeline(encrypt=Encrypt(KeyRing({1: OTHER_KEY})))


def session(
    role: Role, pipeline: Pipeline | None = None, *, ordered: bool = True, limits: Limits | None = None, seed: int = 0
) -> PipelineSession:
    pipeline = pipeline or encrypting()
    random = Random(f"{role} {seed}")
    return pipeline.session(random.randbytes, role=role, limits=limits or Limits(), ordered=ordered)


# --- codecs of TCP ----------------------------------------------------------------------------------------------------


def stream(role: Role, codec: StreamCodec, pipeline: Pipeline | None = None, **options: Any) -> StreamConnection:
    made = session(role, pipeline, limits=options.get("limits"))
    return StreamConnection(codec, pipeline=made, now=START, **options)


def stream_wire(
    codec: StreamCodec, pipeline: Pipeline | None = None, *, chunks: int | None = None, **options: Any
) -> Wire[StreamConnection, StreamConnection]:
    client, server = (stream(role, codec, pipeline, **options) for role in (Role.CLIENT, Role.SERVER))
    return Wire(client, server, chunks=chunks)


@every_pipeline
@pytest.mark.parametrize("chunks", [None, 1], ids=["whole", "bytewise"])
@pytest.mark.parametrize(
    "codec",
    [LengthPrefixed(1), LengthPrefixed(2, "little"), LengthPrefixed(), VarintPrefixed(), Netstring()],
    ids=lambda codec: type(codec).__name__,
)
def test_messages_go_both_ways_and_keep_their_type(codec: StreamCodec, pipeline: Pipeline, chunks: int | None) -> None:
    wire = stream_wire(codec, pipeline, chunks=chunks)
    for message in TYPED:
        wire.client.engine.send(message)
        wire.server.engine.send_prepared(PreparedMessage(message))
    wire.settle()
    assert wire.client.messages == wire.server.messages == TYPED
    assert wire.client.engine.statistics.messages_received == wire.server.engine.statistics.messages_sent == 6
    wire.client.engine.close()
    wire.finish()
    assert wire.server.report.violation is None


@pytest.mark.parametrize("codec", [Delimited(), Raw(), LengthPrefixed(text=True), Netstring(text=True)], ids=repr)
def test_codecs_that_cannot_carry_it(codec: StreamCodec) -> None:
    with pytest.raises(ValueError, match="codec: sealed messages are any bytes"):
        stream(Role.CLIENT, codec)


def test_what_the_length_cannot_tell_leaves_no_gap() -> None:
    wire = stream_wire(LengthPrefixed(1))
    send = wire.client.engine.send
    for size in (210, 1000, 210):  # 46 bytes more, and one byte tells 255
        with pytest.raises(LocalProtocolError, match=f"message: {size + 46} bytes once it is sealed.*room for 255"):
            send(bytes(size))
        send(bytes(209))
    assert wire.client.engine.statistics.messages_sent == 3
    wire.settle()
    assert wire.server.messages == [bytes(209)] * 3


def test_what_fits_once_it_is_compressed_is_sent() -> None:
    wire = stream_wire(LengthPrefixed(1), PIPELINES["both"])
    wire.client.engine.send("x" * 10_000)
    with pytest.raises(LocalProtocolError, match="room for 255"):
        wire.client.engine.send(Random(0).randbytes(300))
    wire.client.engine.send("next")
    wire.settle()
    assert wire.server.messages == ["x" * 10_000, "next"]


def test_codecs_know_their_largest_message() -> None:
    sizes = {codec.max_payload for codec in (VarintPrefixed(), Netstring(), Delimited(), Raw())}
    assert sizes == {None}
    for size, largest in ((1, 255), (2, 65_535), (4, 2**32 - 1), (8, 2**64 - 1)):
        assert LengthPrefixed(size).max_payload == largest  # type: ignore[arg-type]  # mypy sees any number
    assert len(LengthPrefixed(1).encode(bytes(255))) == 1
    with pytest.raises(LocalProtocolError, match="cannot tell 256 bytes"):
        LengthPrefixed(1).encode(bytes(256))


def test_no_other_refused_send_leaves_a_gap() -> None:
    wire = stream_wire(LengthPrefixed(), limits=Limits(outbox_size=50))
    send = cast(Callable[[Any], None], wire.client.engine.send)
    with pytest.raises(LocalProtocolError, match="lone surrogate"):
        send("\ud800")
    with pytest.raises(TypeError, match="message must be"):
        send(5)
    send("first")
    with pytest.raises(OutboxFull):
        send("no room")
    wire.settle()
    send("second")
    wire.settle()
    assert wire.server.messages == ["first", "second"]


@every_pipeline
def test_the_limit_is_that_of_the_message(pipeline: Pipeline) -> None:
    largest = Random(0).randbytes(1000)
    wire = stream_wire(LengthPrefixed(), pipeline, limits=Limits(message_size=1000))
    wire.client.engine.send(largest)
    wire.settle()
    assert wire.server.messages == [largest]
    wire.client.engine.send(largest + b"!")
    wire.finish()
    assert wire.server.report.violation is Violation.MESSAGE_TOO_BIG


def broken(events: list[Event]) -> CloseReport:
    """The report behind whatever else there is in a batch."""
    assert isinstance(events[-1], Closed)
    return events[-1].report


@pytest.mark.parametrize(
    ("sealed", "violation"),
    [
        (b"not sealed", Violation.NOT_SEALED),
        (session(Role.CLIENT, STRANGER).seal("wrong key"), Violation.BROKEN_SEAL),
        (session(Role.CLIENT, Pipeline(encrypt=Encrypt(KeyRing({7: KEY})))).seal("id"), Violation.UNKNOWN_KEY),
        (session(Role.SERVER).seal("reflected"), Violation.REFLECTED_MESSAGE),
        (session(Role.CLIENT).seal("repeated"), Violation.REPLAYED_MESSAGE),
    ],
    ids=lambda value: value.name if isinstance(value, Violation) else "",
)
def test_what_cannot_be_opened_is_a_violation(sealed: bytes, violation: Violation) -> None:
    codec = LengthPrefixed()
    server, client = stream(Role.SERVER, codec), session(Role.CLIENT)
    before = [client.seal("one"), client.seal("two")]
    wire = b"".join(buffer for data in (*before, sealed, client.seal("late")) for buffer in codec.encode(data))
    events = server.receive_data(wire, START)
    assert events[:-1] == ["one", "two"]
    report = broken(events)
    assert (report.violation, report.code, report.initiator) == (violation, 1008, Initiator.LOCAL)
    assert server.statistics.messages_received == 2
    # What came before can be answered; what comes behind is not read.
    server.send("answer")
    assert client.open(b"".join(server.data_to_send())[4:]) == "answer"
    assert server.receive_data(wire, START) == []
    assert server.half_close


def test_the_first_offence_counts() -> None:
    codec = VarintPrefixed()
    overlong = b"\x80\x00"
    for wire, violation in (
        (b"\x03bad" + overlong, Violation.NOT_SEALED),
        (overlong + b"\x03bad", Violation.VARINT_NOT_MINIMAL),
    ):
        server = stream(Role.SERVER, codec)
        events = server.receive_data(wire, START)
        assert len(events) == 1
        assert broken(events).violation is violation


def test_the_peer_sees_the_end() -> None:
    wire = stream_wire(LengthPrefixed())
    wire.client.inject(b"\x00\x00\x00\x03bad")
    wire.finish()
    assert (wire.server.report.violation, wire.server.report.code) == (Violation.NOT_SEALED, 1008)
    assert (wire.client.report.initiator, wire.client.report.code) == (Initiator.PEER, 1005)


def test_engines_take_a_session() -> None:
    pipeline: Any = encrypting()
    makers: list[Callable[[], object]] = [
        lambda: StreamConnection(LengthPrefixed(), pipeline=pipeline, now=START),
        lambda: FramesConnection(Role.CLIENT, pipeline=pipeline, now=START),
        lambda: DatagramPeer(entropy=entropy_of(0), pipeline=pipeline, now=START),
    ]
    for make in makers:
        with pytest.raises(TypeError, match="pipeline must be PipelineSession, not Pipeline"):
            make()


# --- WebSocket frames over TCP ----------------------------------------------------------------------------------------


def frames_wire(client: Pipeline | None = None, server: Pipeline | None = None, **options: Any) -> Wire[Any, Any]:
    entropy = entropy_of(1) if options.get("masked") else None
    limits = options.get("limits")
    return Wire(
        FramesConnection(
            Role.CLIENT, entropy=entropy, pipeline=session(Role.CLIENT, client, limits=limits), now=START, **options
        ),
        FramesConnection(
            Role.SERVER, pipeline=session(Role.SERVER, server or client, limits=limits), now=START, **options
        ),
    )


@every_pipeline
@pytest.mark.parametrize("masked", [False, True], ids=["bare", "masked"])
@pytest.mark.parametrize("extensions", [(), (PerMessageDeflate(threshold=0),)], ids=["plain", "deflated"])
def test_frames(pipeline: Pipeline, masked: bool, extensions: tuple[PerMessageDeflate, ...]) -> None:
    wire = frames_wire(pipeline, masked=masked, extensions=extensions, limits=Limits(message_size=150))
    for message in TYPED:
        wire.client.engine.send(message)
        wire.server.engine.send(message)
    wire.settle()
    assert wire.client.messages == wire.server.messages == TYPED


def test_frames_tell_both_sides() -> None:
    wire = frames_wire(encrypting(), STRANGER)
    wire.client.engine.send("hello")
    wire.finish()
    assert (wire.server.report.violation, wire.server.report.code) == (Violation.BROKEN_SEAL, 1008)
    assert (wire.client.report.initiator, wire.client.report.code) == (Initiator.PEER, 1008)


def test_frames_are_whole_messages() -> None:
    with pytest.raises(ValueError, match="receive: a pipeline opens whole messages"):
        frames_wire(receive=Receive.FRAGMENTS)


# --- datagrams --------------------------------------------------------------------------------------------------------

VERIFIED: Final = DatagramCodec()
TRUSTING: Final = DatagramCodec(verify=False)
BARE: Final = DatagramCodec(verify=False, header=False)


def client_of(codec: DatagramCodec, pipeline: Pipeline | None = None, seed: int = 1, **options: Any) -> DatagramPeer:
    made = session(Role.CLIENT, pipeline, ordered=False, seed=seed, limits=options.get("limits"))
    return DatagramPeer(codec, entropy=entropy_of(seed), pipeline=made, now=START, **options)


def server_of(codec: DatagramCodec, pipeline: Pipeline | None = None, **options: Any) -> DatagramServer:
    limits = options.get("limits", Limits())
    seal = sessions(pipeline or encrypting(), Role.SERVER, entropy_of(5), limits, ordered=False)
    return DatagramServer(codec, entropy=entropy_of(0), seal=seal, now=START, **options)


def opened(net: DatagramNet) -> None:
    net.clock.run_until(lambda: all(side.engine.state is State.OPEN for side in net.clients))


def messages_at(net: DatagramNet) -> list[Event]:
    return [event for _, event in net.server.events if isinstance(event, str | bytes)]


@every_pipeline
@pytest.mark.parametrize("codec", [VERIFIED, TRUSTING, BARE], ids=["verified", "unverified", "bare"])
def test_datagrams(pipeline: Pipeline, codec: DatagramCodec) -> None:
    net = DatagramNet(server_of(codec, pipeline))

    def answer(peer: DatagramPeer, event: Event) -> None:
        if isinstance(event, str | bytes):
            peer.send_prepared(PreparedMessage(event))

    net.server.react = answer
    sides = [net.join(client_of(codec, pipeline, seed)) for seed in (1, 2)]
    opened(net)
    for message in TYPED:
        for side in sides:
            side.engine.send(message)
        net.settle()
    for side in sides:
        assert side.messages == TYPED
        assert side.engine.statistics.malformed == 0
    assert sum(isinstance(event, Accepted) for _, event in net.server.events) == 2


@pytest.mark.parametrize("seed", range(10))
def test_a_bad_network(seed: int) -> None:
    """Without a header it is the pipeline that notices what comes twice."""
    there = DatagramLink(loss=0.2, duplication=0.2, reordering=0.2, delay=0.05, jitter=0.01, chance=Chance(seed))
    right = DatagramPeer(BARE, entropy=entropy_of(1), pipeline=session(Role.SERVER, ordered=False), now=START)
    wire = DatagramWire(client_of(BARE), right, there=there)
    for number in range(200):
        wire.left.engine.send(f"{number}")
        wire.run(0.01)
    wire.run(5)
    numbers = [int(str(message)) for message in wire.right.messages]
    assert sorted(numbers) == sorted(set(range(200)) - set(there.lost))
    assert numbers != sorted(numbers)
    assert right.statistics.malformed == len(there.log) - len(numbers) > 0
    assert right.state is State.OPEN


def bare_pair(**options: Any) -> tuple[DatagramPeer, DatagramPeer]:
    made = session(Role.SERVER, ordered=False, limits=options.get("limits"))
    server = DatagramPeer(BARE, entropy=entropy_of(2), pipeline=made, now=START, **options)
    return client_of(BARE, **options), server


def test_a_datagram_that_cannot_be_opened_is_dropped() -> None:
    client, server = bare_pair()
    client.send("one")
    (sealed,) = client.data_to_send(START)
    bad = [
        b"",
        b"not sealed",
        sealed[:-1] + b"\x00" if sealed[-1] else sealed[:-1] + b"\x01",
        sealed[:40],
        session(Role.CLIENT, STRANGER, ordered=False).seal("one"),
        session(Role.SERVER, ordered=False).seal("one"),
    ]
    for datagram in bad:
        assert server.receive_data(datagram, START) == []
    assert server.statistics.malformed == len(bad)
    assert server.receive_data(sealed, START) == ["one"]
    assert server.receive_data(sealed, START) == []
    assert server.statistics.malformed == len(bad) + 1
    assert (server.state, server.statistics.messages_received) == (State.OPEN, 1)


@given(st.binary(max_size=120))
def test_any_datagram_ends_nothing(datagram: bytes) -> None:
    client, server = bare_pair()
    assert server.receive_data(datagram, START) == []
    client.send("still there")
    assert server.receive_data(client.data_to_send(START)[0], START) == ["still there"]


def test_a_datagram_has_room_for_the_seal_too() -> None:
    codec = DatagramCodec(verify=False, header=False, datagram_size=1200)
    client, server = client_of(codec), bare_pair()[1]
    with pytest.raises(LocalProtocolError, match=r"message: 1201 bytes once it is sealed.*room for 1200"):
        client.send(bytes(1155))
    client.send(bytes(1154))
    client.send("next")
    first, second = client.data_to_send(START)
    assert len(first) == 1200
    assert [*server.receive_data(first, START), *server.receive_data(second, START)] == [bytes(1154), "next"]
    assert int.from_bytes(second[22:30], "big") == 1  # no counter was spent on what was not sent


def test_a_header_takes_room_as_ever() -> None:
    client = client_of(DatagramCodec(verify=False, datagram_size=1200))
    with pytest.raises(LocalProtocolError, match="room for 1183"):
        client.send(bytes(1183 - 45))
    client.send(bytes(1183 - 46))
    (datagram,) = client.data_to_send(START)
    packet = parse_packet(datagram)
    assert packet is not None
    assert len(packet.body) == 1183


def test_the_limit_of_a_datagram_is_that_of_its_message() -> None:
    client, server = bare_pair(limits=Limits(message_size=100))
    for size in (100, 101):
        client.send(bytes(size))
    first, second = client.data_to_send(START)
    assert server.receive_data(first, START) == [bytes(100)]
    assert server.receive_data(second, START) == []
    assert server.statistics.oversized == 1


def test_refused_datagrams_spend_nothing() -> None:
    client, server = bare_pair(limits=Limits(outbox_size=40))
    send = cast(Callable[[Any], None], client.send)
    with pytest.raises(LocalProtocolError, match="lone surrogate"):
        send("\ud800")
    with pytest.raises(TypeError, match="message must be"):
        send(5)
    send("one")
    with pytest.raises(OutboxFull):
        send("two")
    (datagram,) = client.data_to_send(START)
    assert datagram[22:30] == bytes(8)
    assert server.receive_data(datagram, START) == ["one"]
    early = client_of(VERIFIED)
    with pytest.raises(LocalProtocolError, match="not open yet"):
        early.send("early")


def test_text_is_no_codec_for_it() -> None:
    codec = DatagramCodec(text=True)
    with pytest.raises(ValueError, match="codec: sealed messages are any bytes, and no text"):
        client_of(codec)
    with pytest.raises(ValueError, match="codec: sealed messages are any bytes, and no text"):
        server_of(codec)  # at once, and not when somebody comes
    assert DatagramServer(codec, entropy=entropy_of(0), now=START).codec is codec


def test_pings_and_goodbyes_are_not_sealed() -> None:
    net = DatagramNet(server_of(VERIFIED))
    side = net.join(client_of(VERIFIED, timeouts=Timeouts(ping_interval=None)))
    opened(net)
    side.engine.ping()
    net.settle()
    assert side.engine.statistics.pongs_received == 1
    side.engine.close(4000, "enough")
    net.settle()
    assert [event.report.code for _, event in net.server.events if isinstance(event, Closed)] == [4000]


def test_a_server_that_was_started_anew_does_not_understand_an_old_session() -> None:
    """What the how-to says: no message comes through, and nothing is mistaken for one."""
    client, server = bare_pair()
    for source, target in ((client, server), (server, client)):
        source.send("hello")
        assert target.receive_data(source.data_to_send(START)[0], START) == ["hello"]
    anew = DatagramPeer(BARE, entropy=entropy_of(3), pipeline=session(Role.SERVER, ordered=False, seed=9), now=START)
    client.send("still there?")
    assert anew.receive_data(client.data_to_send(START)[0], START) == []
    anew.send("yes")
    assert client.receive_data(anew.data_to_send(START)[0], START) == []
    assert (client.statistics.malformed, anew.statistics.malformed) == (1, 1)
