"""Whether the work grows with what there is: ``benchmarks/growth.py [--rounds N] [--seconds S]``.

Nanoseconds of server CPU for each echoed message of 64 bytes, by the number of connections (each with one message in
flight) and by the number of frames in a read (on one connection); and for each KiB of larger messages. ``TCP`` shows
how much of that is the kernel's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from bench import Benchmark
from load import echoed
from servers import available

KIB: Final = 1024
#: Seconds for each connection, at least, so that every one has its turn several times, and what happens only once in a
#: hundred thousand messages is among them: full garbage collections.
SECONDS_A_CONNECTION: Final = 3e-4


@dataclass(frozen=True)
class Case:
    """How much there is."""

    name: str
    connections: int = 1
    window: int = 1
    size: int = 64

    @property
    def units(self) -> float:
        """What a message counts for: one, or its KiB where it is larger than that."""
        return max(1.0, self.size / KIB)


CASES: Final = {
    case.name: case
    for case in (
        Case("1 connection"),
        Case("10 connections", connections=10),
        Case("100 connections", connections=100),
        Case("1 000 connections", connections=1000),
        Case("10 000 connections", connections=10_000),
        Case("1 frame a read"),
        Case("10 frames a read", window=10),
        Case("100 frames a read", window=100),
        Case("1 000 frames a read", window=1000),
        Case("a KiB of 64 KiB", size=64 * KIB),
        Case("a KiB of 1 MiB", size=KIB * KIB),
        Case("a KiB of 10 MiB", size=10 * KIB * KIB),
    )
}
SERVERS: Final = available("TCP asyncio", "C asyncio", "listener asyncio", "coroutine asyncio", "picows asyncio")
BENCHMARK: Final = Benchmark("growth", "ns of server CPU", False, list(CASES), SERVERS)


def main() -> None:
    """Measure and report."""
    options = BENCHMARK.parser(__doc__, seconds=1.0).parse_args()
    BENCHMARK.run(options, lambda case, subject: measured(CASES[case], subject, options.seconds))


def measured(case: Case, subject: str, seconds: float) -> tuple[float, dict[str, Any]]:
    """Nanoseconds a message, or a KiB of it. Raises :exc:`Failed`."""
    reading = echoed(
        subject,
        case.size,
        connections=case.connections,
        window=case.window,
        seconds=max(seconds, case.connections * SECONDS_A_CONNECTION),
        shares_core=True,
    )
    return 1e9 * reading.server_seconds / reading.messages / case.units, asdict(reading)


if __name__ == "__main__":
    main()
