"""Messages of every kind and size over blocking sockets, and the time limits of ``recv`` and ``ping``."""

from __future__ import annotations

import threading
import time

import pytest

from tests.adapters.kit import CONTINUATION, PING, TEXT, Frame, close_frame, frame
from tests.adapters.sockets_kit import PATIENCE, Raw, drain, echo, eventually, raw_server, run, send_all, tidy, url
from wsproto_core import (
    ConnectionClosedError,
    ConnectionClosedOK,
    Fragment,
    Limits,
    LocalProtocolError,
    OutboxFull,
    PerMessageDeflate,
    Receive,
)
from wsproto_sockets import WebSocket, broadcast, connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")

LARGE = Limits(message_size=20_000_000, inflate_ratio=None)
MESSAGES: list[str | bytes] = [
    "",
    b"",
    "x",
    "👋 héllo \x00",
    bytes(range(256)),
    "x" * 125,
    b"y" * 126,
    "z" * 65_536,
    bytes(range(256)) * 4096,  # 1 MB
    bytes(range(256)) * 40_000,  # 10 MB
]


@pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])
def test_every_kind_and_size_comes_back(compression: PerMessageDeflate | None) -> None:
    with (
        serve(echo, "127.0.0.1", 0, limits=LARGE, compression=compression) as server,
        connect(url(server), limits=LARGE, compression=compression) as ws,
    ):
        assert ws.extensions == (("permessage-deflate",) if compression else ())
        for message in MESSAGES:
            ws.send(message)
            received = ws.recv(PATIENCE)
            assert type(received) is type(message)
            assert received == message


def test_many_messages_in_flight_keep_their_order() -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        sending = run(send_all, ws, [str(number) for number in range(5000)])
        assert [ws.recv(PATIENCE) for _ in range(5000)] == [str(number) for number in range(5000)]
        sending.result(PATIENCE)


def test_fragments_out_and_in() -> None:
    parts: list[Fragment] = []

    def handler(ws: WebSocket) -> None:
        while not (parts and parts[-1].final):
            parts.append(ws.recv_fragment(PATIENCE))
        ws.send("done")

    with serve(handler, "127.0.0.1", 0, receive=Receive.FRAGMENTS) as server, connect(url(server)) as ws:
        ws.send_fragment("a", final=False)
        with pytest.raises(LocalProtocolError):
            ws.send("in between")
        ws.send_fragment("b", final=True)
        assert ws.recv(PATIENCE) == "done"
        with pytest.raises(LocalProtocolError, match="recv"):
            ws.recv_fragment()
    assert [(part.data, part.final) for part in parts] == [("a", False), ("b", True)]


def test_fragments_of_a_peer_are_one_message() -> None:
    with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"a", fin=False) + frame(PING, b"?"))
        assert raw.frame().payload == b"?"
        raw.send(frame(CONTINUATION, b"b"))
        assert raw.frame() == Frame(TEXT, b"ab")


def test_iteration_ends_quietly_or_with_an_error() -> None:
    with serve(drain, "127.0.0.1", 0) as server:
        ws = connect(url(server))
        iterating = run(drain, ws)
        server.close()
        iterating.result(PATIENCE)
    with serve(drain, "127.0.0.1", 0) as server:
        ws = connect(url(server))
        iterating = run(drain, ws)
        eventually(lambda: server.connections)
        next(iter(server.connections)).abort()
        with pytest.raises(ConnectionClosedError):
            iterating.result(PATIENCE)


# --- time limits ------------------------------------------------------------------------------------------------------


def test_recv_with_a_timeout_loses_nothing() -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            ws.recv(0.05)
        assert 0.05 <= time.monotonic() - began < PATIENCE
        for number in range(300):
            ws.send(str(number))
            while True:  # most of these time out, in the middle of whatever goes on
                try:
                    received = ws.recv(0.0001)
                except TimeoutError:
                    continue
                break
            assert received == str(number)


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_of_nothing_polls(timeout: float) -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(TimeoutError):
            ws.recv(timeout)
        ws.send("a")
        ws.send("b")
        eventually(lambda: ws.statistics.messages_received == 2)
        assert [ws.recv(timeout), ws.recv(timeout)] == ["a", "b"]
        with pytest.raises(TimeoutError):
            ws.recv(timeout)
        ws.close()
        with pytest.raises(ConnectionClosedOK):
            ws.recv(timeout)


def test_ping_measures_and_may_time_out() -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        assert 0 < ws.ping() < PATIENCE
        assert 0 < ws.ping(b"payload", timeout=PATIENCE) < PATIENCE
        assert ws.latency is not None
        assert ws.latency.count == 2
    with raw_server(lambda raw: raw.rest()) as port:
        ws = connect(f"ws://127.0.0.1:{port}/")
        with pytest.raises(TimeoutError):
            ws.ping(timeout=0.05)
        ws.abort()
        ws.wait_closed(PATIENCE)


