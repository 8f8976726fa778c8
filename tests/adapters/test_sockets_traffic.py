"""The way of a message over a blocking socket, also where somebody follows the engine and is told of each call."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.adapters.kit import BINARY, TEXT, frame
from tests.adapters.sockets_kit import PATIENCE, Raw, deaf_socket, drain, echo, eventually, run, tidy, url
from wsproto_core import ConnectionClosedError, Limits
from wsproto_sockets import WebSocket, connect, serve

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")

Seen = Callable[[WebSocket], None]


@pytest.fixture(params=[False, True], ids=["alone", "followed"])
def seen(request: pytest.FixtureRequest) -> Seen:
    """Lets somebody follow a connection, or nobody."""

    def see(ws: WebSocket) -> None:
        with ws.changing():
            ws.engine.is_followed = request.param

    return see


@pytest.mark.parametrize("size", [0, 64, 16 * 1024 - 4, 16 * 1024, 70_000, 256 * 1024, 1 << 20])
def test_messages_of_every_size_come_and_go(seen: Seen, size: int) -> None:
    with serve(echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        seen(ws)
        seen(*server.connections)
        for message in ("x" * size, b"x" * size):
            for _ in range(2):
                ws.send(message)
                assert ws.recv() == message


def test_messages_that_come_together_are_answered_together(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_sockets.binding._CORK_TIME", PATIENCE)
    with serve(echo, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        (ws,) = server.connections
        seen(ws)
        for _ in range(3):
            eventually(lambda: ws.link._is_reading)
            raw.send(frame(BINARY, bytes(10)) * 100)
            for _ in range(100):
                assert raw.frame().payload == bytes(10)


def test_what_does_not_fit_is_left_to_the_thread(seen: Seen) -> None:
    def feed(ws: WebSocket) -> None:
        seen(ws)
        for number in range(2_000):
            ws.send(number.to_bytes(2) * 1_000)
        ws.send(bytes(3_000_000))
        ws.recv()

    with serve(feed, "127.0.0.1", 0, limits=Limits(outbox_size=10_000_000)) as server, deaf_socket(server.port) as sock:
        eventually(lambda: server.connections)
        (ws,) = server.connections
        eventually(lambda: ws.engine.statistics.messages_sent == 2_001)
        assert ws.engine.bytes_queued
        raw = Raw(sock)
        for number in range(2_000):
            assert raw.frame().payload == number.to_bytes(2) * 1_000
        parts = [raw.frame()]
        while not parts[-1].fin:
            parts.append(raw.frame())
        assert b"".join(part.payload for part in parts) == bytes(3_000_000)


def test_a_broken_socket_is_noticed_by_who_sends(seen: Seen) -> None:
    with serve(drain, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        (ws,) = server.connections
        eventually(lambda: ws.link._is_reading)
        seen(ws)
        with ws.link.lock:  # nobody else notices before
            raw.reset()
            ws.engine.send("x")
            ws.link.flush()
            assert ws.link._error is not None
        with pytest.raises(ConnectionClosedError):
            ws.recv(PATIENCE)


def test_a_broken_socket_is_noticed_by_who_reads(seen: Seen) -> None:
    with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        seen(ws)
        ws.send("x")
        receiving = run(ws.recv)
        eventually(lambda: ws.link._is_reading)
        (other,) = server.connections
        other.abort()
        with pytest.raises(ConnectionClosedError):
            receiving.result(PATIENCE)


def test_who_waits_for_a_pong_is_told_by_who_reads(seen: Seen) -> None:
    with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        seen(ws)
        receiving = run(ws.recv)
        for _ in range(20):
            eventually(lambda: ws.link._is_reading)
            assert ws.ping(timeout=PATIENCE) < PATIENCE
        (other,) = server.connections
        other.send("over")
        assert receiving.result(PATIENCE) == "over"


def test_who_comes_back_with_a_message_waits_for_the_lock_and_comes_first(seen: Seen) -> None:
    with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        (other,) = server.connections
        seen(ws)
        receiving = run(ws.recv)
        eventually(lambda: ws.link._is_reading)
        other.send("first")
        assert receiving.result(PATIENCE) == "first"
        for _ in range(3):
            receiving = run(ws.recv)
            eventually(lambda: ws.link._is_reading)
            with ws.link.lock:
                ws.link._wake()  # so that nobody else looks at the socket
            eventually(lambda: not ws.link._is_watching and (ws.link._asleep or (1,))[0] == 0)
            with ws.link.lock:
                other.send("hello")
                eventually(lambda: ws.link._is_wanted)
                sending = run(ws.send, "behind it")
            assert receiving.result(PATIENCE) == "hello"
            sending.result(PATIENCE)
            eventually(lambda: not ws.link._is_wanted)


def test_who_begins_to_follow_while_somebody_waits_is_told_of_what_comes() -> None:
    with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        (other,) = server.connections
        receiving = run(ws.recv)
        eventually(lambda: ws.link._is_reading)
        calls: list[bytes] = []
        receive_data = ws.engine.receive_data

        def followed(data: bytes, now: float) -> object:
            calls.append(bytes(data))
            return receive_data(data, now)

        with ws.changing():
            ws.engine.receive_data = followed  # type: ignore[method-assign,assignment]  # as a recorder does
            ws.engine.is_followed = True
        other.send("hello")
        assert receiving.result(PATIENCE) == "hello"
        assert calls == [frame(TEXT, b"hello", mask=None)]
