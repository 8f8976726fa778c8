"""``wsproto echo``, as seen by a client of the ``websockets`` library and by plain HTTP."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from tests.cli.kit import UPGRADE, echo, running, wsproto

RUNTIMES = {
    "asyncio": (),
    "uvloop": ("--uvloop",),
    "trio": ("--runtime", "trio"),
    "anyio": ("--runtime", "anyio"),
    "threads": ("--runtime", "threads"),
}
every_runtime = pytest.mark.parametrize("runtime", RUNTIMES.values(), ids=RUNTIMES)


@every_runtime
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_echoes_and_goes_away_politely(runtime: tuple[str, ...], number: signal.Signals) -> None:
    with echo(*runtime) as server, connect(server.uri) as ws:
        for message in ("text", b"binary", "", "é" * 10_000):
            ws.send(message)
            assert ws.recv() == message
        server.signal(number)
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
        assert server.wait() == 0
        assert server.stderr.text() == ""


@every_runtime
def test_a_second_signal_does_not_wait(runtime: tuple[str, ...]) -> None:
    with echo(*runtime) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(UPGRADE)
        assert b" 101 " in client.recv(4096)
        server.signal(signal.SIGTERM)
        assert client.recv(4096) == b"\x88\x02\x03\xe9"  # 1001, which is never answered
        server.signal(signal.SIGTERM)
        assert server.wait() == -signal.SIGTERM


@every_runtime
def test_plain_http_gets_a_text(runtime: tuple[str, ...]) -> None:
    with echo(*runtime) as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        client.request("GET", "/health")
        response = client.getresponse()
        assert response.status == 200
        assert b"WebSocket echo server" in response.read()
        client.close()


@every_runtime
def test_a_proxy_tells_who_the_client_is(runtime: tuple[str, ...]) -> None:
    with (
        echo(*runtime, "-v", "--proxied-by", "192.0.2.0/24", "--proxied-by", "127.0.0.1") as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n" + UPGRADE)
        assert b" 101 " in client.recv(4096)
        server.stderr.until(r"#1 open: 192\.0\.2\.7:56324 /$")


def test_compression_is_accepted_unless_forbidden() -> None:
    for options, extensions in (((), 1), (("--no-compression",), 0)):
        with echo(*options) as server, connect(server.uri) as ws:
            assert len(ws.protocol.extensions) == extensions


def test_the_size_of_messages_is_limited() -> None:
    with echo("--max-message-size", "10") as server, connect(server.uri) as ws:
        ws.send("x" * 10)
        assert ws.recv() == "x" * 10
        ws.send("x" * 11)
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009
    with echo("--max-message-size", "none") as server, connect(server.uri, max_size=None, compression=None) as ws:
        ws.send(b"x" * 3_000_000)
        assert ws.recv() == b"x" * 3_000_000


def test_the_number_of_connections_is_limited() -> None:
    with echo("--max-connections", "1") as server, connect(server.uri) as ws:
        with pytest.raises(InvalidStatus) as caught:
            connect(server.uri)
        assert caught.value.response.status_code == 503
        ws.send("still here")
        assert ws.recv() == "still here"


@every_runtime
def test_a_unix_socket(runtime: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "echo.sock"
    with running("echo", "--unix", str(path), *runtime) as server:
        server.stdout.until("^listening on unix:")
        done = wsproto("connect", "ws://localhost/", "--unix", str(path), "--wait", "0.3", stdin=b"hi")
        assert (done.returncode, done.stdout) == (0, b"hi\n")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert not path.exists()


def test_where_it_cannot_listen_it_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = wsproto("echo", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert b"cannot listen at 127.0.0.1:" in done.stderr
    for arguments in (["--host", "no-such-host.invalid"], ["--host", "a..b"], ["--unix", "/no/such/folder/x"]):
        done = wsproto("echo", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(b"wsproto: cannot listen at ")
        assert b"Traceback" not in done.stderr


def test_verbose_tells_who_comes_and_how_it_ends() -> None:
    with echo("-v") as server:
        with connect(server.uri + "?token=hunter2") as ws:
            server.stderr.until(r"#1 open: 127\.0\.0\.1:\d+ /\?token=<hidden>")
            ws.send("x")
            ws.recv()
        server.stderr.until(r"#1 closed by the peer: 1000 .*1 in, 1 out")


def test_rubbish_leaves_no_trace() -> None:
    with echo() as server:
        for rubbish in (b"\x16\x03\x01\x00\xff", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 100_000, b""):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(rubbish)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert server.stderr.text() == ""


def test_several_addresses_share_a_command() -> None:
    """``localhost`` has two here and there, and one elsewhere: each is told, and each answers."""
    with running("echo", "--host", "localhost", "--port", "0") as server:
        uris = server.stdout.until("^listening on (.+)$")[1].split(", ")
        assert uris
        for uri in uris:
            with connect(uri) as ws:
                ws.send("x")
                assert ws.recv() == "x"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("payload", [b"x" * 100, b"x" * 100_000], ids=["small", "large"])
def test_who_never_reads_does_not_grow_the_server(payload: bytes) -> None:
    frame = Frame(Opcode.BINARY, payload).serialize(mask=True)
    batch = frame * max(1, 1_000_000 // len(frame))
    with echo("--no-compression") as server, connect(server.uri, close_timeout=0.1) as ws:
        before = resident(server.process.pid)
        ws.socket.settimeout(2)  # sent until nothing has been taken for so long: backpressure has reached us
        with pytest.raises(TimeoutError):  # noqa: PT012  (which of them it is, the buffers of the system decide)
            for _ in range(500_000_000 // len(batch)):
                ws.socket.sendall(batch)
        assert resident(server.process.pid) - before < 20_000_000


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
