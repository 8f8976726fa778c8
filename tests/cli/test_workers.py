"""``wsproto echo --workers``: real processes, which are killed, restarted and left alone.

Every process of a test has the test's end of its standard error, so the end of that stream is the end of them all.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.cli.kit import COMMAND, PATIENCE, UPGRADE, Echo, echo, environment, wsproto

if sys.platform == "win32":
    pytest.skip("workers need POSIX", allow_module_level=True)

from wsproto_cli.runtimes import Life
from wsproto_cli.supervisor import supervise

#: More connections than that land on one of two workers by chance once in 10 ** 19 runs.
MANY = 64


def pids(server: Echo, number: int) -> set[int]:
    """The next ``number`` workers to become ready."""
    return {int(server.stderr.until(r"worker (\d+) is ready$")[1]) for _ in range(number)}


@pytest.fixture
def server() -> Iterator[Echo]:
    with echo("--workers", "2", "-v") as running:
        yield running


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def visit(stack: ExitStack, server: Echo) -> tuple[ClientConnection, int]:
    """A connection that works, and the worker that it is with."""
    ws = stack.enter_context(connect(server.uri))
    pid = int(server.stderr.until(r"worker (\d+): #\d+ open")[1])
    ws.send("hello")
    assert ws.recv() == "hello"
    return ws, pid


def close_code(ws: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as caught:
        ws.recv(PATIENCE)
    return caught.value.rcvd.code if caught.value.rcvd else None


@pytest.mark.parametrize("runtime", ["asyncio", "trio", "anyio", "threads"])
def test_connections_are_spread_and_closed_politely(runtime: str, stack: ExitStack) -> None:
    with echo("--workers", "2", "-v", "--runtime", runtime) as server:
        workers = pids(server, 2)
        visits = [visit(stack, server)]
        while {pid for _, pid in visits} != workers and len(visits) < MANY:
            visits.append(visit(stack, server))
        assert {pid for _, pid in visits} == workers
        server.signal(signal.SIGTERM)
        assert {close_code(ws) for ws, _ in visits} == {1001}
        assert server.wait() == 0
        assert "Traceback" not in server.stderr.text()


def test_a_worker_that_dies_is_replaced(server: Echo, stack: ExitStack) -> None:
    before = pids(server, 2)
    ws, pid = visit(stack, server)
    os.kill(pid, signal.SIGKILL)
    assert close_code(ws) is None
    server.stderr.until(rf"worker {pid} was killed by SIGKILL; another one takes its place$")
    after = (before - {pid}) | pids(server, 1)
    assert len(after) == 2
    seen = set[int]()
    while seen != after:
        seen.add(visit(stack, server)[1])
        assert seen <= after


def test_what_comes_while_a_worker_is_replaced_waits_for_the_next(stack: ExitStack) -> None:
    with echo("--workers", "1", "-v") as server:
        (pid,) = pids(server, 1)
        os.kill(pid, signal.SIGKILL)
        _, successor = visit(stack, server)
        assert successor != pid


def test_a_graceful_restart_replaces_every_worker(server: Echo, stack: ExitStack) -> None:
    before = pids(server, 2)
    ws, pid = visit(stack, server)
    assert pid in before
    server.signal(signal.SIGHUP)
    ws.send("still there?")
    assert ws.recv() == "still there?"
    after = pids(server, 2)
    assert not before & after
    assert close_code(ws) == 1001
    while not before <= ended(server):
        server.stderr.until("ended with exit status 0$")
    assert visit(stack, server)[1] in after


@pytest.mark.parametrize("runtime", ["asyncio", "trio", "anyio", "threads"])
def test_a_drained_worker_ends_with_its_last_connection(runtime: str, stack: ExitStack) -> None:
    with echo("--workers", "1", "-v", "--drain", "none", "--runtime", runtime) as server:
        (first,) = pids(server, 1)
        server.signal(signal.SIGHUP)  # nobody is there to wait for
        (before,) = pids(server, 1)
        server.stderr.until(rf"worker {first} ended with exit status 0$")
        ws, _ = visit(stack, server)
        server.signal(signal.SIGHUP)
        (after,) = pids(server, 1)
        while [visit(stack, server)[1] for _ in range(3)] != [after] * 3:
            pass  # the one before has not heard yet
        ws.send("still there?")
        assert ws.recv() == "still there?"
        stack.close()
        server.stderr.until(rf"worker {before} ended with exit status 0$")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert "Traceback" not in server.stderr.text()


def test_a_drain_has_an_end(stack: ExitStack) -> None:
    with echo("--workers", "1", "-v", "--drain", "0.5") as server:
        pids(server, 1)
        ws, _ = visit(stack, server)
        server.signal(signal.SIGHUP)
        pids(server, 1)
        ws.send("still there?")
        assert ws.recv() == "still there?"
        assert close_code(ws) == 1001


@pytest.mark.parametrize("drain", ["0", "none"])
def test_a_handshake_in_the_middle_of_a_restart_is_answered(drain: str) -> None:
    with (
        echo("--workers", "1", "-v", "--drain", drain) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client,
    ):
        (before,) = pids(server, 1)
        client.sendall(UPGRADE[:30])
        server.signal(signal.SIGHUP)
        pids(server, 1)
        client.sendall(UPGRADE[30:])
        answer = client.recv(4096)
        # Which of them depends on when the worker hears of the restart.
        assert b" 101 " in answer or (b" 503 " in answer and b"retry-after: " in answer.lower())
        client.close()
        server.stderr.until(rf"worker {before} ended with exit status 0$")


def ended(server: Echo) -> set[int]:
    """The workers whose ordinary end was told so far."""
    found = (re.search(r"worker (\d+) ended with exit status 0$", line) for line in server.stderr.seen)
    return {int(line[1]) for line in found if line}


def test_a_graceful_restart_reads_certificates_again_and_survives_bad_ones(tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    with echo("--workers", "1", "-v", "--ssl-cert", str(pem)) as server:
        assert server.uri.startswith("wss://")
        (before,) = pids(server, 1)
        pem.write_text("rubbish")
        server.signal(signal.SIGHUP)
        server.stderr.until("argument --ssl-cert/--ssl-key: ")
        server.stderr.until(r"worker \d+ ended with exit status 2 before it was ready; the one before goes on$")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
        server.signal(signal.SIGHUP)
        assert pids(server, 1) != {before}
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_no_worker_outlives_its_parent(server: Echo, stack: ExitStack) -> None:
    pids(server, 2)
    ws, _ = visit(stack, server)
    server.signal(signal.SIGKILL)
    server.wait()
    assert close_code(ws) == 1001
    server.stderr.text()  # comes to its end


def test_a_second_signal_does_not_wait(server: Echo, stack: ExitStack) -> None:
    pids(server, 2)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(UPGRADE)
        assert b" 101 " in client.recv(4096)
        server.signal(signal.SIGTERM)
        assert client.recv(4096) == b"\x88\x02\x03\xe9"  # 1001, which is never answered
        server.signal(signal.SIGTERM)
        assert server.wait() == -signal.SIGTERM
        server.stderr.text()  # comes to its end


def test_a_closed_window_is_the_end() -> None:
    """SIGHUP comes then as well, and there is nobody left to stop the command."""
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [*COMMAND, "echo", "--port", "0", "--workers", "1"], environment())
    try:
        seen = b""
        while b"listening on" not in seen:
            seen += os.read(terminal, 4096)
    finally:
        os.close(terminal)
        assert os.waitpid(pid, 0)[1] == 0


def test_a_port_that_is_taken_is_not_shared() -> None:
    with echo("--workers", "1") as server:
        done = wsproto("echo", "--workers", "1", "--port", str(server.port))
    assert done.returncode == 1
    assert b"cannot listen at 127.0.0.1:" in done.stderr


def test_a_unix_socket_is_shared(tmp_path: Path) -> None:
    path = tmp_path / "echo.sock"
    with echo("--workers", "2", "--unix", str(path)) as server:
        done = wsproto("connect", "ws://localhost/", "--unix", str(path), "--wait", "0.3", stdin=b"hi")
        assert (done.returncode, done.stdout) == (0, b"hi\n")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert not path.exists()


def test_who_cannot_start_a_worker_gives_up(capfd: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    life = Life(lambda: told.append("listening"), lambda: told.append("closing"))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        options = argparse.Namespace(runtime="no such runtime", verbose=False)
        assert asyncio.run(supervise(options, [[sock], [sock]], told.append, life)) == 1
    assert told == ["closing"]
    assert "before it was ready" in capfd.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1", "two", "none"])
def test_the_number_of_workers(number: str) -> None:
    done = wsproto("echo", "--workers", number)
    assert done.returncode == 2
    assert b"argument --workers: expected a positive whole number" in done.stderr
