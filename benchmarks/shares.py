"""Where a server's CPU time goes: ``benchmarks/shares.py [--seconds S]``. Needs ``perf`` (Debian: linux-perf).

Nanoseconds of server CPU for each message or handshake, by who spends them, as samples tell. It shows what bounds a
figure: who has half of the time in the kernel cannot become twice as fast. Nothing is compared with a goal here. The
samples begin with the first connection.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

import native
from connections import churning
from load import Load, echoing, put, serving
from processes import SERVER_CORE, Failed
from report import RESULTS, Figure, Report
from servers import available

#: Samples a second: no multiple of anything that a server does regularly.
FREQUENCY: Final = 1999
#: Who spends time, by the file and the symbol of a sample: the first that fits. What nobody else claims in CPython is
#: the interpreter's: bytecode, calls, attributes, objects that are made and dropped.
PARTS: Final = MappingProxyType(
    {
        "kernel": re.compile(r"\[(kernel|guest|vdso|unknown)"),
        "garbage collector": re.compile(r".*python3\S*\|(gc_|visit_|\w*traverse\b|update_refs|subtract_refs|untrack_)"),
        "interpreter": re.compile(r".*(python3[.\d]*(\.so\S*)?\||/lib-dynload/)"),
        "C library": re.compile(r".*/(libc|ld-linux|libm|libpthread)\b"),
        "zlib": re.compile(r".*/libz\."),
        "extensions": re.compile(""),
    }
)
#: A load of so many seconds, and the servers that bear it: ours, the best rival, and a limit.
_Case: TypeAlias = tuple[Callable[[float], Load], tuple[str, ...]]
_ON_ASYNCIO: Final = ("C asyncio", "listener asyncio", "coroutine asyncio", "picows asyncio")
_ON_UVLOOP: Final = ("C uvloop", "listener uvloop", "coroutine uvloop", "picows uvloop")
#: Times as long where there are many connections, so that their openings count little.
_LONGER: Final = 8
CASES: Final[Mapping[str, _Case]] = MappingProxyType(
    {
        "64 B, 1x1": (partial(echoing, 64, 1, 1), (*_ON_ASYNCIO, *_ON_UVLOOP, "TCP sockets", "sockets")),
        "64 B, 1x64": (partial(echoing, 64, 1, 64), _ON_ASYNCIO),
        "64 B, 100x16": (partial(echoing, 64, 100, 16), _ON_ASYNCIO),
        "64 KiB, 1x1": (partial(echoing, 64 * 1024, 1, 1), _ON_ASYNCIO),
        "10 000 connections": (lambda seconds: echoing(64, 10_000, 1, _LONGER * seconds), _ON_ASYNCIO),
        "handshakes": (churning, ("bare asyncio", *_ON_ASYNCIO[1:], "aiohttp asyncio")),
    }
)


def main() -> None:
    """Measure and report; say so where ``perf`` is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=list(CASES), metavar="CASE", help="this one only")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="how long each takes (%(default)s)")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FOLDER", help="where it goes (%(default)s)")
    options = parser.parse_args()
    if shutil.which("perf") is None:
        print("shares: perf is not installed, so nothing is measured", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        native.build(Path(folder))
        figures = [figure for case in options.case or CASES for figure in measured(case, options.seconds, Path(folder))]
    report = Report("shares", "ns of server CPU", False, figures, {"seconds": options.seconds})
    report.save(options.output)
    print(report.table())


def measured(case: str, seconds: float, folder: Path) -> Iterator[Figure]:
    """A figure for each part and server. Raises :exc:`Failed`."""
    load, subjects = CASES[case]
    for subject in available(*subjects):
        samples = folder / "samples"
        with serving(subject) as server, sampling(samples):
            reading = put(load(seconds), server)
        counts = counted(samples, server.pid)
        if not counts:
            raise Failed(f"{case}, {subject}: perf took no samples")
        nanoseconds = 1e9 * reading.server_seconds / (reading.messages or reading.ends)
        for part in PARTS:
            if counts[part]:
                value = nanoseconds * counts[part] / counts.total()
                yield Figure(part, f"{case}: {subject}", [value], [{"samples": counts[part]}])


@contextmanager
def sampling(target: Path) -> Iterator[None]:
    """Where the servers' core is, again and again, for as long as this lasts. Raises :exc:`Failed`.

    Of a single process, perf may miss the threads that it starts meanwhile.
    """
    control, answer = target.with_name("control"), target.with_name("answer")
    for path in (control, answer):
        path.unlink(missing_ok=True)
        os.mkfifo(path)
    command = ["perf", "record", "-q", "-F", str(FREQUENCY), "-C", str(SERVER_CORE), "-o", str(target)]
    command += ["--delay=-1", f"--control=fifo:{control},{answer}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        with control.open("w") as commands, answer.open() as answers:
            print("enable", file=commands, flush=True)
            if not answers.readline().startswith("ack"):
                raise Failed("perf cannot attach")
            yield
            print("stop", file=commands, flush=True)
        if process.wait():
            raise Failed(f"perf ended with {process.returncode}")


def counted(samples: Path, pid: int) -> Counter[str]:
    """How many samples of a process each part has."""
    command = ["perf", "script", "-i", str(samples), "--pid", str(pid), "-F", "ip,sym,dso"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return Counter(part_of(line) for line in lines if line.strip())


def part_of(line: str) -> str:
    """Who spends the time of a sample: ``address symbol (file)``."""
    symbol, _, file = line.rstrip(")\n").split(maxsplit=1)[1].rpartition(" (")
    return next(part for part, pattern in PARTS.items() if pattern.match(f"{file}|{symbol}"))


if __name__ == "__main__":
    main()
