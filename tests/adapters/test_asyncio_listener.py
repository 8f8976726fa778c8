"""The fast path: plain callbacks, each exactly as often as it should be."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

import pytest

from tests.adapters.kit import HANDSHAKE, TEXT, Raw, close_frame, deaf_socket, echo, eventually, frame, url
from wsproto_asyncio import Listener, WebSocket, connect, serve
from wsproto_asyncio.stream import SocketTransport
from wsproto_core import CloseReport, Fragment, OutboxFull, Receive, Violation


class Recorder(Listener):
    """Writes down what it is told."""

    calls: list[tuple[str, object]]

    def opened(self, ws: WebSocket) -> None:
        self.calls.append(("opened", ws.state.value))

    def received(self, ws: WebSocket, message: str | bytes | Fragment) -> None:
        self.calls.append(("received", message))

    def closed(self, ws: WebSocket, report: CloseReport) -> None:
        self.calls.append(("closed", report.code))


def recorder() -> type[Recorder]:
    """A class of its own for each test."""
    return type("Fresh", (Recorder,), {"calls": []})


class Echo(Listener):
    def received(self, ws: WebSocket, message: str | bytes | Fragment) -> None:
        assert not isinstance(message, Fragment)
        ws.send_nowait(message)


async def test_an_echo_server_without_a_task_per_connection() -> None:
    async with serve(Echo, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        for number in range(100):
            await ws.send(str(number))
        assert [await ws.recv() for _ in range(100)] == [str(number) for number in range(100)]


@pytest.mark.parametrize("ending", ["close", "eof", "reset", "offence", "server"])
async def test_each_callback_comes_exactly_once(ending: str) -> None:
    kind = recorder()
    async with serve(kind, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"a") + frame(TEXT, b"b"))
        await eventually(lambda: len(kind.calls) == 3)
        match ending:
            case "close":
                raw.send(close_frame(4001) + frame(TEXT, b"too late"))
                await raw.rest()
            case "eof":
                raw.writer.write_eof()
                await raw.rest()
            case "reset":
                raw.reset()
            case "offence":
                raw.send(frame(TEXT, b"c", mask=None))
                assert await raw.close_code() == 1002
                await raw.rest()
            case _:
                await server.close(grace_period=0.05)
        await eventually(lambda: len(kind.calls) == 4)
    code = {"close": 4001, "offence": 1002}.get(ending, 1006)
    assert kind.calls == [("opened", "open"), ("received", "a"), ("received", "b"), ("closed", code)]


async def test_a_client_with_a_listener() -> None:
    kind = recorder()
    async with serve(echo, "127.0.0.1", 0) as server, connect(url(server), listener=kind) as ws:
        ws.send_nowait("x")
        await eventually(lambda: len(kind.calls) == 2)
    assert kind.calls == [("opened", "open"), ("received", "x"), ("closed", 1000)]


async def test_no_callback_without_a_connection() -> None:
    kind = recorder()
    async with serve(kind, "127.0.0.1", 0) as server:
        for request in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"", HANDSHAKE[:20], b"\x16\x03\x01"):
            async with Raw.connect(server.port, handshake=False) as raw:
                raw.send(request)
                raw.writer.write_eof()
                await raw.rest()
    assert kind.calls == []


async def test_messages_in_the_same_read_as_the_handshake() -> None:
    kind = recorder()
    async with serve(kind, "127.0.0.1", 0) as server, Raw.connect(server.port, handshake=False) as raw:
        raw.send(HANDSHAKE + frame(TEXT, b"early") + close_frame())
        await raw.rest()
    assert kind.calls == [("opened", "closing"), ("received", "early"), ("closed", 1000)]


async def test_every_connection_has_its_own_instance() -> None:
    class Counter(Listener):
        def __init__(self) -> None:
            self.count = 0

        def received(self, ws: WebSocket, message: object) -> None:
            self.count += 1
            ws.send_nowait(str(self.count))

    async with serve(Counter, "127.0.0.1", 0) as server, connect(url(server)) as first, connect(url(server)) as second:
        for ws, count in ((first, "1"), (first, "2"), (second, "1")):
            await ws.send("x")
            assert await ws.recv() == count


@pytest.mark.parametrize("method", ["opened", "received", "closed"])
async def test_an_exception_is_logged_once_and_closes_with_1011(method: str, caplog: pytest.LogCaptureFixture) -> None:
    def boom(*_: object) -> None:
        raise RuntimeError("boom")

    kind = type("Broken", (Listener,), {method: boom})
    async with serve(kind, "127.0.0.1", 0) as server:
        ws = await connect(url(server))
        if method == "closed":
            await ws.close()
        elif method == "received":
            ws.send_nowait("x")
        report = await ws.wait_closed()
        assert report.code == (1000 if method == "closed" else 1011)
    errors = [record for record in caplog.records if record.levelno > logging.DEBUG]
    assert len(errors) == 1
    assert errors[0].exc_info is not None


@pytest.mark.parametrize("error", [RuntimeError("boom"), asyncio.CancelledError("of something else")])
async def test_a_listener_that_cannot_be_made_costs_its_own_connection_only(
    caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    class Choosy(Listener):
        made = 0

        def __init__(self) -> None:
            type(self).made += 1
            if self.made == 1:
                raise error

    await first_is_dropped_and_second_served(Choosy, caplog)


async def test_a_socket_that_broke_before_it_is_welcomed_costs_nobody_else(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, where the system knows no address of such a socket."""
    addresses = iter([None, ("here", "there")])

    def told(_: object) -> tuple[str, str]:
        if (answer := next(addresses)) is None:
            raise OSError(errno.EINVAL, "Invalid argument")
        return answer

    monkeypatch.setattr(SocketTransport, "addresses", property(told))
    monkeypatch.setenv("WSPROTO_ASYNCIO_TRANSPORTS", "own")
    await first_is_dropped_and_second_served(Listener, caplog)


