"""Reads that expand: what one of them yields is bounded, and nothing else changes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.driver.wire import START, make_client, make_server, shake_hands
from wsproto_core import (
    Accepted,
    ByteEngine,
    Closed,
    CloseReport,
    Compress,
    Event,
    Fragment,
    FramesConnection,
    Initiator,
    LengthPrefixed,
    Limits,
    Message,
    Netstring,
    PerMessageDeflate,
    Ping,
    Pipeline,
    PipelineSession,
    Pong,
    Receive,
    Role,
    State,
    StreamConnection,
    Timeouts,
    Violation,
)
from wsproto_core.frames import Frame, parse_frames
from wsproto_core.testing import Wire

MIB: Final = 1 << 20
#: What a batch may yield beyond its room: the slice that fills it, and the message that ends in it.
SLICE: Final = 2048 * 1032
DEFLATE: Final = PerMessageDeflate(threshold=0)
ZLIB: Final = Pipeline(Compress(threshold=0))
ZSTD: Final = Pipeline(Compress("zstd", threshold=0))


@dataclass(frozen=True)
class Kind:
    """What is spoken, and where messages expand in it."""

    make: Callable[..., Any]
    pipeline: Pipeline | None = None
    extensions: Sequence[PerMessageDeflate] = ()

    def engine(self, role: Role, limits: Limits | None = None, **options: Any) -> Any:
        limits = limits or Limits()
        if self.make is StreamConnection:
            first: Any = LengthPrefixed(4)
        else:
            first = role
            options |= {"extensions": self.extensions}
        session = None
        if self.pipeline is not None:
            session = self.pipeline.session(Random(0).randbytes, role=role, limits=limits, ordered=True)
        return self.make(first, limits=limits, pipeline=session, now=START, **options)

    def wire(self, messages: Iterable[Message], sender: Role = Role.CLIENT, *, closes: bool = False) -> bytes:
        """The bytes of ``messages``, and of an ordinary close behind them."""
        engine = self.engine(sender, Limits(outbox_size=1 << 40))
        for message in messages:
            engine.send(message)
        if closes:
            engine.close(4000, "bye")
        return sent(engine)


KINDS: Final = {
    "deflate": Kind(FramesConnection, None, [DEFLATE]),
    "zlib": Kind(FramesConnection, ZLIB),
    "zstd": Kind(FramesConnection, ZSTD),
    "both": Kind(FramesConnection, ZLIB, [DEFLATE]),
    "codec": Kind(StreamConnection, ZLIB),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
every_frames = pytest.mark.parametrize("kind", list(KINDS.values())[:-1], ids=list(KINDS)[:-1])
#: Small numbers, so that the tests are quick.
LIMITS: Final = Limits(inbox_size=100_000)
ZEROS: Final[list[Message]] = [bytes(30_000 + number) for number in range(40)]
MANY: Final = ZEROS * 10


def sent(engine: ByteEngine) -> bytes:
    return b"".join(buffer for batch in iter(engine.data_to_send, []) for buffer in batch)


def is_due(engine: ByteEngine, now: float = START) -> bool:
    deadline = engine.next_deadline()
    return deadline is not None and deadline <= now


def batches(engine: ByteEngine, data: bytes, now: float = START) -> Iterator[list[Event]]:
    """What a driver gets that pushes: of the read, and of the time limits that are due at once."""
    yield engine.receive_data(data, now)
    while is_due(engine, now):
        yield engine.handle_timeout(now)


def pushed(engine: ByteEngine, data: bytes) -> list[Event]:
    return [event for batch in batches(engine, data) for event in batch]


def size_of(events: Iterable[Event]) -> int:
    data = (event.data if isinstance(event, Fragment) else event for event in events)
    return sum(len(item) for item in data if isinstance(item, str | bytes))


def lengths(events: Iterable[object]) -> list[int | str]:
    """What tells messages apart here, so that no failure prints megabytes."""
    return [len(event) if isinstance(event, str | bytes) else type(event).__name__ for event in events]


@dataclass
class Puller:
    """A driver that pulls, whose application takes messages when it likes."""

    engine: Any
    told: list[Event] = field(default_factory=list)
    messages: list[Message | Fragment] = field(default_factory=list)
    now: float = START

    def __post_init__(self) -> None:
        assert self.engine.gather([]) == []  # from now on there is an inbox

    def feed(self, data: bytes) -> None:
        self.told += self.engine.gather(self.engine.receive_data(data, START))
        self.run()

    def run(self) -> int:
        """Do what is due, and return how often something was."""
        count = 0
        while is_due(self.engine, self.now):
            self.told += self.engine.gather(self.engine.handle_timeout(self.now))
            count += 1
        return count

    def take(self) -> bool:
        """Take a message, if there is one."""
        message = self.engine.next_message()
        if message is not None:
            self.messages.append(message)
        return message is not None

    def drain(self) -> None:
        """Take everything, one by one, as it comes."""
        while self.take():
            self.run()

    @property
    def report(self) -> CloseReport:
        (event,) = self.told
        assert isinstance(event, Closed)
        return event.report


# --- how much ---------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("role", Role)
def test_a_read_yields_one_batch_after_the_other(kind: Kind, role: Role) -> None:
    sender = Role.SERVER if role is Role.CLIENT else Role.CLIENT
    engine = kind.engine(role, LIMITS)
    parts = list(batches(engine, kind.wire(ZEROS, sender)))
    assert lengths(message for part in parts for message in part) == lengths(ZEROS)
    assert len(parts) > 1 or kind is KINDS["deflate"]  # one slice may hold it all
    bound = LIMITS.inbox_size + (SLICE if kind.extensions and not kind.pipeline else max(map(len, ZEROS)))
    assert max(map(size_of, parts)) <= bound
    assert engine.statistics.messages_received == len(ZEROS)
    assert engine.wants_read


@pytest.mark.parametrize(
    ("name", "count"), [("deflate", 150), ("zlib", 40), ("zstd", 400), ("both", 150), ("codec", 40)]
)
def test_memory_is_bounded(name: str, count: int) -> None:
    """With the default limits. The most that is held is a batch, its last slice, and a message that is gathered."""
    kind = KINDS[name]
    wire = kind.wire([bytes(MIB - 100)] * count)
    assert len(wire) < 200_000
    engine = kind.engine(Role.SERVER)
    received = 0
    tracemalloc.start()
    try:
        for batch in batches(engine, wire):
            received += len(batch)
            del batch
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert received == count
    assert peak < 8 * MIB


def test_only_what_can_expand_waits() -> None:
    """Where the peer has to send every byte, the read is the bound, and one call yields all of it."""
    for kind in (Kind(FramesConnection), Kind(StreamConnection)):
        engine = kind.engine(Role.SERVER, Limits(inbox_size=1))
        assert lengths(engine.receive_data(kind.wire(ZEROS), START)) == lengths(ZEROS)
        assert engine.wants_read
        assert not is_due(engine)


@every_kind
def test_while_the_rest_waits_nothing_is_read(kind: Kind) -> None:
    engine = kind.engine(Role.SERVER, Limits(inbox_size=1))
    wire = kind.wire(ZEROS * 4)
    events = engine.receive_data(wire, START)
    assert 0 < len(events) < len(ZEROS * 4)
    assert not engine.wants_read
    assert engine.next_deadline() == START
    events += engine.receive_data(b"", START)
    while not engine.wants_read:
        events += engine.handle_timeout(START)
    assert lengths(events) == lengths(ZEROS * 4)
    assert engine.next_deadline() != START


@every_kind
def test_what_comes_meanwhile_waits_behind(kind: Kind) -> None:
    engine = kind.engine(Role.SERVER, LIMITS)
    data = kind.wire(MANY)
    events: list[Event] = []
    for start in range(0, len(data), 5000):
        batch = engine.receive_data(data[start : start + 5000], START)
        assert size_of(batch) <= LIMITS.inbox_size + SLICE
        events += batch
    assert not engine.wants_read
    while is_due(engine):
        events += engine.handle_timeout(START)
    assert lengths(events) == lengths(MANY)


# --- pulled -----------------------------------------------------------------------------------------------------------


@every_kind
def test_the_inbox_fills_to_its_mark_and_no_further(kind: Kind) -> None:
    puller = Puller(kind.engine(Role.SERVER, LIMITS))
    puller.feed(kind.wire(MANY))
    waiting = puller.engine._inbox.size  # the only way to see memory that nobody has asked for
    assert LIMITS.inbox_size <= waiting <= LIMITS.inbox_size + SLICE
    assert not puller.engine.wants_read
    assert not is_due(puller.engine)
    assert puller.engine.handle_timeout(START) == []
    assert puller.engine.receive_data(b"", START) == []
    rounds = 0
    while puller.take():
        rounds += puller.run() > 0
    assert lengths(puller.messages) == lengths(MANY)
    assert rounds > 1
    assert puller.engine.wants_read


@every_kind
def test_the_rest_goes_on_once_the_inbox_is_half_empty(kind: Kind) -> None:
    puller = Puller(kind.engine(Role.SERVER, LIMITS))
    puller.feed(kind.wire(MANY))
    while puller.take() and not is_due(puller.engine):
        assert not puller.engine.wants_read
    assert puller.engine._inbox.size <= LIMITS.inbox_size // 2
    assert not puller.engine.wants_read
    assert puller.run() > 0
    assert not is_due(puller.engine)


# --- the same verdicts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("receive", [Receive.FRAGMENTS, Receive.CHUNKS])
def test_parts_count_as_messages_do(receive: Receive) -> None:
    kind = KINDS["deflate"]
    engine = kind.engine(Role.SERVER, LIMITS, receive=receive)
    parts = list(batches(engine, kind.wire([bytes(MIB)] * 5)))
    assert len(parts) > 1
    assert max(map(size_of, parts)) <= LIMITS.inbox_size + SLICE
    data = [event for part in parts for event in part]
    assert size_of(data) == 5 * MIB
    assert sum(isinstance(event, Fragment) and event.final for event in data) == 5
    assert engine.statistics.messages_received == 5


#: What a peer says: messages, and pings between them.
SPEECH: Final = st.lists(
    st.one_of(
        st.integers(0, 9000).map(bytes),
        st.binary(max_size=300),
        st.text(max_size=100),
        st.integers(0, 1000).map("€".__mul__),
        st.binary(min_size=1, max_size=20).map(Ping),
    ),
    max_size=12,
)


def utter(engine: Any, speech: Iterable[object], end: int) -> bytes:
    """The bytes of ``speech`` and of its end: none, a close frame, or an offence."""
    data = b""
    for item in speech:
        if isinstance(item, Ping):
            engine.ping(item.payload)
            data += sent(engine)
        else:
            engine.send(item)
            data += sent(engine)
    if end == 1:
        engine.close(4000, "bye")
    return data + sent(engine) + (b"\xff" if end == 2 else b"")


def merged(events: Iterable[Event]) -> list[Any]:
    """``events`` with the parts of each message put together: where chunks end, the cuts decide."""
    whole: list[Any] = []
    parts: list[Any] = []
    for event in events:
        if not isinstance(event, Fragment):
            whole.append(event)
            continue
        parts.append(event.data)
        if event.final:
            whole.append(("" if isinstance(parts[0], str) else b"").join(parts))
            parts = []
    return whole


@every_frames
@given(
    speech=SPEECH,
    end=st.integers(0, 2),
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=5),
    inbox_size=st.sampled_from([1, 100, 5000, MIB]),
    receive=st.sampled_from(list(Receive)),
    role=st.sampled_from(list(Role)),
    is_lazy=st.booleans(),
)
def test_what_is_told_does_not_depend_on_it(
    kind: Kind,
    speech: list[Any],
    end: int,
    sizes: list[int],
    inbox_size: int,
    receive: Receive,
    role: Role,
    is_lazy: bool,
) -> None:
    """However the bytes are cut, however small the batches, and whether the rest is asked for between two reads."""
    if kind.pipeline is not None:
        receive = Receive.MESSAGES
    speaker = kind.engine(Role.SERVER if role is Role.CLIENT else Role.CLIENT, Limits(outbox_size=1 << 40))
    data = utter(speaker, speech, end)
    engine = kind.engine(role, Limits(inbox_size=inbox_size), receive=receive)
    events: list[Event] = []
    start = turn = 0
    while start < len(data):
        piece = data[start : start + sizes[turn % len(sizes)]]
        start, turn = start + len(piece), turn + 1
        events += engine.receive_data(piece, START) if is_lazy else pushed(engine, piece)
    events += pushed(engine, b"")
    told = merged(events)
    if end:
        closed = told.pop()
        assert isinstance(closed, Closed)
        assert closed.report.violation is (Violation.RESERVED_OPCODE if end == 2 else None)
        assert closed.report.code == (1002 if end == 2 else 4000)
    assert told == speech
    assert (engine.state is State.OPEN) is (end == 0)
    assert [frame.payload for frame in parse_frames(sent(engine)) if frame.opcode == 10] == [
        item.payload for item in speech if isinstance(item, Ping)
    ]


@every_frames
def test_every_cut(kind: Kind) -> None:
    """In two pieces, with one message in a batch."""
    speech: list[Any] = [bytes(500), Ping(b"1"), "€" * 100, Ping(b"2"), b"end"]
    data = utter(kind.engine(Role.CLIENT), speech, 1)
    for cut in range(len(data) + 1):
        engine = kind.engine(Role.SERVER, Limits(inbox_size=1))
        events = [*pushed(engine, data[:cut]), *pushed(engine, data[cut:])]
        assert isinstance(events.pop(), Closed)
        assert events == speech


@given(
    messages=st.lists(st.integers(0, 9000).map(bytes) | st.text(max_size=50), max_size=10),
    cut=st.integers(1, 5000),
    inbox_size=st.sampled_from([1, 100, 5000, MIB]),
    has_offence=st.booleans(),
)
def test_a_codec_tells_the_same_too(messages: list[Message], cut: int, inbox_size: int, has_offence: bool) -> None:
    kind = KINDS["codec"]
    data = kind.wire(messages) + (b"\xff\xff\xff\xff" if has_offence else b"")
    engine = kind.engine(Role.SERVER, Limits(inbox_size=inbox_size))
    events = [event for start in range(0, len(data), cut) for event in pushed(engine, data[start : start + cut])]
    events += engine.receive_eof(START)
    closed = events.pop()
    assert events == messages
    assert isinstance(closed, Closed)
    assert closed.report.violation is (Violation.MESSAGE_TOO_BIG if has_offence else None)
    assert closed.report.received_code == (None if has_offence else 1005)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.pipeline is not None])
def test_a_seal_that_is_broken_in_the_middle(name: str) -> None:
    """What came before is delivered, and what is behind it is gone."""
    kind = KINDS[name]
    assert kind.pipeline is not None
    unsealed = Kind(kind.make, None, kind.extensions)
    sealed = kind.pipeline.session(Random(0).randbytes, role=Role.CLIENT, limits=Limits(), ordered=True)
    data = unsealed.wire([*map(sealed.seal, ZEROS), b"no seal at all", *map(sealed.seal, ZEROS)])
    engine = kind.engine(Role.SERVER, LIMITS)
    events = pushed(engine, data)
    closed = events.pop()
    assert lengths(events) == lengths(ZEROS)
    assert isinstance(closed, Closed)
    assert closed.report.violation is Violation.NOT_SEALED
    assert closed.report.initiator is Initiator.LOCAL
    assert engine.statistics.messages_received == len(ZEROS)
    assert engine.receive_data(data, START) == []
    assert not is_due(engine)


@every_frames
def test_the_last_batch_may_be_answered(kind: Kind) -> None:
    """The close frame came in another slice than the messages of its batch, and still waits for the answer."""
    engine = kind.engine(Role.SERVER)
    noise: list[Message] = [Random(number).randbytes(1000) for number in range(20)]
    assert [*map(type, engine.receive_data(kind.wire(noise, closes=True), START))] == [bytes] * 20 + [Closed]
    engine.send("the answer")
    assert [frame.opcode for frame in parse_frames(sent(engine))][-1] == 8
    assert engine.statistics.messages_sent == 1


# --- the end ----------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("is_pulled", [False, True], ids=["pushed", "pulled"])
def test_the_end_of_the_bytes_waits_behind_them(kind: Kind, is_pulled: bool) -> None:
    engine = kind.engine(Role.SERVER, LIMITS)
    data = kind.wire(MANY)
    if is_pulled:
        puller = Puller(engine)
        puller.feed(data)
        puller.told += engine.gather(engine.receive_eof(START))
        puller.run()
        assert puller.told == []
        assert engine.state is State.OPEN
        puller.drain()
        messages, report = puller.messages, puller.report
    else:
        events = engine.receive_data(data, START)
        events += engine.receive_eof(START)
        assert not any(isinstance(event, Closed) for event in events)
        while is_due(engine):
            events += engine.handle_timeout(START)
        closed = events.pop()
        assert isinstance(closed, Closed)
        messages, report = events, closed.report
    assert lengths(messages) == lengths(MANY)
    assert report.code == (1005 if kind.make is StreamConnection else 1006)
    assert report.error is None
    assert not engine.wants_read


@every_kind
def test_an_end_behind_nothing_counts_at_once(kind: Kind) -> None:
    engine = kind.engine(Role.SERVER)
    assert pushed(engine, kind.wire(["hello"])) == ["hello"]
    assert [type(event) for event in engine.receive_eof(START)] == [Closed]


def test_a_message_that_is_cut_off_behind_the_rest() -> None:
    kind = KINDS["codec"]
    engine = kind.engine(Role.SERVER, LIMITS)
    events = engine.receive_data(kind.wire(ZEROS)[:-1], START)
    events += engine.receive_eof(START)
    while is_due(engine):
        events += engine.handle_timeout(START)
    closed = events.pop()
    assert lengths(events) == lengths(ZEROS[:-1])
    assert isinstance(closed, Closed)
    assert closed.report.violation is Violation.TRUNCATED_MESSAGE


@every_kind
@pytest.mark.parametrize("has_ended", [False, True], ids=["cut", "ended"])
def test_a_lost_transport_leaves_what_there_is_room_for(kind: Kind, has_ended: bool) -> None:
    """One batch more, and nothing behind it: not even the end that had come."""
    engine = kind.engine(Role.SERVER, LIMITS)
    events = engine.receive_data(kind.wire(MANY, closes=True), START)
    if has_ended:
        events += engine.receive_eof(START)
    error = OSError("reset")
    last = engine.transport_lost(error, START)
    closed = last.pop()
    assert 0 < size_of(last) <= LIMITS.inbox_size + SLICE
    events += last
    assert lengths(events) == lengths(MANY[: len(events)])
    assert len(events) < len(MANY)
    assert isinstance(closed, Closed)
    assert (closed.report.code, closed.report.initiator) == (1006, Initiator.NETWORK)
    assert closed.report.error is error
    assert (engine.next_deadline(), engine.data_to_send(), engine.wants_read) == (None, [], False)
    assert engine.handle_timeout(START) == []


@every_frames
def test_a_lost_transport_tells_the_goodbye_that_came_in_time(kind: Kind) -> None:
    engine = kind.engine(Role.SERVER, Limits(inbox_size=700_000))
    events = engine.receive_data(kind.wire(ZEROS, closes=True), START)
    if not isinstance(events[-1], Closed):
        events += engine.transport_lost(OSError("reset"), START)
    closed = events.pop()
    assert lengths(events) == lengths(ZEROS)
    assert isinstance(closed, Closed)
    assert (closed.report.code, closed.report.error) == (4000, None)


@every_kind
def test_a_lost_transport_adds_nothing_to_a_full_inbox(kind: Kind) -> None:
    puller = Puller(kind.engine(Role.SERVER, LIMITS))
    puller.feed(kind.wire(MANY))
    count = len(puller.engine._inbox)
    puller.told += puller.engine.gather(puller.engine.transport_lost(None, START))
    assert len(puller.engine._inbox) == count
    puller.drain()
    assert lengths(puller.messages) == lengths(MANY[:count])
    assert puller.report.code == 1006
    assert puller.engine.next_deadline() is None


def test_a_codec_that_has_said_all_takes_the_loss_for_the_end() -> None:
    """TLS has no half-close. What nobody wants any more is dropped."""
    kind = KINDS["codec"]
    puller = Puller(kind.engine(Role.SERVER, LIMITS))
    puller.feed(kind.wire(MANY))
    puller.engine.close()
    puller.told += puller.engine.gather(puller.engine.transport_lost(None, START))
    assert (puller.report.code, puller.report.clean) == (1000, True)


@every_kind
def test_who_has_closed_is_not_burdened(kind: Kind) -> None:
    """Batch after batch is dropped, so that the peer's goodbye can be reached; the inbox keeps what it had."""
    puller = Puller(kind.engine(Role.SERVER, LIMITS))
    puller.feed(kind.wire(MANY, closes=True))
    before = len(puller.engine._inbox)
    puller.engine.close()
    assert is_due(puller.engine)
    assert puller.run() > 1
    if kind.make is StreamConnection:
        puller.told += puller.engine.receive_eof(START)
    assert puller.report.clean
    assert len(puller.engine._inbox) == before
    puller.drain()
    assert lengths(puller.messages) == lengths(MANY[:before])


