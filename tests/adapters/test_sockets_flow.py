"""Backpressure over blocking sockets, as far as the adapter kit cannot see it: memory, many writers, small buffers."""

from __future__ import annotations

import socket
import time
import tracemalloc

import pytest

from tests.adapters.sockets_kit import PATIENCE, deaf_socket, drain, eventually, run, send_all, tidy, url
from wsproto_core import ConnectionClosed, Limits, Timeouts
from wsproto_sockets import WebSocket, connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")


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
