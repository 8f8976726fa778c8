"""Every example runs as its docstring says, and a client or server that nobody here wrote agrees with it."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from tests.examples.kit import EXAMPLES, demo, example, printed_address, run

pytestmark = pytest.mark.interop


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def connected(uri: str) -> ClientConnection:
    """A connection, as soon as the example listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return await connect(uri, max_size=None)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)


async def is_echoed(uri: str) -> None:
    """Talk to an echo server: every kind of message, many at once, a ping, and a close with a code."""
    ws = await connected(uri)
    messages: list[str | bytes] = [
        "hello",
        "",
        b"",
        b"\x00\xff",
        "👋 ünïcödé",
        "x" * 1_000_000,
        b"y" * 1_000_000,
        "end",
    ]
    for message in messages:
        await ws.send(message)
    assert [await ws.recv() for _ in messages] == messages
    await (await ws.ping())
    await ws.close(4001, "bye 👋")
    assert ws.close_code == 4001


def code_lines(path: Path) -> int:
    """Lines that are neither empty, nor a comment, nor the docstring of one line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return sum(bool(line.strip()) and not line.lstrip().startswith(("#", '"""')) for line in lines)


@pytest.mark.parametrize("name", ["embed_engine.py", "echo_server.py"])
def test_an_echo_server_echoes_to_one_client_after_another(name: str) -> None:
    port = free_port()
    with example(name, str(port)):
        run(is_echoed(f"ws://127.0.0.1:{port}/"))
        run(is_echoed(f"ws://127.0.0.1:{port}/"))


def test_the_embedded_engine_outlives_a_rude_client() -> None:
    port = free_port()
    with example("embed_engine.py", str(port)):
        run(is_echoed(f"ws://127.0.0.1:{port}/"))
        for rudeness in (b"", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01 no TLS here\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
                sock.sendall(rudeness)
        run(is_echoed(f"ws://127.0.0.1:{port}/"))


def test_the_client_prints_the_echo() -> None:
    async def echo(ws: ServerConnection) -> None:
        async for message in ws:
            await ws.send(message)

    async def scenario() -> str:
        async with serve(echo, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            command = [str(EXAMPLES / "echo_client.py"), f"ws://127.0.0.1:{port}/", "héllo 👋"]
            process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=subprocess.PIPE)
            output, _ = await process.communicate()
            assert process.returncode == 0
            return output.decode()

    assert re.fullmatch(r"héllo 👋 \(\d+\.\d ms\)\s*", run(scenario()))


@pytest.mark.parametrize(("name", "budget"), [("embed_engine.py", 20), ("echo_server.py", 15), ("echo_client.py", 15)])
def test_the_examples_are_as_short_as_promised(name: str, budget: int) -> None:
    assert code_lines(EXAMPLES / name) <= budget


def test_the_demo_is_as_short_as_promised() -> None:
    lines = len((EXAMPLES / "demo" / "server.py").read_text(encoding="utf-8").splitlines())
    assert lines <= 150


# ------------------------------------------------------------------------------------------------ the demo's manners


def chat(url: str) -> str:
    """The address of the chat room behind a page."""
    return f"{url.replace('http', 'ws')}chat"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_says_goodbye_when_it_is_told_to_end(number: signal.Signals) -> None:
    with example("demo/server.py", "--port", "0") as process:

        async def visit() -> int | None:
            async with connect(chat(printed_address(process))) as ws:
                process.send_signal(number)
                await ws.wait_closed()
                return ws.close_code

        assert run(visit()) == 1001
        assert process.wait(10) == 0


def test_the_demo_ends_although_its_shell_ignores_interrupts() -> None:
    """As a shell does for what it runs in the background."""
    command = f"trap '' INT; exec {sys.executable} {EXAMPLES / 'demo' / 'server.py'} --port 0"
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True) as process:
        try:
            printed_address(process)
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()


HELLO = '{"type": "hello", "name": "Ada", "visitor": "v"}'


async def answer(ws: ClientConnection, message: str | bytes, kind: str) -> str:
    """Send a message and return the first answer of a kind."""
    await ws.send(message)
    async for reply in ws:
        assert isinstance(reply, str)
        if f'"type": "{kind}"' in reply:
            return reply
    raise AssertionError(f"closed: {ws.close_code}")