@every_kind
def test_who_closes_with_room_in_the_inbox_gets_what_fits(kind: Kind) -> None:
    puller = Puller(kind.engine(Role.SERVER, LIMITS))
    data = kind.wire(MANY, closes=True)
    puller.engine.close()
    puller.feed(data)
    assert LIMITS.inbox_size <= puller.engine._inbox.size <= LIMITS.inbox_size + SLICE
    puller.drain()
    assert lengths(puller.messages) == lengths(MANY[: len(puller.messages)])


def give_up(engine: ByteEngine) -> list[Event]:
    engine.abort(now=START)
    return engine.handle_timeout(START)


def run_out_of_time(engine: ByteEngine) -> list[Event]:
    return engine.handle_timeout(START + 100)


@every_kind
@pytest.mark.parametrize("end", [give_up, run_out_of_time])
def test_what_waits_is_dropped_with_the_connection(kind: Kind, end: Callable[[ByteEngine], list[Event]]) -> None:
    engine = Puller(kind.engine(Role.SERVER, LIMITS, timeouts=Timeouts(closing_timeout=1.0))).engine
    engine.close()
    wire = kind.wire(MANY)
    engine.receive_data(wire, START)
    assert not engine.wants_read
    assert lengths(engine.gather(end(engine))) == ["Closed"]
    assert engine.should_abort
    assert not is_due(engine)
    assert engine.receive_data(wire, START) == []
    assert engine.transport_lost(None, START) == []


