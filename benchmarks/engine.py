"""What a message costs an engine, without any input or output: ``benchmarks/engine.py [--rounds N]``.

CPU nanoseconds a message. Every subject is a process of its own. ``limit`` is a bare C extension that checks nothing
and remembers nothing, ``memcpy`` copies the payload once, ``zlib`` inflates it and does nothing else.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from bench import Benchmark
from engine_cases import CASES
from engine_subjects import SUBJECTS
from processes import SERVER_CORE, said, started

PROGRAM: Final = Path(__file__).with_name("engine_subjects.py")
BENCHMARK: Final = Benchmark("engine", "ns a message", False, list(CASES), list(SUBJECTS), rounds=9)


class Subject:
    """A process that measures on demand."""

    def __init__(self, name: str, stack: ExitStack) -> None:
        environment = os.environ | SUBJECTS[name][1]
        self._process = stack.enter_context(started([sys.executable, PROGRAM, name], [SERVER_CORE], env=environment))

    def measure(self, case: str) -> float | None:
        """Nanoseconds a message, or None where this has nothing to measure. Raises :exc:`Failed`."""
        assert self._process.stdin is not None
        self._process.stdin.write(case + "\n")
        self._process.stdin.flush()
        answer = said(self._process).strip()
        return None if answer == "-" else float(answer)


def main() -> None:
    """Measure and report."""
    options = BENCHMARK.parser(__doc__).parse_args()
    subjects: dict[str, Subject] = {}

    def measured(case: str, name: str) -> tuple[float, dict[str, Any]] | None:
        subject = subjects.pop(name, None) or Subject(name, stack)
        time = subject.measure(case)
        subjects[name] = subject
        return None if time is None else (time, {})

    with ExitStack() as stack:
        BENCHMARK.run(options, measured)


if __name__ == "__main__":
    main()
