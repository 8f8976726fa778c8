"""Bytes of an idle connection: ``benchmarks/memory.py [--rounds N] [--connections N]``.

What a server's resident memory grows by, from a few connections to many, divided by how many came. The kernel's share
is not in it. ``deflate once used`` has had one compressed message of 1 KiB come and go on each connection.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import wire
from bench import Benchmark
from engine_cases import CASES as ENGINE_CASES
from engine_cases import DeflateCase
from load import Load, Server, generating, serving
from servers import SUBJECTS, available

#: Connections that come and go first, so that what is imported late is there.
FIRST: Final = 10


@dataclass(frozen=True)
class Case:
    """What is open."""

    name: str
    deflate: bool
    is_used: bool


CASES: Final = {
    case.name: case
    for case in (
        Case("idle", deflate=False, is_used=False),
        Case("deflate negotiated", deflate=True, is_used=False),
        Case("deflate once used", deflate=True, is_used=True),
    )
}
#: No threads: ten thousand of those are another matter.
SERVERS: Final = available(
    "TCP asyncio", "listener asyncio", "listener uvloop", "coroutine asyncio", "coroutine uvloop", "trio", "anyio",
    "picows asyncio", "picows.websockets", "aiohttp asyncio", "websockets asyncio", "websockets trio", "trio-websocket",
    "node ws",
)  # fmt: skip
BENCHMARK: Final = Benchmark("memory", "bytes a connection", False, list(CASES), SERVERS, rounds=3)


def main() -> None:
    """Measure and report."""
    parser = BENCHMARK.parser(__doc__)
    parser.add_argument("--connections", type=int, default=10_000, metavar="N", help="how many (%(default)s)")
    options = parser.parse_args()
    BENCHMARK.run(options, lambda case, subject: measured(CASES[case], subject, options.connections))


def measured(case: Case, subject: str, connections: int) -> tuple[float, dict[str, Any]] | None:
    """Bytes a connection, or None where the subject has no permessage-deflate. Raises :exc:`Failed`."""
    if case.deflate and not SUBJECTS[subject].can_deflate:
        return None
    with serving(subject, *(["--deflate"] if case.deflate else [])) as server:
        with generating(load(case, FIRST), server):
            pass
        before = resident(server)
        with generating(load(case, connections), server):
            after = resident(server)
    return (after - before) / connections, {"before": before, "after": after}


def load(case: Case, connections: int) -> Load:
    document = ENGINE_CASES["receive 1 KiB JSON deflated"]
    assert isinstance(document, DeflateCase)
    frame = wire.deflated_frame(document.payloads()[0]) if case.is_used else b""
    return Load("hold", frame, wire.request(deflate=case.deflate), connections)


def resident(server: Server) -> int:
    """Bytes of memory that the process has now."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