@every_frames
def test_what_has_come_counts_before_the_clock(kind: Kind) -> None:
    """The peer's goodbye waits in the rest when the closing time is over."""
    engine = kind.engine(Role.SERVER, LIMITS, timeouts=Timeouts(closing_timeout=1.0))
    engine.close()
    data = kind.wire(ZEROS * 4, closes=True)
    events = engine.receive_data(data, START)
    while not engine.wants_read and not any(isinstance(event, Closed) for event in events):
        events += engine.handle_timeout(START + 0.999)
    closed = events.pop()
    assert isinstance(closed, Closed)
    assert (closed.report.clean, closed.report.timer) == (True, None)


# --- liveness ---------------------------------------------------------------------------------------------------------


@every_frames
def test_a_waiting_rest_is_no_dead_peer(kind: Kind) -> None:
    """The application is slow: the peer is shown life, and not asked for any."""
    timeouts = Timeouts(ping_interval=10.0, pong_timeout=5.0)
    puller = Puller(kind.engine(Role.SERVER, LIMITS, timeouts=timeouts))
    puller.feed(kind.wire(MANY))
    for _ in range(10):
        puller.now = puller.engine.next_deadline()
        assert puller.now > START
        assert puller.run() == 1
    assert {frame.opcode for frame in parse_frames(sent(puller.engine))} == {10}
    puller.drain()
    assert lengths(puller.messages) == lengths(MANY)
    assert puller.told == []


