"""Many threads on one connection, and the time limits of ``recv`` and ``ping``."""

from __future__ import annotations

import threading
import time

import pytest

from tests.adapters.sockets_kit import PATIENCE, echo, eventually, raw_server, run, send_all, tidy, url
from wsproto_core import (
    ConnectionClosedOK,
    Limits,
    PerMessageDeflate,
)
from wsproto_sockets import WebSocket, connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")


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
