"""Backpressure in both directions, in bytes, over blocking sockets."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc

import pytest

from tests.adapters.kit import BINARY, PING, TEXT, close_frame, frame
from tests.adapters.sockets_kit import PATIENCE, Raw, deaf_socket, drain, eventually, run, send_all, tidy, url
from wsproto_core import ConnectionClosed, Limits, Timeouts
from wsproto_sockets import WebSocket, connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")

MEGABYTE = 1024 * 1024


def settled(count: list[int]) -> bool:
    """Whether the last number has not changed for a while."""
    before = count[-1]
    time.sleep(0.05)
    return before == count[-1]


def test_send_waits_while_the_peer_does_not_read_and_goes_on_when_it_does() -> None:
    sent = [0]
    total = 400

    def flood(ws: WebSocket) -> None:
        for number in range(total):
            ws.send(bytes(100_000))
            sent.append(number + 1)

    with (
        serve(flood, "127.0.0.1", 0, limits=Limits(outbox_size=300_000)) as server,
        deaf_socket(server.port) as sock,
    ):
        eventually(lambda: server.connections and not next(iter(server.connections)).can_send)
        (ws,) = server.connections
        eventually(lambda: settled(sent))  # until the kernel's buffers are full
        assert sent[-1] < total
        assert ws.engine.bytes_queued < 300_000 + 100_000 + 262_144
        got = 0
        while got < total * (100_000 + 10):
            got += len(sock.recv(262_144))
        eventually(lambda: sent[-1] == total)
        sock.sendall(close_frame())
        eventually(lambda: not server.connections)


def test_memory_is_bounded_while_the_peer_does_not_read() -> None:
    def flood(ws: WebSocket) -> None:
        try:
            while True:
                ws.send(bytes(50_000))
        except ConnectionClosed:
            pass

    with serve(flood, "127.0.0.1", 0, limits=Limits(outbox_size=500_000)) as server:
        sockets = [deaf_socket(server.port) for _ in range(10)]
        tracemalloc.start()
        try:
            eventually(lambda: len(server.connections) == 10 and not any(w.can_send for w in server.connections))
            assert tracemalloc.get_traced_memory()[0] < 10 * 1_200_000
        finally:
            tracemalloc.stop()
            for sock in sockets:
                sock.close()
        eventually(lambda: not server.connections)


@pytest.mark.parametrize("size", [1000, 60_000])
def test_a_flood_stops_at_the_inbox_mark_and_goes_on(size: int) -> None:
    count = 16 * MEGABYTE // (size + 6) // 100 * 100
    wanted = threading.Event()
    got: list[int] = []

    def handler(ws: WebSocket) -> None:
        assert wanted.wait(PATIENCE)
        got.extend(len(message) for message in ws)

    with (
        serve(handler, "127.0.0.1", 0, limits=Limits(inbox_size=200_000)) as server,
        Raw.connect(server.port) as raw,
    ):
        eventually(lambda: server.connections)
        (ws,) = server.connections
        flooding = run(send_all, raw, [frame(BINARY, bytes(size)) * 100 for _ in range(count // 100)])
        eventually(lambda: not ws.engine.wants_read)
        inbox = ws.engine._inbox
        assert inbox is not None
        assert inbox.size < 200_000 + size + 2 * 65_536  # one read more than the mark
        wanted.set()
        flooding.result(PATIENCE)
        raw.send(close_frame())
        assert raw.close_code() == 1000
    assert got == [size] * count


def test_both_sides_may_send_huge_amounts_while_each_reads() -> None:
    total, message = 40, bytes(900_000)

    def both(ws: WebSocket) -> None:
        receiving = run(lambda: [len(ws.recv(PATIENCE)) for _ in range(total)])
        for _ in range(total):
            ws.send(message)
        assert receiving.result(PATIENCE) == [len(message)] * total

    with serve(both, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        both(ws)


def test_many_writers_wait_for_room_and_each_gets_its_turn() -> None:
    """None of them waits for ever, whoever makes the room."""
    limits = Limits(outbox_size=1)
    with serve(drain, "127.0.0.1", 0) as server, connect(url(server), limits=limits) as ws:

        def poll() -> None:
            for _ in range(200):
                with pytest.raises(TimeoutError):
                    ws.recv(0.0001)

        writing = [run(send_all, ws, [bytes(200_000) for _ in range(20)]) for _ in range(10)]
        polling = run(poll)
        for work in writing:
            work.result(PATIENCE)
        polling.result(PATIENCE)
        assert ws.statistics.messages_sent == 200


def test_pings_from_a_peer_that_does_not_read_cost_nothing() -> None:
    """Only the latest ping has to be answered (RFC 6455 §5.5.3)."""
    limits = Limits(control_frame_rate=None, outbox_size=50_000)
    with (
        serve(drain, "127.0.0.1", 0, limits=limits, timeouts=Timeouts(ping_interval=None)) as server,
        deaf_socket(server.port) as sock,
    ):
        eventually(lambda: server.connections)
        (ws,) = server.connections
        batch = frame(PING, bytes(125)) * 500
        while ws.statistics.pings_received < 20_000:
            sock.sendall(batch)
            assert ws.engine.bytes_queued < 60_000
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MEGABYTE)
        sock.sendall(frame(PING, b"the last one") + close_frame())
        data = bytearray()
        while b"\x88\x02\x03\xe8" not in data:
            data += sock.recv(262_144)
        assert ws.statistics.pings_received > ws.statistics.pongs_sent


def test_send_that_waits_learns_of_the_peers_close() -> None:
    ends: list[Exception] = []

    def answer_at_length(ws: WebSocket) -> None:
        ws.recv()
        try:
            while True:
                ws.send(bytes(100_000))
        except Exception as error:
            ends.append(error)
            raise

    limits, timeouts = Limits(outbox_size=200_000), Timeouts(closing_timeout=0.2)
    with (
        serve(answer_at_length, "127.0.0.1", 0, limits=limits, timeouts=timeouts) as server,
        deaf_socket(server.port) as sock,
    ):
        sock.sendall(frame(TEXT, b"?"))
        eventually(lambda: server.connections and not next(iter(server.connections)).can_send)
        sock.sendall(close_frame())
        eventually(lambda: ends)
    assert isinstance(ends[0], ConnectionClosed)


def test_a_slow_reader_is_not_taken_for_dead() -> None:
    """It reads, slowly; it never answers a ping, because the ping is behind megabytes."""
    timeouts = Timeouts(ping_interval=0.05, pong_timeout=0.3)

    def feed(ws: WebSocket) -> None:
        ws.send(bytes(1_500_000))
        drain(ws)

    with serve(feed, "127.0.0.1", 0, timeouts=timeouts) as server:
        # Or the kernel would take it all at once.
        server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        with deaf_socket(server.port) as sock:
            eventually(lambda: server.connections)
            (ws,) = server.connections
            while ws.engine.bytes_queued:
                sock.recv(4096)
                time.sleep(0.002)
            assert ws.close_report is None
            assert ws.statistics.pongs_received == 0


def test_an_application_that_does_not_read_is_not_a_dead_peer() -> None:
    """While this side does not listen, silence means nothing."""
    timeouts = Timeouts(ping_interval=0.05, pong_timeout=0.05)
    proceed = threading.Event()

    def handler(ws: WebSocket) -> None:
        assert proceed.wait(PATIENCE)
        drain(ws)

    limits = Limits(inbox_size=10_000)
    with serve(handler, "127.0.0.1", 0, timeouts=timeouts, limits=limits) as server, connect(url(server)) as ws:
        sending = run(send_all, ws, [bytes(100_000) for _ in range(100)])
        eventually(lambda: server.connections and not next(iter(server.connections)).engine.wants_read)
        (there,) = server.connections
        with pytest.raises(TimeoutError):
            there.wait_closed(0.3)  # six times what would be the end of a peer that is silent
        proceed.set()
        sending.result(PATIENCE)