async def first_is_dropped_and_second_served(kind: type[Listener], caplog: pytest.LogCaptureFixture) -> None:
    async with serve(kind, "127.0.0.1", 0) as server:
        address = ("127.0.0.1", server.port)
        with socket.create_connection(address) as first, socket.create_connection(address) as second:
            for sock in (first, second):
                sock.setblocking(False)
            loop = asyncio.get_running_loop()  # which accepts both at once
            assert await loop.sock_recv(first, 100) == b""
            await loop.sock_sendall(second, HANDSHAKE)
            assert (await loop.sock_recv(second, 1000)).startswith(b"HTTP/1.1 101")
    (error,) = (record for record in caplog.records if record.levelno > logging.DEBUG)
    assert "was dropped" in error.getMessage()
    assert error.exc_info is not None


async def test_parts_for_a_listener() -> None:
    kind = recorder()
    async with serve(kind, "127.0.0.1", 0, receive=Receive.FRAGMENTS) as server, connect(url(server)) as ws:
        await ws.send_fragment("a", final=False)
        await ws.send_fragment("b", final=True)
        await eventually(lambda: len(kind.calls) == 3)
    assert kind.calls[1:3] == [("received", Fragment("a", False)), ("received", Fragment("b", True))]


async def test_a_peer_that_does_not_read_is_the_listeners_to_drop() -> None:
    reports: list[CloseReport] = []

    class Flood(Listener):
        def received(self, ws: WebSocket, message: object) -> None:
            while ws.can_send:
                ws.send_nowait(bytes(100_000))
            with pytest.raises(OutboxFull):
                ws.send_nowait("more")
            ws.abort()

        def closed(self, ws: WebSocket, report: CloseReport) -> None:
            reports.append(report)

    async with serve(Flood, "127.0.0.1", 0) as server:
        with await deaf_socket(server.port) as sock:
            sock.send(frame(TEXT, b"?"))
            await eventually(lambda: reports)
    assert reports[0].code == 1006


async def test_an_offence_is_reported_with_its_rule() -> None:
    reports: list[CloseReport] = []

    class Watch(Listener):
        def closed(self, ws: WebSocket, report: CloseReport) -> None:
            reports.append(report)

    async with serve(Watch, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"\xff"))
        assert await raw.close_code() == 1007
    assert reports[0].violation is Violation.INVALID_UTF8
