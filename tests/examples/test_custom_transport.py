"""The adapter of one page: strangers and our own talk to it, and it outlives whoever is rude."""

from __future__ import annotations

import asyncio
import importlib.util
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import websockets

from tests.examples.kit import EXAMPLES, example, run
from wsproto_core import Closed, CloseReport, Connection, Event, Initiator, ServerConnection, Timeouts, Timer
from wsproto_core.frames import Frame, Opcode

pytestmark = pytest.mark.interop
NAME = "custom_transport.py"
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MESSAGES: list[str | bytes] = ["hello", "", b"", b"\x00\xff", "👋 ünïcödé", "x" * 1_000_000, b"y" * 1_000_000, "end"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Until the example listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.02)
        else:
            return


async def is_echoed(uri: str) -> None:
    async with websockets.connect(uri, max_size=None) as ws:
        for message in MESSAGES:
            await ws.send(message)
        assert [await ws.recv() for _ in MESSAGES] == MESSAGES
        await (await ws.ping())
        await ws.close(4001, "bye 👋")
    assert ws.close_code == 4001


def ask(uri: str, message: str) -> str:
    command = [sys.executable, "-W", "error", str(EXAMPLES / NAME), uri, message]
    return subprocess.run(command, text=True, capture_output=True, timeout=30, check=True).stdout


def test_it_fits_on_a_page() -> None:
    assert len((EXAMPLES / NAME).read_text(encoding="utf-8").splitlines()) < 100


def test_it_talks_to_strangers_and_to_itself_many_at_a_time() -> None:
    port = free_port()
    uri = f"ws://127.0.0.1:{port}/"

    async def many() -> None:
        await asyncio.gather(*(is_echoed(uri) for _ in range(10)))

    with example(NAME, str(port)):
        wait_for(port)
        run(many())
        assert ask(uri, "héllo 👋") == "héllo 👋\n"


def test_the_client_talks_to_a_stranger() -> None:
    async def shout(ws: websockets.ServerConnection) -> None:
        async for message in ws:
            assert isinstance(message, str)
            await ws.send(message.upper())

    async def scenario() -> str:
        async with websockets.serve(shout, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await asyncio.to_thread(ask, f"ws://127.0.0.1:{port}/", "hello")

    assert run(scenario()) == "HELLO\n"


def test_a_peer_that_does_not_read_for_a_while_gets_everything() -> None:
    """More than the kernel, the outbox and the inbox hold: the example has to stop reading, and to go on."""
    port, count, size = free_port(), 60, 1_000_000

    async def scenario() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{port}/", max_size=None, max_queue=1) as ws:
            sending = asyncio.create_task(send_all(ws))
            await asyncio.wait({sending}, timeout=0.5)
            for number in range(count):
                message = await ws.recv()
                assert (len(message), message[:2]) == (size, bytes([number, 0]))
            await sending

    async def send_all(ws: Any) -> None:
        for number in range(count):
            await ws.send(bytes([number]) + bytes(size - 1))

    with example(NAME, str(port)):
        wait_for(port)
        run(scenario())


def test_hostile_bytes_hurt_nobody_else() -> None:
    port = free_port()
    rudeness = [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01 no TLS here\r\n\r\n",
        random.Random(1).randbytes(10_000),
        REQUEST,
        REQUEST + b"\xff" * 100,
        REQUEST + bytes(Frame(Opcode.TEXT, b"unmasked")),
        REQUEST + bytes(Frame(Opcode.TEXT, b"\xff", mask=b"abcd")),
        REQUEST + bytes(Frame(Opcode.CLOSE, b"\x03\xe8", mask=b"abcd")) * 2,
    ]

    async def scenario() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{port}/") as ws:
            for number, data in enumerate(rudeness * 2):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
                    if number < len(rudeness):  # without reading the answer: this resets the connection
                        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    sock.sendall(data)
                await ws.send(f"still here {number}")
                assert await ws.recv() == f"still here {number}"

    with example(NAME, str(port)):
        wait_for(port)
        run(scenario())
        run(is_echoed(f"ws://127.0.0.1:{port}/"))


# --- in this process, where timeouts can be short ---------------------------------------------------------------------


def load() -> ModuleType:
    """The example as a module of its own."""
    spec = importlib.util.spec_from_file_location("custom_transport", EXAMPLES / NAME)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def serve_one(timeouts: Timeouts, behave: Callable[[socket.socket], None]) -> tuple[CloseReport, bytes]:
    """Let the example serve one connection to its end; how that was, and what the client has read by then."""
    module = load()
    ours, theirs = socket.socketpair()
    reports: list[CloseReport] = []

    def talk(ws: Connection, events: list[Event]) -> None:
        reports.extend(event.report for event in events if isinstance(event, Closed))
        module.echo(ws, events)

    with theirs:
        behave(theirs)
        module.Link(ours, ServerConnection(timeouts=timeouts, now=time.monotonic()), talk)
        module.run()
        theirs.settimeout(10)
        received = bytearray()
        while data := theirs.recv(65536):
            received += data
    module.selector.close()
    (report,) = reports
    return report, bytes(received)


def test_who_says_nothing_is_told_so() -> None:
    report, received = serve_one(Timeouts(opening_timeout=0.05, closing_timeout=0.05), lambda sock: None)
    assert report.timer is Timer.OPENING
    assert received.startswith(b"HTTP/1.1 408 ")


def test_who_does_not_answer_pings_is_dropped() -> None:
    report, received = serve_one(Timeouts(ping_interval=0.05, pong_timeout=0.05), lambda sock: sock.sendall(REQUEST))
    assert report.timer is Timer.PONG
    assert b"\r\n\r\n\x89\x04" in received


def test_who_is_idle_is_sent_away() -> None:
    report, received = serve_one(Timeouts(idle_timeout=0.05, closing_timeout=0.05), lambda sock: sock.sendall(REQUEST))
    assert report.timer in (Timer.IDLE, Timer.CLOSING)
    assert received.endswith(b"\x88\x06\x03\xe9idle")


def test_half_an_end_is_answered_by_the_other_half() -> None:
    def behave(sock: socket.socket) -> None:
        sock.sendall(REQUEST + bytes(Frame(Opcode.TEXT, b"last", mask=b"abcd")))
        sock.shutdown(socket.SHUT_WR)

    report, received = serve_one(Timeouts(), behave)
    assert report.initiator is Initiator.NETWORK
    assert received.startswith(b"HTTP/1.1 101 ")
