"""Servers and the load on them, each as a process on a core of its own.

What counts is the CPU time of the server: its clock is read by the generator where a measurement begins and ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import wire
from native import generator_path
from processes import GENERATOR_CORE, SERVER_CORE, Failed, said, started
from servers import SUBJECTS, Subject

__all__ = ["Load", "Reading", "Server", "echoed", "echoing", "generating", "put", "serving"]

SERVERS: Final = Path(__file__).with_name("servers.py")
#: Milliseconds that a generator sleeps at most, where it sleeps.
NAP: Final = 100


@dataclass(frozen=True)
class Server:
    """A running server."""

    subject: Subject
    pid: int
    port: int


@dataclass(frozen=True)
class Load:
    """What a generator does; see ``generator.c``."""

    mode: str
    frame: bytes
    request: bytes
    connections: int = 1
    window: int = 1
    #: How long it is measured, after half as long of the same.
    seconds: float = 1.0
    #: Both on one core: then nobody waits for another core to wake up, which in a single ping-pong is all that happens.
    shares_core: bool = False
    #: Bytes of every message that comes back.
    answer_size: int | None = None

    def command(self, server: Server, folder: Path) -> list[str | Path]:
        """The command line, with its files in ``folder``."""
        parts = {"request": self.request if server.subject.has_handshake else b"", "frame": self.frame}
        for name, data in parts.items():
            (folder / name).write_bytes(data)
        nap = NAP if self.shares_core else 0
        numbers = (server.port, server.pid, self.connections, self.window, self.seconds / 2, self.seconds, nap)
        return [generator_path(), self.mode, *map(str, numbers), *(folder / name for name in parts)]


@dataclass(frozen=True)
class Reading:
    """What a generator counted."""

    messages: int
    #: Connections that have ended.
    ends: int
    seconds: float
    #: CPU time of the server.
    server_seconds: float
    #: CPU time of the generator, without looking for work in vain.
    busy_seconds: float
    #: Bytes of a message, on average.
    payload_size: float


@contextmanager
def serving(subject: str, *flags: str, cores: Sequence[int] = (SERVER_CORE,)) -> Iterator[Server]:
    """A server, for as long as this lasts. Raises :exc:`Failed`, with its last words, where the body does."""
    it = SUBJECTS[subject]
    command: list[str | Path] = [sys.executable, SERVERS, subject, *flags]
    with ExitStack() as stack:
        errors = stack.enter_context(tempfile.TemporaryFile("w+"))
        environment = os.environ | it.environment
        running = started(command, cores, is_real_time=it.is_real_time, env=environment, stderr=errors)
        process = stack.enter_context(running)
        try:
            yield Server(it, process.pid, int(said(process)))
        except Failed as failure:
            errors.seek(0)
            raise Failed(f"{subject}: {failure}\n{errors.read()[-300:].strip()}") from None


def echoed(subject: str, size: int, *, connections: int, window: int, seconds: float, shares_core: bool) -> Reading:
    """Let ``subject`` echo texts of ``size`` bytes, ``window`` of them in flight on each connection. Raises
    :exc:`Failed`.
    """
    load = echoing(size, connections, window, seconds, shares_core=shares_core)
    with serving(subject) as server:
        return put(load, server)


def echoing(size: int, connections: int, window: int, seconds: float, *, shares_core: bool = True) -> Load:
    """The load of :func:`echoed`."""
    return Load(
        "echo",
        wire.text(size),
        wire.request(),
        connections=connections,
        window=window,
        seconds=seconds,
        shares_core=shares_core,
        answer_size=size,
    )


def put(load: Load, server: Server) -> Reading:
    """Put a load on a server. Raises :exc:`Failed` where nothing comes back, or something else than should."""
    with generating(load, server) as answer:
        reading = Reading(**answer)
    if not (reading.messages or reading.ends) or load.answer_size not in (None, reading.payload_size):
        raise Failed(f"answered wrongly: {reading}")
    return reading


@contextmanager
def generating(load: Load, server: Server) -> Iterator[dict[str, Any]]:
    """What the generator says first; for as long as this lasts, one that holds connections holds them."""
    with tempfile.TemporaryDirectory() as folder:
        command = load.command(server, Path(folder))
        core = SERVER_CORE if load.shares_core else GENERATOR_CORE
        is_real_time = server.subject.is_real_time
        with started(command, [core], is_real_time=is_real_time, stderr=subprocess.PIPE) as process:
            yield json.loads(said(process))
