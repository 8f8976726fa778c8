"""Play every fixed case of the conformance kit against this project's echo server on every runtime, and against others.

Each server runs in a process of its own, started by `wsproto echo`, `benchmarks/servers.py` or `tools/echo.js`. The
page goes to build/conformance, with a JSON file for each server; a complete run writes its tables into
docs/reference/conformance.md too. `tools/peers_matrix.py --peer websockets --only close` plays a part, and leaves the
documentation as it is.

The cases about TLS are played with a certificate that is made for the occasion, and that nobody checks.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import trustme

from wsproto_fuzz.conformance import (
    Case,
    Matrix,
    ProgressBar,
    Run,
    ServerOptions,
    Verdict,
    chosen_cases,
    judge_server,
    markdown,
    write_reports,
)

ROOT = Path(__file__).resolve().parent.parent
NODE_MODULES = ROOT / "tests" / "interop" / "node" / "node_modules"
PAGE = ROOT / "docs" / "reference" / "conformance.md"
FOLDER = ROOT / "build" / "conformance"
BEGIN, END = "<!-- made by tools/peers_matrix.py -->", "<!-- end -->"
#: Fewer at the same time than usual: who answers at once must not be late because others do.
OPTIONS = ServerOptions(concurrency=6)
#: Seconds in which a server must listen.
START_TIMEOUT = 30.0


@dataclass(frozen=True)
class Peer:
    """A server to be tested: what it is called, with its version, and how it is started."""

    name: str
    command: tuple[str, ...]
    #: What is added for TLS, before the name of a file with a certificate.
    secure: tuple[str, ...] = ("--ssl-cert",)


def main() -> int:
    """Play, and return the exit status: 1 if a server of this project fails a case."""
    parser = argparse.ArgumentParser(description="Compare WebSocket servers by the cases of the conformance kit.")
    parser.add_argument("--peer", metavar="WORD", help="only servers with this word in their names")
    parser.add_argument("--only", metavar="GROUP", action="append", default=[], help="only these cases")
    parser.add_argument("--report", metavar="DIR", type=Path, default=FOLDER, help="where to (default: %(default)s)")
    options = parser.parse_args()
    chosen = [peer for peer in peers() if (options.peer or "") in peer.name]
    runs = [asyncio.run(judge(peer, options.only)) for peer in chosen]
    print(f"\n{write_reports(options.report, runs)}")
    if not (options.peer or options.only):
        write_tables(runs)
    return int(any(not run.conforms for run in runs if run.peer.startswith("wsproto_")))


def peers() -> list[Peer]:
    """All that is installed here. Raises PackageNotFoundError where `make prepare` has not been run."""
    return [
        ours("wsproto_asyncio"),
        ours("wsproto_asyncio", "--uvloop"),
        ours("wsproto_trio", "--runtime", "trio"),
        ours("wsproto_anyio", "--runtime", "anyio"),
        ours("wsproto_sockets", "--runtime", "threads"),
        other("websockets asyncio", f"websockets {metadata.version('websockets')}"),
        other("websockets sync", f"websockets {metadata.version('websockets')} threads"),
        other("aiohttp asyncio", f"aiohttp {metadata.version('aiohttp')}"),
        other("picows.websockets", f"picows {metadata.version('picows')}"),
        Peer(f"ws {version_of_ws()}", ("node", str(ROOT / "tools" / "echo.js")), secure=()),
    ]


def ours(adapter: str, *options: str) -> Peer:
    """The echo of this project, on one of its runtimes."""
    name = f"{adapter} {metadata.version('wsproto-core')}" + (" uvloop" if "--uvloop" in options else "")
    command = (sys.executable, "-m", "wsproto_cli", "echo", "--port", "0", "--max-message-size", str(16 << 20))
    return Peer(name, (*command, *options))


def other(subject: str, name: str) -> Peer:
    """A server of another project, by its name among those that are measured."""
    return Peer(name, (sys.executable, str(ROOT / "benchmarks" / "servers.py"), subject, "--deflate"))


def version_of_ws() -> str:
    """Of Node's package, and of Node."""
    package = NODE_MODULES / "ws" / "package.json"
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{json.loads(package.read_text(encoding='utf-8'))['version']} (Node {node.removeprefix('v')})"


async def judge(peer: Peer, only: Sequence[str]) -> Run:
    """Start a server, and play the cases."""
    cases = chosen_cases(only)
    run = await play(peer.name, peer.command, "ws", [case for case in cases if case.group != "tls"])
    if about_tls := [case for case in cases if case.group == "tls"]:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes())
            file.flush()
            secure = await play(peer.name, (*peer.command, *peer.secure, file.name), "wss", about_tls)
        run = replace(run, results=run.results + secure.results, duration=run.duration + secure.duration)
    counts = ", ".join(f"{run.counts[verdict]} {verdict}" for verdict in Verdict if run.counts[verdict])
    print(f"{peer.name}: {counts}; {run.duration:.0f} s", flush=True)
    return replace(run, seed=None)  # nothing is generated


async def play(name: str, command: Sequence[str], scheme: str, cases: Sequence[Case]) -> Run:
    """The cases against the server that a command starts."""
    progress = ProgressBar(sys.stderr)
    async with serving(name, command) as port:
        try:
            uri = f"{scheme}://127.0.0.1:{port}/"
            return await judge_server(uri, cases, peer=name, options=OPTIONS, progress=progress)
        finally:
            progress.finish()


@contextlib.asynccontextmanager
async def serving(name: str, command: Sequence[str]) -> AsyncIterator[str]:
    """A server that runs as long as the context does; yields its port, which ends the first line that it prints."""
    environment = {**os.environ, "NODE_PATH": str(NODE_MODULES)}
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=nowhere)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT)
        port = re.search(r"(\d+)/?$", line.decode().strip())
        if port is None:
            raise RuntimeError(f"{name} does not listen: {line!r}")
        yield port[1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def write_tables(runs: Sequence[Run]) -> None:
    """Put the tables into the page, in place of those that are there."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise RuntimeError(f"{PAGE} has no place for the tables")
    today = datetime.now(UTC)
    words = (
        f"{len(Matrix(runs).rows)} fixed cases, played on {today.day} {today:%B %Y} with CPython "
        f"{platform.python_version()} on {platform.system()}:"
    )
    tables = markdown(Matrix(runs))
    PAGE.write_text(f"{before}{BEGIN}\n\n{words}\n\n{tables}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