NONSENSE: list[str | bytes] = [
    "",
    "no JSON",
    "[" * 100_000,
    "9" * 100_000,
    "null",
    '{"type": 1}',
    '{"type": "say"}',
    '{"type": "say", "text": ""}',
    '{"type": "say", "text": 7}',
    '{"type": "say", "text": "' + "x" * 2001 + '"}',
    '{"type": "close", "code": 1006, "reason": ""}',
    '{"type": "close", "code": 4000, "reason": "' + "x" * 124 + '"}',
    '{"type": "close", "code": 4000, "reason": "\\ud800"}',
    '{"type": "close", "code": true, "reason": ""}',
    '{"type": "close", "code": 99999999999999999999, "reason": ""}',
    b"a file that nobody announced",
]


def test_the_demo_answers_nonsense_and_goes_on() -> None:
    async def scenario(uri: str) -> None:
        async with connect(uri) as ws:
            assert "hello first" in await answer(ws, '{"type": "say", "text": "hi"}', "error")
            await answer(ws, HELLO, "welcome")
            for nonsense in NONSENSE:
                await answer(ws, nonsense, "error")
            assert "\\ud800" in await answer(ws, '{"type": "say", "text": "\\ud800"}', "say")
            assert '"text": "still here"' in await answer(ws, '{"type": "say", "text": "still here"}', "say")

    with demo() as url:
        run(scenario(chat(url)))


def test_the_demo_keeps_what_was_said_last() -> None:
    async def scenario(uri: str) -> None:
        async with connect(uri) as ws:
            await answer(ws, HELLO, "welcome")
            for number in range(55):
                await answer(ws, f'{{"type": "say", "text": "<{number}>"}}', "say")
            async with connect(uri) as newcomer:
                welcome = await answer(newcomer, HELLO, "welcome")
        assert welcome.count('"text"') == 50
        assert '"<4>"' not in welcome
        assert '"<5>"' in welcome

    with demo() as url:
        run(scenario(chat(url)))


def test_the_demo_refuses_pages_from_elsewhere() -> None:
    async def scenario(uri: str) -> None:
        with pytest.raises(websockets.InvalidStatus) as refusal:
            await connect(uri, origin=websockets.Origin("http://evil.example"))
        assert refusal.value.response.status_code == 403

    with demo() as url:
        run(scenario(chat(url)))


def test_the_demo_closes_who_sends_too_large_a_file() -> None:
    async def scenario(uri: str) -> None:
        async with connect(uri) as ws:
            await answer(ws, HELLO, "welcome")
            await ws.send(b"x" * (1024 * 1024 + 1))
            await ws.wait_closed()
            assert ws.close_code == 1009

    with demo() as url:
        run(scenario(chat(url)))


async def everything(ws: ClientConnection) -> None:
    """Receive until the connection ends; raises how it did unless it was an ordinary end."""
    async for _ in ws:
        pass


def socket_with_little_room(uri: str) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    address = urlsplit(uri)
    sock.connect((address.hostname, address.port))
    return sock


def test_the_demo_closes_who_cannot_keep_up_and_nobody_else() -> None:
    noise = random.Random(1).randbytes(1024 * 1024)

    async def scenario(uri: str) -> None:
        little = socket_with_little_room(uri)
        async with connect(uri, sock=little, max_size=None, max_queue=1) as slow, connect(uri, max_size=None) as quick:
            await answer(slow, HELLO, "welcome")
            await answer(quick, HELLO, "welcome")
            for _ in range(12):  # MiB: more than the outbox and the kernel can hold
                await quick.send('{"type": "file", "name": "noise", "media": ""}')
                await quick.send(noise)
                while await quick.recv() != noise:
                    pass
            with pytest.raises(websockets.ConnectionClosedError):
                await everything(slow)
            assert slow.close_code == 1013
            await answer(quick, '{"type": "say", "text": "still here"}', "say")

    with demo() as url:
        run(scenario(chat(url)))


def test_the_demo_stops_quietly() -> None:
    async def scenario(process: subprocess.Popen[str]) -> None:
        async with connect(chat(printed_address(process))) as ws:
            await answer(ws, HELLO, "welcome")
            process.send_signal(signal.SIGINT)
            await ws.wait_closed()
            assert ws.close_code == 1001
        assert await asyncio.to_thread(process.wait, 10) == 0

    with example("demo/server.py", "--port", "0") as process:
        run(scenario(process))
