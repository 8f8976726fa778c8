"""Who asks for a message reads the socket: what must go on all the same, and what leaves together."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

import pytest

from tests.adapters.kit import BINARY, PING, PONG, TEXT, frame
from tests.adapters.sockets_kit import PATIENCE, Raw, drain, echo, eventually, raw_server, run, tidy, url
from wsproto_core import ConnectionClosedError
from wsproto_sockets import WebSocket, connect, serve
from wsproto_sockets.stream import Plain

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")


def sleeps_soundly(ws: WebSocket) -> bool:
    """Whether the thread of ``ws`` waits, and will not look by itself for who reads."""
    return ws.link._is_reading and ws.link._asleep is not None and not ws.link._is_watching


@pytest.mark.parametrize("has_waited", [False, True])
def test_pings_are_answered_while_the_application_computes(has_waited: bool) -> None:
    """Also when it has waited for so long that nobody expected it to come back."""
    done = threading.Event()

    def compute(ws: WebSocket) -> None:
        ws.send(ws.recv())
        ws.recv()
        done.wait(PATIENCE)

    with serve(compute, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        (ws,) = server.connections
        raw.send(frame(TEXT, b"come"))
        assert raw.frame().payload == b"come"
        if has_waited:
            eventually(lambda: sleeps_soundly(ws))
        raw.send(frame(TEXT, b"go"))
        for payload in (b"one", b"two"):
            raw.send(frame(PING, payload))
            answer = raw.frame()
            assert (answer.opcode, answer.payload) == (PONG, payload)
        done.set()


def test_whoever_waits_for_a_pong_gets_it_although_the_reader_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_sockets.link._PATIENCE", 10 * PATIENCE)
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for number in range(20):
            ws.send(str(number))
            assert ws.recv() == str(number)
            assert ws.ping(timeout=PATIENCE) < PATIENCE


def test_a_pong_is_read_by_who_waits_for_a_message() -> None:
    with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        receiving = run(ws.recv)
        eventually(lambda: ws.link._is_reading)
        for _ in range(20):
            assert ws.ping(timeout=PATIENCE) < PATIENCE
        eventually(lambda: ws.link._is_reading)
        ws.abort()
        with pytest.raises(ConnectionClosedError):
            receiving.result(PATIENCE)


def test_polling_reads_the_socket() -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for number in range(20):
            ws.send(str(number))
            received: list[object] = []

            def poll(into: list[object] = received) -> bool:
                try:
                    into.append(ws.recv(0))
                except TimeoutError:
                    return False
                return True

            eventually(poll)
            assert received == [str(number)]


def test_abort_interrupts_recv_although_the_peer_is_deaf() -> None:
    deaf = threading.Event()
    with raw_server(lambda raw: deaf.wait(2 * PATIENCE)) as port:
        ws = connect(f"ws://127.0.0.1:{port}/")
        receiving = run(ws.recv)
        eventually(lambda: ws.link._is_reading)
        ws.abort()
        with pytest.raises(ConnectionClosedError):
            receiving.result(PATIENCE)
        deaf.set()


# --- what leaves together ---------------------------------------------------------------------------------------------


def test_what_one_read_provokes_leaves_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []
    send = Plain.send

    def spy(stream: Plain, buffers: Sequence[bytes | memoryview]) -> int:
        writes.append(send(stream, buffers))
        return writes[-1]

    monkeypatch.setattr("wsproto_sockets.binding._CORK_TIME", PATIENCE)
    monkeypatch.setattr("wsproto_sockets.link._PATIENCE", PATIENCE)
    with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        (ws,) = server.connections
        eventually(lambda: ws.link._is_reading)
        monkeypatch.setattr(Plain, "send", spy)
        ws.link._sock = None  # so that it is the stream that sends
        raw.send(frame(BINARY, bytes(10)) * 100)
        for _ in range(100):
            assert raw.frame().payload == bytes(10)
        eventually(lambda: sum(writes) == 100 * 12)  # bytes may arrive before the call that sends them returns
        assert writes == [100 * 12]


def test_an_answer_leaves_although_the_application_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def handler(ws: WebSocket) -> None:
        ws.send(ws.recv())
        done.wait(PATIENCE)

    monkeypatch.setattr("wsproto_sockets.binding._CORK_TIME", PATIENCE)
    with serve(handler, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        (ws,) = server.connections
        eventually(lambda: ws.link._is_reading)
        raw.send(frame(TEXT, b"first") + frame(TEXT, b"second"))
        assert raw.frame().payload == b"first"
        done.set()


def test_other_threads_write_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_sockets.binding._CORK_TIME", PATIENCE)
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        receiving = run(lambda: [ws.recv() for _ in range(100)])
        for number in range(100):
            ws.send(str(number))
        assert receiving.result(PATIENCE) == [str(number) for number in range(100)]


def test_a_socket_that_was_handed_over_serves_as_well() -> None:
    with serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        with connect(url(server), sock=sock) as ws:
            ws.send("x")
            assert ws.recv(PATIENCE) == "x"
            ws.send("y")
            assert ws.recv() == "y"
