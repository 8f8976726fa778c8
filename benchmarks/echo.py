"""Messages a second of CPU time of an echo server: ``benchmarks/echo.py [--rounds N] [--seconds S]``.

A case is a size of text messages, how many connections there are, and how many messages each has in flight. Server and
generator share a core, unless the case says that each has its own. ``TCP`` returns bytes on the same loop or socket,
``C`` is a parser without rules.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from bench import Benchmark
from load import echoed
from servers import SUBJECTS, available

KIB: Final = 1024


@dataclass(frozen=True)
class Case:
    """Text messages of one size, so many at a time."""

    name: str
    size: int
    connections: int
    window: int
    has_two_cores: bool = False


CASES: Final = {
    case.name: case
    for case in (
        Case("64 B, 1x1", 64, 1, 1),
        Case("64 B, 1x64", 64, 1, 64),
        Case("64 B, 100x16", 64, 100, 16),
        Case("64 B, 1x64, two cores", 64, 1, 64, has_two_cores=True),
        Case("64 B, 100x16, two cores", 64, 100, 16, has_two_cores=True),
        Case("64 KiB, 1x1", 64 * KIB, 1, 1),
        Case("64 KiB, 1x64", 64 * KIB, 1, 64),
        Case("1 MiB, 1x1", KIB * KIB, 1, 1),
        Case("1 MiB, 1x16", KIB * KIB, 1, 16),
    )
}
SERVERS: Final = [name for name in available() if SUBJECTS[name].echoes]
BENCHMARK: Final = Benchmark("echo", "messages a second of server CPU", True, list(CASES), SERVERS)


def main() -> None:
    """Measure and report."""
    options = BENCHMARK.parser(__doc__, seconds=0.7).parse_args()
    BENCHMARK.run(options, lambda case, subject: measured(CASES[case], subject, options.seconds))


def measured(case: Case, subject: str, seconds: float) -> tuple[float, dict[str, Any]]:
    """Messages a second of server CPU. Raises :exc:`Failed`."""
    reading = echoed(
        subject,
        case.size,
        connections=case.connections,
        window=case.window,
        seconds=seconds,
        shares_core=not case.has_two_cores,
    )
    return reading.messages / reading.server_seconds, asdict(reading)


if __name__ == "__main__":
    main()
