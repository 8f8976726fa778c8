"""The face: what each verb does in each phase, and that misuse changes nothing."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.driver.wire import START, make_client, make_server, open_wire, shake_hands
from wsproto_core import (
    Buffer,
    ClientConnection,
    Closed,
    Connection,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    Event,
    Fragment,
    Initiator,
    Limits,
    LocalProtocolError,
    Opcode,
    OutboxFull,
    PerMessageDeflate,
    Ping,
    PreparedMessage,
    Receive,
    ServerConnection,
    State,
    Timeouts,
)
from wsproto_core.frames import Frame, parse_frames

MASK = b"mask"
QUESTION = bytes(Frame(Opcode.TEXT, b"question", mask=MASK))
CLOSE = bytes(Frame(Opcode.CLOSE, b"\x03\xe8", mask=MASK))


#: A masking key that was not used is thrown away, and nobody can tell.
UNSEEN = {"_keys", "_key_at"}


def dump(thing: Any, seen: frozenset[int] = frozenset()) -> Any:
    """Everything that ``thing`` remembers, as plain data. What is compiled shows less of it; in Python it shows all."""
    if isinstance(thing, dict):
        return [(repr(key), dump(value, seen)) for key, value in thing.items()]
    if isinstance(thing, list | tuple | deque):
        return [dump(item, seen) for item in thing]
    ours = type(thing).__module__.startswith("wsproto_core") and not isinstance(thing, Enum | Exception)
    if not ours or id(thing) in seen:
        return repr(thing)
    names = {name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())}
    names |= set(getattr(thing, "__dict__", ()))
    names -= UNSEEN
    return [(name, dump(getattr(thing, name), seen | {id(thing)})) for name in sorted(names) if hasattr(thing, name)]


# --- every phase × every verb -------------------------------------------------------------------------------------


def request() -> bytes:
    client = make_client()
    client.connect()
    return b"".join(client.data_to_send())


def connecting_client() -> ClientConnection:
    client = make_client()
    client.connect()
    return client


def asked_server() -> ServerConnection:
    server = make_server()
    server.receive_data(request(), START)
    return server


def rejecting_server() -> ServerConnection:
    server = asked_server()
    server.reject(404, body=None)
    return server


def open_server(**options: Any) -> ServerConnection:
    server = make_server(**options)
    shake_hands(make_client(), server)
    return server


def open_client() -> ClientConnection:
    client = make_client()
    shake_hands(client, make_server())
    return client


def server_in_text() -> ServerConnection:
    server = open_server()
    server.send_fragment("part", final=False)
    return server


def server_in_binary() -> ServerConnection:
    server = open_server()
    server.send_fragment(b"part", final=False)
    return server


def server_after(data: bytes) -> Callable[[], ServerConnection]:
    def make() -> ServerConnection:
        server = open_server()
        server.receive_data(data, START)
        return server

    return make


def closing_client() -> ClientConnection:
    client = open_client()
    client.close()
    return client


def lost(make: Callable[[], Connection]) -> Callable[[], Connection]:
    def make_lost() -> Connection:
        engine = make()
        engine.transport_lost(None, START)
        return engine

    return make_lost


PHASES: Mapping[str, Callable[[], Connection]] = {
    "new client": make_client,
    "connecting client": connecting_client,
    "new server": make_server,
    "asked server": asked_server,
    "rejecting server": rejecting_server,
    "open client": open_client,
    "open server": open_server,
    "in text": server_in_text,
    "in binary": server_in_binary,
    "close sent": closing_client,
    "close received": server_after(QUESTION + CLOSE),
    "failed": server_after(QUESTION + b"\x83"),
    "closed": server_after(CLOSE),
    "lost client": lost(connecting_client),
    "lost asked server": lost(asked_server),
    "lost rejecting server": lost(rejecting_server),
    "lost open server": lost(open_server),
}

VERBS: Mapping[str, Callable[[Any], object]] = {
    "connect": lambda engine: engine.connect(),
    "accept": lambda engine: engine.accept(),
    "reject": lambda engine: engine.reject(403),
    "reject_data": lambda engine: engine.reject_data(b"page", final=True),
    "send": lambda engine: engine.send("text"),
    "send_prepared": lambda engine: engine.send_prepared(PreparedMessage("text")),
    "send text part": lambda engine: engine.send_fragment("part", final=False),
    "send last text part": lambda engine: engine.send_fragment("part", final=True),
    "send binary part": lambda engine: engine.send_fragment(b"part", final=False),
    "ping": lambda engine: engine.ping(),
    "pong": lambda engine: engine.pong(),
    "close": lambda engine: engine.close(),
}
ANSWERS = ("accept", "reject", "reject_data")
CONTROLS = {"ping", "pong", "close"}
MESSAGES = {"send", "send_prepared", "send text part", "send last text part", "send binary part"}


def is_verb_of(engine: Connection, name: str) -> bool:
    """Whether this side has the verb at all."""
    return hasattr(engine, name) if name in ("connect", *ANSWERS) else True


#: What is allowed; all else raises LocalProtocolError, or ConnectionClosed in a phase whose report is written.
ALLOWED = {
    "new client": {"connect", "close"},
    "connecting client": {"close"},
    "new server": {"close"},
    "asked server": {"accept", "reject", "close"},
    "rejecting server": {"reject_data", "close"},
    "open client": MESSAGES | CONTROLS,
    "open server": MESSAGES | CONTROLS,
    "in text": CONTROLS | {"send text part", "send last text part"},
    "in binary": CONTROLS | {"send binary part"},
    "close sent": {"close"},
    "close received": MESSAGES | CONTROLS,
    "failed": MESSAGES | CONTROLS,
}


#: The connection has ended, but the verb would have been as wrong before.
MISUSE = {
    *(("closed", verb) for verb in ANSWERS),
    *(("lost open server", verb) for verb in ANSWERS),
    ("lost rejecting server", "accept"),
    ("lost rejecting server", "reject"),
    ("lost asked server", "reject_data"),
    ("lost client", "connect"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_verb_works_or_raises_and_changes_nothing(phase: str, verb: str) -> None:
    engine = PHASES[phase]()
    if not is_verb_of(engine, verb):
        return
    if verb in ALLOWED.get(phase, {"close"}):
        VERBS[verb](engine)
        return
    before = dump(engine)
    with pytest.raises((LocalProtocolError, ConnectionClosed)) as caught:
        VERBS[verb](engine)
    assert dump(engine) == before
    is_over = phase not in ALLOWED and (phase, verb) not in MISUSE
    assert isinstance(caught.value, ConnectionClosed) == is_over


BAD: Mapping[str, tuple[type[Exception], Callable[[Any], object]]] = {
    "message": (TypeError, lambda engine: engine.send(5)),
    "message ": (LocalProtocolError, lambda engine: engine.send("\ud800")),
    "message must": (TypeError, lambda engine: engine.send_fragment(None, final=True)),
    "payload": (TypeError, lambda engine: engine.ping("text")),
    "payload must": (TypeError, lambda engine: engine.pong(5)),
    "payload: at most 125": (LocalProtocolError, lambda engine: engine.ping(bytes(126))),
    "payload: at most": (LocalProtocolError, lambda engine: engine.pong(memoryview(array("Q", range(16))))),
    "code: 999": (LocalProtocolError, lambda engine: engine.close(999)),
    "code: 1006": (LocalProtocolError, lambda engine: engine.close(1006)),
    "code must": (TypeError, lambda engine: engine.close("1000")),
    "reason must": (TypeError, lambda engine: engine.close(1000, b"bye")),
    "reason: at most": (LocalProtocolError, lambda engine: engine.close(1000, "é" * 62)),
    "reason: a close frame without": (LocalProtocolError, lambda engine: engine.close(1005, "why")),
    "reason: not valid": (LocalProtocolError, lambda engine: engine.close(1000, "\udfff")),
}


@pytest.mark.parametrize("phase", ["open client", "open server", "in text"])
@pytest.mark.parametrize("words", BAD)
def test_a_bad_argument_is_named_and_changes_nothing(phase: str, words: str) -> None:
    engine = PHASES[phase]()
    before = dump(engine)
    error, call = BAD[words]
    with pytest.raises(error, match=words.strip()):
        call(engine)
    assert dump(engine) == before


CALLS = {**VERBS, **{f"bad {words}": call for words, (_, call) in BAD.items()}}


@given(phase=st.sampled_from(sorted(PHASES)), names=st.lists(st.sampled_from(sorted(CALLS)), max_size=12))
def test_no_sequence_of_verbs_does_anything_else(phase: str, names: list[str]) -> None:
    engine = PHASES[phase]()
    was_told = engine.close_report is not None
    for name in names:
        before = dump(engine)
        if not is_verb_of(engine, name):
            continue
        try:
            CALLS[name](engine)
        except (LocalProtocolError, ConnectionClosed, TypeError):
            assert dump(engine) == before
    ends = engine.receive_eof(START) + engine.transport_lost(None, START)
    assert sum(isinstance(event, Closed) for event in ends) == (not was_told)
    assert engine.state is State.CLOSED


# --- without room -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", sorted(MESSAGES | {"ping", "pong"}))
def test_without_room_nothing_is_queued(verb: str) -> None:
    server = open_server(limits=Limits(outbox_size=10))
    server.send("0123456789")
    before = dump(server)
    with pytest.raises(OutboxFull, match=r"12 bytes wait already; Limits\.outbox_size is 10"):
        VERBS[verb](server)
    assert dump(server) == before
    server.data_to_send()
    VERBS[verb](server)


def test_more_than_64_unanswered_pings_are_refused_until_one_is_answered() -> None:
    server = open_server()
    payloads = [server.ping() for _ in range(64)]
    with pytest.raises(LocalProtocolError, match="64 pings"):
        server.ping()
    assert all(map(server.awaits_pong, payloads))
    server.receive_data(bytes(Frame(Opcode.PONG, payloads[0], mask=bytes(4))), START)
    assert server.ping() not in payloads


def test_abort_ends_it_at_once_and_is_this_sides_doing() -> None:
    server = open_server()
    server.abort(now=START + 3)
    assert server.should_abort
    assert server.next_deadline() == START + 3
    (closed,) = server.handle_timeout(START + 3)
    assert isinstance(closed, Closed)
    assert (closed.report.initiator, closed.report.code, closed.report.at) == (Initiator.LOCAL, 1006, START + 3)
    server.abort()
    assert server.transport_lost(None, START + 4) == []


def test_a_message_of_any_size_is_taken_while_there_is_room() -> None:
    server = open_server(limits=Limits(outbox_size=10))
    server.send(bytes(10_000_000))
    assert server.bytes_queued == 10_000_000


# --- facts ----------------------------------------------------------------------------------------------------------


def facts(engine: Connection) -> tuple[State, bool, bool, bool, bool]:
    return engine.state, engine.can_send, engine.wants_read, engine.half_close, engine.should_abort


def test_the_state_and_what_goes_with_it() -> None:
    server = make_server()
    assert facts(server) == (State.CONNECTING, False, True, False, False)
    shake_hands(make_client(), server)
    assert facts(server) == (State.OPEN, True, True, False, False)
    server.receive_data(QUESTION + CLOSE, START)
    assert facts(server) == (State.CLOSING, True, True, False, False)
    server.data_to_send()
    assert facts(server) == (State.CLOSED, False, True, True, False)
    server.receive_eof(START)
    assert facts(server) == (State.CLOSED, False, False, True, False)
    server.transport_lost(None, START)
    assert facts(server) == (State.CLOSED, False, False, True, True)


def test_without_room_it_cannot_send() -> None:
    server = open_server(limits=Limits(outbox_size=1))
    server.send("")
    assert facts(server) == (State.OPEN, False, True, False, False)


def test_it_is_half_closed_only_once_everything_was_taken() -> None:
    server = open_server()
    server.send("first")
    server.receive_data(CLOSE, START)
    assert not server.half_close
    server.data_to_send()
    assert server.half_close


def test_it_ends_both_ways_once_both_have_said_goodbye() -> None:
    asked_first, asked_last, deserted = open_server(), open_server(), open_server()
    asked_first.close()
    asked_last.receive_data(QUESTION + CLOSE, START)
    deserted.receive_eof(START)
    assert [server.ends_both_ways for server in (asked_first, asked_last, deserted)] == [False, False, True]
    asked_first.receive_data(CLOSE, START)
    asked_last.data_to_send()
    assert asked_first.ends_both_ways
    assert asked_last.ends_both_ways


def test_sending_after_the_end_tells_how_it_ended() -> None:
    for data, error in ((CLOSE, ConnectionClosedOK), (b"\x83", ConnectionClosedError)):
        server = open_server()
        server.receive_data(data, START)
        with pytest.raises(error) as caught:
            server.send("too late")
        assert caught.value.report is server.close_report


def test_statistics_are_a_copy() -> None:
    server = open_server()
    statistics = server.statistics
    server.send("text")
    assert statistics.messages_sent == 0
    assert server.statistics.messages_sent == 1


def test_bytes_of_any_kind_are_received() -> None:
    for kind in (bytes, bytearray, memoryview):
        server = open_server()
        assert server.receive_data(kind(QUESTION), START) == ["question"]


def test_latency_needs_a_pong() -> None:
    server = open_server()
    payload = server.ping(now=START)
    latencies = [server.latency]
    server.receive_data(bytes(Frame(Opcode.PONG, payload, mask=MASK)), START + 0.5)
    latencies.append(server.latency)
    assert [latency and latency.last for latency in latencies] == [None, 0.5]


def test_a_ping_without_a_time_counts_from_the_latest_time_known() -> None:
    server = open_server()
    server.handle_timeout(START + 1)
    payload = server.ping()
    server.receive_data(bytes(Frame(Opcode.PONG, payload, mask=MASK)), START + 3)
    assert server.latency is not None
    assert server.latency.last == 2.0


def test_mutable_buffers_may_change_once_they_were_handed_over() -> None:
    server = open_server()
    buffer = bytearray(b"before")
    server.send(buffer)
    server.send(bytes(200_000))
    server.send(memoryview(buffer))
    buffer[:] = b"after!"
    frames: list[Frame] = []
    while buffers := server.data_to_send():
        frames += parse_frames(b"".join(buffers))
    assert [frames[0].payload, frames[-1].payload] == [b"before", b"before"]


@pytest.mark.parametrize("receive", Receive)
def test_the_receive_mode_can_be_asked_for(receive: Receive) -> None:
    assert make_server(receive=receive).receive is receive


def test_a_fragment_size_must_be_positive() -> None:
    with pytest.raises(ValueError, match="fragment_size must be positive, not 0"):
        make_client(fragment_size=0)


# --- the inbox ------------------------------------------------------------------------------------------------------


def test_gather_takes_the_messages_and_leaves_the_rest() -> None:
    server = open_server()
    events = server.receive_data(QUESTION + bytes(Frame(Opcode.PING, b"p", mask=MASK)) + QUESTION, START)
    assert server.gather(events) == [Ping(b"p")]
    assert [server.next_message() for _ in range(3)] == ["question", "question", None]
    assert server.gather(["only", b"messages"]) == []


def test_without_gathering_there_is_no_message() -> None:
    assert open_server().next_message() is None


def test_fragments_are_gathered_too() -> None:
    server = open_server(receive=Receive.FRAGMENTS)
    server.gather(server.receive_data(QUESTION, START))
    assert server.next_message() == Fragment("question", final=True)


def test_whoever_closes_and_does_not_listen_still_reaches_the_end() -> None:
    wire = open_wire(server={"limits": Limits(inbox_size=200)})
    wire.server.pulls = True
    for number in range(4):
        wire.client.engine.send(bytes([number]) * 100)
        wire.settle()
    assert facts(wire.server.engine) == (State.OPEN, True, False, False, False)
    wire.server.engine.close(now=wire.now)
    assert facts(wire.server.engine) == (State.CLOSING, False, True, False, False)
    wire.finish()
    assert wire.server.report.ok
    # A message was dropped, so none of those behind it is delivered either.
    received = wire.server.receive()
    assert received == [bytes([number]) * 100 for number in range(len(received))]
    assert 0 < len(received) < 4


# --- messages on the wire -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [None, True, False])
def test_compression_may_be_chosen_for_each_message(compress: bool | None) -> None:
    wire = open_wire(extensions=[PerMessageDeflate()])
    for message in ("x" * 1000, b"y" * 10):
        wire.client.engine.send(message, compress=compress)
    wire.client.engine.send_fragment("z" * 1000, final=True, compress=compress)
    wire.settle()
    assert wire.server.messages == ["x" * 1000, b"y" * 10, "z" * 1000]
    compressed = [bool(frame.reserved) for frame in wire.client.frames()]
    assert compressed == {None: [True, False, True], True: [True] * 3, False: [False] * 3}[compress]


def test_a_prepared_message_is_compressed_where_that_was_agreed() -> None:
    wire = open_wire(extensions=[PerMessageDeflate()])
    wire.server.engine.send_prepared(PreparedMessage("x" * 1000))
    wire.settle()
    assert wire.client.messages == ["x" * 1000]
    assert wire.server.frames()[0].reserved


@pytest.mark.parametrize("takeover", [True, False])
def test_a_prepared_message_is_compressed_once_for_all_without_context_takeover(takeover: bool) -> None:
    deflate = PerMessageDeflate(server_no_context_takeover=not takeover)
    wires = [open_wire(extensions=[deflate]) for _ in range(3)]
    message = PreparedMessage("x" * 1000)
    for text in ("first", "second"):
        for wire in wires:
            wire.server.engine.send(text, compress=True)
            wire.server.engine.send_prepared(message)
            wire.settle()
    for wire in wires:
        assert wire.client.messages == ["first", "x" * 1000, "second", "x" * 1000]
    shared = {wire.server.frames()[1] for wire in wires} | {wire.server.frames()[3] for wire in wires}
    assert (len(shared) == 1) is not takeover


def test_timeouts_of_none_set_no_deadline() -> None:
    timeouts = Timeouts(opening_timeout=None, ping_interval=None)
    assert make_server(timeouts=timeouts).next_deadline() is None


def test_an_engine_with_methods_of_its_own_is_followed() -> None:
    class Deaf(ServerConnection):
        def receive_data(self, data: Buffer, now: float) -> list[Event]:
            return super().receive_data(b"", now)

    class Plain(ServerConnection):
        def shout(self, message: str) -> None:
            self.send(message.upper())

    assert Deaf(now=START).is_followed
    assert not Plain(now=START).is_followed
    assert not make_server().is_followed