def test_wait_closed_with_a_timeout() -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(TimeoutError):
            ws.wait_closed(0.02)
        assert ws.close_report is None


# --- many threads -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, PerMessageDeflate()], ids=["plain", "deflate"])
def test_many_writers_never_interleave(compression: PerMessageDeflate | None) -> None:
    """Large patterned messages, control frames between them, and every message whole and of one pattern."""
    writers, each, size = 12, 12, 300_000
    got: list[bytes] = []

    def handler(ws: WebSocket) -> None:
        for _ in range(writers * each):
            message = ws.recv(PATIENCE)
            assert isinstance(message, bytes)
            got.append(message)
        ws.send("all")

    limits = Limits(outbox_size=500_000, inflate_ratio=None)
    with (
        serve(handler, "127.0.0.1", 0, limits=limits, compression=compression) as server,
        connect(url(server), limits=limits, compression=compression) as ws,
    ):

        def write(number: int) -> None:
            for turn in range(each):
                ws.send(bytes([number, turn]) * (size // 2))
                if turn % 4 == 0:
                    ws.ping(timeout=PATIENCE)

        writing = [run(write, number) for number in range(writers)]
        for work in writing:
            work.result(PATIENCE)
        assert ws.recv(PATIENCE) == "all"
    assert all(message == message[:2] * (size // 2) for message in got)
    for number in range(writers):  # and each writer's own in their order
        assert [message[1] for message in got if message[0] == number] == list(range(each))


def test_one_reader_and_many_writers_of_small_messages() -> None:
    writers, each = 16, 250
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        writing = [run(send_all, ws, [f"{number} {i}" for i in range(each)]) for number in range(writers)]
        got = [str(ws.recv(PATIENCE)) for _ in range(writers * each)]
        for work in writing:
            work.result(PATIENCE)
    for number in range(writers):
        assert [line for line in got if line.startswith(f"{number} ")] == [f"{number} {i}" for i in range(each)]


def test_many_readers_share_the_messages() -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:

        def read() -> list[str | bytes]:
            got = []
            with pytest.raises(ConnectionClosedOK):  # noqa: PT012  # the loop is what raises
                while True:
                    got.append(ws.recv(PATIENCE))
            return got

        reading = [run(read) for _ in range(8)]
        for number in range(1000):
            ws.send(str(number))
        eventually(lambda: ws.statistics.messages_received == 1000)
        ws.close()
        got = [message for work in reading for message in work.result(PATIENCE)]
        assert sorted(map(int, got)) == list(range(1000))


def test_a_busy_writer_does_not_keep_the_reader_from_its_messages() -> None:
    stop = threading.Event()
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:

        def flood() -> None:
            while not stop.is_set():
                ws.send(b"x")

        flooding = run(flood)
        try:
            for _ in range(1000):
                ws.recv(PATIENCE)
            assert ws.ping(timeout=PATIENCE) < PATIENCE
        finally:
            stop.set()
        flooding.result(PATIENCE)


# --- one to many ------------------------------------------------------------------------------------------------------


def test_broadcast_reaches_everyone_who_can_take_it() -> None:
    with serve(drain, "127.0.0.1", 0) as server:
        clients = [connect(url(server)) for _ in range(10)]
        eventually(lambda: len(server.connections) == 10)
        assert broadcast(server.connections, "news") == []
        for ws in clients:
            assert ws.recv(PATIENCE) == "news"
        (busy, *_) = server.connections
        busy.send_fragment("in parts", final=False)
        assert broadcast(server.connections, b"more") == [busy]
        busy.abort()
        for ws in clients:
            ws.close()


def test_send_nowait_tells_when_there_is_no_room() -> None:
    deaf = threading.Event()
    with raw_server(lambda raw: deaf.wait(PATIENCE)) as port:
        ws = connect(f"ws://127.0.0.1:{port}/", limits=Limits(outbox_size=100_000))
        with pytest.raises(OutboxFull):  # noqa: PT012  # the loop is what raises
            while True:
                ws.send_nowait(bytes(60_000))
        assert not ws.can_send
        ws.abort()
        assert ws.wait_closed(PATIENCE).code == 1006
        deaf.set()


def test_what_is_no_message_changes_nothing() -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        with pytest.raises(TypeError):
            ws.send(5)  # type: ignore[arg-type]  # that is the point
        with pytest.raises(LocalProtocolError):
            ws.send("\ud800")
        ws.send("still here", urgent=True, compress=False)
        assert ws.recv(PATIENCE) == "still here"


def test_the_peers_last_words_can_be_answered() -> None:
    with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"last words") + close_frame(4000))
        assert raw.frame().payload == b"last words"
        assert raw.close_code() == 4000
