"""Handshakes a second: ``benchmarks/connections.py [--rounds N] [--seconds S]``.

A client connects, opens, sends a close frame and waits for the end; there are always sixteen of them. One process is
measured by its CPU time, several workers by the clock, in which the generator takes its part of the two cores.
``bare`` answers without looking.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import wire
from bench import Benchmark
from load import Load, put, serving
from processes import GENERATOR_CORE, SERVER_CORE
from servers import SUBJECTS, available

#: Clients at the same time.
CLIENTS: Final = 16
ONE: Final = "one process"
WORKERS: Final = "two workers, by the clock"
IN_WORKERS: Final = ("workers", "bare workers")
SERVERS: Final = [name for name in available() if SUBJECTS[name].has_handshake]
BENCHMARK: Final = Benchmark("connections", "handshakes a second", True, [ONE, WORKERS], SERVERS)


def main() -> None:
    """Measure and report."""
    options = BENCHMARK.parser(__doc__, seconds=1.0).parse_args()
    BENCHMARK.run(options, lambda case, subject: measured(case, subject, options.seconds))


def measured(case: str, subject: str, seconds: float) -> tuple[float, dict[str, Any]] | None:
    """Handshakes a second, or None where case and subject do not go together. Raises :exc:`Failed`."""
    if (case == WORKERS) != (subject in IN_WORKERS):
        return None
    cores = (SERVER_CORE, GENERATOR_CORE) if case == WORKERS else (SERVER_CORE,)
    with serving(subject, cores=cores) as server:
        reading = put(churning(seconds), server)
    return reading.ends / (reading.seconds if case == WORKERS else reading.server_seconds), asdict(reading)


def churning(seconds: float) -> Load:
    """Clients that come, say goodbye, and go."""
    return Load("churn", wire.CLOSE, wire.request(), connections=CLIENTS, seconds=seconds, shares_core=True)


if __name__ == "__main__":
    main()