@every_frames
def test_the_clock_of_idle_connections_sees_the_rest(kind: Kind) -> None:
    engine = kind.engine(Role.SERVER, LIMITS, timeouts=Timeouts(idle_timeout=10.0, ping_interval=None))
    engine.receive_data(kind.wire(MANY), START)
    events = engine.handle_timeout(START + 9.0)
    assert events
    engine.handle_timeout(START + 12.0)
    assert engine.state is State.OPEN


# --- where the handshake ends -----------------------------------------------------------------------------------------


def bombs(count: int) -> bytes:
    """Messages of 100 kB as a client compresses them."""
    kind = Kind(FramesConnection, None, [DEFLATE])
    return kind.wire([bytes(100_000)] * count)


def masked(data: bytes) -> bytes:
    """The frames of ``data`` as a client has to send them."""
    return b"".join(
        bytes(Frame(frame.opcode, frame.payload, frame.final, frame.reserved, b"mask")) for frame in parse_frames(data)
    )


@pytest.mark.parametrize("has_ended", [False, True], ids=["open", "ended"])
def test_a_client_that_does_not_wait_for_the_answer(has_ended: bool) -> None:
    client, server = make_client(extensions=[DEFLATE]), make_server(extensions=[DEFLATE], limits=LIMITS)
    client.connect()
    server.receive_data(sent(client) + masked(bombs(40)), START)
    if has_ended:
        assert server.receive_eof(START) == []
    server.accept()
    events: list[Event] = []
    while is_due(server):
        events += server.handle_timeout(START)
    assert lengths(events) == [100_000] * 40 + ["Closed"] * has_ended


