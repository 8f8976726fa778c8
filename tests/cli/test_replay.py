"""`wsproto replay`: from a connection that broke over a real socket, to its file, to the same end again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

import wsproto_asyncio
import wsproto_sockets
from tests.cli.kit import UPGRADE, wsproto
from wsproto_cli import main
from wsproto_core.frames import Frame, Opcode
from wsproto_core.recorder import Flight, FlightRecorder, save_flight

MASK = b"abcd"


def rude_client(port: int) -> None:
    """Says hello, and then what no client may say."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(UPGRADE.replace(b"\r\n\r\n", b"\r\nCookie: c00kie\r\n\r\n"))
        assert sock.recv(1000).startswith(b"HTTP/1.1 101 ")
        sock.sendall(bytes(Frame(Opcode.TEXT, b"hello", mask=MASK)) + b"\x83\x00")
        while sock.recv(1000):
            pass


def over_asyncio(recorder: FlightRecorder) -> None:
    async def echo(ws: wsproto_asyncio.WebSocket) -> None:
        async for message in ws:
            await ws.send(message)

    async def scenario() -> None:
        async with wsproto_asyncio.serve(echo, "127.0.0.1", 0, recorder=recorder) as server:
            await asyncio.to_thread(rude_client, server.port)

    asyncio.run(scenario())


def over_threads(recorder: FlightRecorder) -> None:
    def echo(ws: wsproto_sockets.WebSocket) -> None:
        for message in ws:
            ws.send(message)

    with wsproto_sockets.serve(echo, "127.0.0.1", 0, recorder=recorder) as server:
        rude_client(server.port)


def recorded(serve: Callable[[FlightRecorder], None], path: Path, *, payloads: bool = False) -> Path:
    """The file that a server writes when that client has been there."""

    def save(flight: Flight) -> None:
        path.write_text("".join(save_flight(flight)), encoding="utf-8")

    recorder = FlightRecorder(save, payloads=payloads)
    serve(recorder)
    assert recorder.failure is None
    return path


@pytest.mark.parametrize("serve", [over_asyncio, over_threads])
def test_a_recorded_connection_reaches_the_same_state(serve: Callable[[FlightRecorder], None], tmp_path: Path) -> None:
    path = recorded(serve, tmp_path / "flight.jsonl", payloads=True)
    done = wsproto("replay", str(path))
    assert done.returncode == 0, done.stderr
    calls, state, report, events = done.stdout.decode().splitlines()
    assert calls.startswith("calls:  ")
    assert state == "state:  CLOSED"
    assert report.startswith("report: closed by this side: 1002 (protocol error) 'the opcode is reserved")
    assert events == "events: 1 Request, 1 str, 1 Closed"


@pytest.mark.parametrize("serve", [over_asyncio, over_threads])
def test_without_payloads_it_does_too(
    serve: Callable[[FlightRecorder], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(serve, tmp_path / "flight.jsonl")
    assert main(["replay", str(path)]) == 0
    assert "hello" not in path.read_text() + capsys.readouterr().out
    assert b"hello".hex() not in path.read_text()
    assert b"c00kie".hex() not in path.read_text()


def test_it_is_shown_as_text(tmp_path: Path) -> None:
    path = recorded(over_threads, tmp_path / "flight.jsonl", payloads=True)
    done = wsproto("replay", "--text", "-", stdin=path.read_bytes())
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.decode().splitlines()]
    assert "Cookie: xxxxxx" in lines
    at = lines.index("TEXT fin masked 5 bytes")
    assert lines[at + 1 : at + 3] == ["0-5 of 5: b'hello'", "opcode 0x3 fin 0 bytes"]
    assert "state: CLOSED" in lines


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_departure_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(over_threads, tmp_path / "flight.jsonl")
    path.write_text(path.read_text().replace('"text 5"', '"text 6"'))
    assert main(["replay", str(path)]) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith("wsproto: it did otherwise than was recorded\n    call ")
    assert "receive_data: text 5" in complaint


def test_what_cannot_be_replayed_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "flight.jsonl"
    recorder = FlightRecorder(lambda flight: path.write_text("".join(save_flight(flight))), max_entries=2)
    over_threads(recorder)
    assert main(["replay", str(path)]) == 1
    assert capsys.readouterr().err.startswith("wsproto: it cannot be replayed: its beginning was not kept")
    assert main(["replay", "--text", str(path)]) == 0


def test_an_extension_that_is_not_known_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(over_threads, tmp_path / "flight.jsonl", payloads=True)
    text = path.read_text().replace('"extensions": []', '"extensions": [["x-odd", null]]')
    path.write_text(text.replace('"agreed": null', '"agreed": "x-odd"'))
    assert main(["replay", str(path)]) == 1
    assert capsys.readouterr().err == "wsproto: extensions: 'x-odd' is not known here\n"


@pytest.mark.parametrize(("content", "words"), [(None, "No such file or directory"), ("{}", "this is no flight")])
def test_a_file_that_makes_no_sense(
    content: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "flight.jsonl"
    if content is not None:
        path.write_text(content)
    assert main(["replay", str(path)]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]
