"""``wsproto echo`` under a service manager: sockets that are handed down, and what is told to ``NOTIFY_SOCKET``."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.cli.kit import COMMAND, PATIENCE, Running, echo, environment, running

if sys.platform == "win32":
    pytest.skip("there is no such thing", allow_module_level=True)

import fcntl

#: Does what a service manager does between fork and exec.
ACTIVATE = """
import os, sys
fds = [int(text) for text in sys.argv[1].split(",")]
for number, fd in enumerate(fds, 3):
    os.dup2(fd, number)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = sys.argv[2]
os.execv(sys.executable, [sys.executable, "-m", "wsproto_cli", "echo", *sys.argv[3:]])
"""


@contextmanager
def activated(*arguments: str, sockets: Sequence[socket.socket], count: str = "") -> Iterator[Running]:
    """``wsproto echo``, which inherits ``sockets``."""
    # From 30 on, so that no descriptor is overwritten by another one's copy.
    fds = [fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, 30) for sock in sockets]
    command = (sys.executable, "-c", ACTIVATE, ",".join(map(str, fds)), count or str(len(fds)))
    try:
        with running(*arguments, command=command, pass_fds=fds) as server:
            yield server
    finally:
        for fd in fds:
            os.close(fd)


@pytest.mark.parametrize(
    "more", [(), ("--workers", "2"), ("--runtime", "threads")], ids=["alone", "workers", "threads"]
)
def test_sockets_that_are_handed_down(more: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = [sock.getsockname()[1] for sock in (one, two)]
        with activated("--port", "1", *more, sockets=[one, two]) as server:
            line = server.stdout.until("^listening on (.*)$")[1]
            assert line == ", ".join(f"ws://127.0.0.1:{port}/" for port in ports)
            for port in ports:
                with connect(f"ws://127.0.0.1:{port}/") as ws:
                    ws.send("hello")
                    assert ws.recv() == "hello"
            server.signal(signal.SIGTERM)
            assert server.wait() == 0


def test_what_is_no_listening_socket() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        with activated(sockets=[udp]) as server:
            assert server.wait() == 1
            assert re.fullmatch(
                "wsproto: cannot listen: the inherited descriptor 3 is no listening stream socket", server.stderr.text()
            )
        with activated(sockets=[udp], count="many") as server:
            assert server.wait() == 1
            assert server.stderr.text() == "wsproto: cannot listen: LISTEN_FDS must be a number, not 'many'"


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="systemd is not installed")
def test_under_systemd() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ("systemd-socket-activate", "-E", "PYTHONPATH", "-l", f"127.0.0.1:{port}", *COMMAND)
    with running("echo", command=command) as server:
        server.stderr.until("Listening on")
        with connect(f"ws://127.0.0.1:{port}/") as ws:
            ws.send("hello")
            assert ws.recv() == "hello"
        server.stdout.until(rf"^listening on ws://127\.0\.0\.1:{port}/$")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_service_manager_is_told(abstract: bool, tmp_path: Path) -> None:
    if abstract and not sys.platform.startswith("linux"):
        pytest.skip("abstract names are Linux's")
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(PATIENCE)
        manager.bind("\0" + path if abstract else path)
        env = environment(NOTIFY_SOCKET="@" + path if abstract else path)
        with echo("--workers", "2", env=env) as server:
            assert manager.recv(100) == b"READY=1"
            server.signal(signal.SIGHUP)
            assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", manager.recv(100))
            assert manager.recv(100) == b"READY=1"
            server.signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            assert server.wait() == 0
        with echo(env=env) as server:
            assert manager.recv(100) == b"READY=1"
            server.signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"


def test_a_service_manager_that_is_not_there_is_no_reason_to_stop(tmp_path: Path) -> None:
    with echo(env=environment(NOTIFY_SOCKET=str(tmp_path / "nobody"))) as server:
        server.stderr.until("cannot tell the service manager at NOTIFY_SOCKET: No such file")
        with connect(server.uri) as ws:
            ws.send("hello")
            assert ws.recv() == "hello"
