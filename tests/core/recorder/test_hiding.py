"""Nothing secret gets into a file, whatever the reads are cut into."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.recorder.kit import NOW, recorded_wire, recorder
from wsproto_core import BasicCredentials, Event, Request, ServerConnection
from wsproto_core.frames import Frame, Opcode
from wsproto_core.recorder import Flight, load_flight, replay, save_flight, tell
from wsproto_core.testing import Chance, Chunks

SECRETS = (
    "hunter2",
    "Zm9v",
    "c00kie",
    "qu3ry-t0ken",
    "pr0xy-t0ken",
    "sub-pr0t0col-t0ken",
    "my-0wn-header",
    "set-c00kie",
    "the m3ssage",
    "the pr3pared m3ssage",
    "the r3ason",
    "p1ng",
)
HEADERS = [
    ("Cookie", "session=c00kie"),
    ("Proxy-Authorization", "Bearer pr0xy-t0ken"),
    ("X-Mine", "my-0wn-header"),
    ("User-Agent", "tester"),
]


def everything_secret(chunks: Chunks) -> list[Flight]:
    flights: list[Flight] = []
    wire = recorded_wire(
        recorder(flights),
        client={
            "headers": HEADERS,
            "credentials": BasicCredentials("me", "hunter2"),
            "subprotocols": ["sub-pr0t0col-t0ken", "chat"],
        },
        server={"subprotocols": ["chat"]},
    )
    wire.client.chunks = wire.server.chunks = chunks

    def welcome(event: Event) -> None:
        if isinstance(event, Request):
            wire.server.engine.accept(headers={"Set-Cookie": "session=set-c00kie"})

    wire.server.react = welcome
    wire.open()
    for side in wire.sides:
        side.engine.send("the m3ssage")
        side.engine.send_fragment(b"the m3ssage", final=False)
        side.engine.ping(b"p1ng")
        side.engine.send_fragment(b"the m3ssage", final=True)
    wire.run(1.0)
    wire.client.engine.close(4000, "the r3ason")
    wire.finish()
    return flights


@pytest.mark.parametrize("chunks", [None, 1, 3, Chance(1), Chance(2)])
def test_nothing_secret_is_written(chunks: Chunks) -> None:
    flights = everything_secret(chunks)
    assert len(flights) == 2
    for flight in flights:
        lines = list(save_flight(flight))
        text = "".join([*lines, *tell(flight)])
        for secret in SECRETS:
            assert secret not in text
            assert secret.encode().hex() not in text
        assert b"tester".hex() in text or chunks is not None or flight.facts.role.value == "client"
        assert replay(load_flight(lines)).departures == ()


def test_with_payloads_the_handshake_is_still_hidden() -> None:
    flights: list[Flight] = []
    wire = recorded_wire(recorder(flights, payloads=True), client={"headers": HEADERS})
    wire.open()
    wire.client.engine.send("the m3ssage")
    wire.settle()
    wire.cut()
    text = "".join(line for flight in flights for line in save_flight(flight))
    assert "the m3ssage" in text
    for secret in ("c00kie", "pr0xy-t0ken", "my-0wn-header"):
        assert secret.encode().hex() not in text


def request(*lines: str, target: str = "/chat?token=qu3ry-t0ken") -> bytes:
    own = [f"GET {target} HTTP/1.1", "Host: example.com", "Upgrade: websocket", "Connection: Upgrade"]
    own += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    return "\r\n".join([*own, *lines, "", ""]).encode("latin-1")


def flight_of(*reads: bytes, max_entries: int = 500) -> Flight:
    flights: list[Flight] = []
    engine = ServerConnection(now=NOW)
    recorder(flights, max_entries=max_entries).attach(engine, now=NOW)
    for data in reads:
        if any(isinstance(event, Request) for event in engine.receive_data(data, NOW)):
            engine.accept()
        engine.data_to_send()
    engine.transport_lost(None, NOW)
    return flights[0]


def shown(flight: Flight) -> bytes:
    return b"".join(bytes(entry.arguments[0]) for entry in flight.entries if entry.do == "receive_data")  # type: ignore[arg-type]  # it is bytes


def test_a_query_is_hidden_and_the_path_is_not() -> None:
    data = shown(flight_of(request()))
    assert data.startswith(b"GET /chat?xxxxxxxxxxxxxxxxx HTTP/1.1\r\nHost: example.com\r\n")
    assert len(data) == len(request())


@pytest.mark.parametrize(
    "data",
    [
        b"qu3ry-t0ken is no request\r\n\r\n",
        request("no colon but qu3ry-t0ken"),
        request("X-Folded: one", " qu3ry-t0ken"),
        request("Sec-WebSocket-Protocol: a, ,qu3ry-t0ken"),
        b"GET / HTTP/1.1\r\nCookie: qu3ry-t0ken",
        request().replace(b"\r\n", b"\n"),
        b"\x16\x03\x01qu3ry-t0ken",
    ],
)
def test_what_is_no_head_is_hidden_too(data: bytes) -> None:
    for cut in (len(data), 20):
        hidden = shown(flight_of(data[:cut], data[cut:]))
        assert b"qu3ry" not in hidden
        assert len(hidden) == len(data)


def test_a_head_without_its_beginning_is_hidden_as_a_whole() -> None:
    data = request("Cookie: c00kie")
    flight = flight_of(*[data[index : index + 10] for index in range(0, len(data), 10)], max_entries=8)
    assert flight.dropped
    assert set(shown(flight)) == {ord("x")}


@given(payload=st.binary(min_size=6, max_size=400), cuts=st.lists(st.integers(0, 700), max_size=8), data=st.data())
def test_whatever_comes_as_contents_stays_outside(payload: bytes, cuts: list[int], data: st.DataObject) -> None:
    """Of frames in any reads only headers are kept, and close codes."""
    mask = data.draw(st.binary(min_size=4, max_size=4))
    opcode = data.draw(st.sampled_from([Opcode.BINARY, Opcode.PING, Opcode.PONG]))
    size = 125 if opcode is not Opcode.BINARY else 400
    stream = bytes(Frame(opcode, payload[:size], mask=mask)) + bytes(Frame(Opcode.CLOSE, b"\x0f\xa0secret", mask=mask))
    stream += b"garbage behind it"
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:stop] for start, stop in pairwise(edges)]
    hidden = shown(flight_of(request(), *pieces))[len(request()) :]
    assert len(hidden) == len(stream)
    head = {True: 2, False: 4}[len(payload[:size]) < 126]
    body = len(payload[:size])
    assert hidden[:head] == stream[:head]
    assert set(hidden[head : head + 4 + body]) <= {0}
    assert hidden[head + 4 + body :] == b"\x88\x88\0\0\0\0\x0f\xa0" + bytes(6 + len("garbage behind it"))