def test_a_server_whose_answer_brings_more() -> None:
    client, server = make_client(extensions=[DEFLATE], limits=LIMITS), make_server(extensions=[DEFLATE])
    client.connect()
    server.receive_data(sent(client), START)
    server.accept()
    first, *parts = batches(client, sent(server) + bombs(40))
    assert isinstance(first[0], Accepted)
    assert lengths([*first[1:], *(event for part in parts for event in part)]) == [100_000] * 40
    assert parts


def test_a_connection_without_extensions_keeps_nothing() -> None:
    client, server = make_client(), make_server()
    shake_hands(client, server)
    client.send("hello")
    assert server.receive_data(sent(client), START) == ["hello"]
    assert server._backlog is None  # what the plain path looks at


# --- a whole connection -----------------------------------------------------------------------------------------------


@every_kind
def test_engines_that_talk_keep_their_contract(kind: Kind) -> None:
    """Pings are answered in the middle of it, and both sides say goodbye behind it."""
    pair: Wire[Any, Any] = Wire(
        kind.engine(Role.CLIENT, Limits(inbox_size=50_000, outbox_size=1 << 40)), kind.engine(Role.SERVER, LIMITS)
    )
    for engine in (pair.client.engine, pair.server.engine):
        for message in ZEROS:
            engine.send(message)
    pair.settle()
    if kind.make is not StreamConnection:
        pair.client.engine.ping(b"still there?")
        pair.settle()
        assert pair.client.told(Pong)
    pair.client.engine.close()
    pair.finish()
    assert lengths(pair.client.messages) == lengths(pair.server.messages) == lengths(ZEROS)
    assert pair.client.report.ok
    assert pair.server.report.ok


def test_other_codecs_wait_as_well() -> None:
    def end(role: Role) -> StreamConnection:
        session: PipelineSession = ZSTD.session(Random(0).randbytes, role=role, limits=LIMITS, ordered=True)
        return StreamConnection(Netstring(), limits=LIMITS, pipeline=session, now=START)

    left, right = end(Role.CLIENT), end(Role.SERVER)
    for message in ZEROS:
        left.send(message)
    parts = list(batches(right, sent(left)))
    assert lengths(message for part in parts for message in part) == lengths(ZEROS)
    assert len(parts) > 5
