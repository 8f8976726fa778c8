"""What a message costs an engine, without any input or output: `benchmarks/engine.py [--json FILE] [--rounds N]`.

CPU nanoseconds a message. Every subject is a process of its own; all take turns, case by case, and the median of the
rounds is shown, so that a disturbance of the machine meets all alike. ``limit`` is a bare C extension that checks
nothing and remembers nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from engine_cases import CASES
from engine_subjects import SUBJECTS

HERE = Path(__file__).resolve().parent


class Subject:
    """A process that measures on demand."""

    def __init__(self, name: str, folder: str, stack: ExitStack) -> None:
        environment = os.environ | {"BENCHMARK_FOLDER": folder} | SUBJECTS[name][1]
        command = [sys.executable, str(HERE / "engine_subjects.py"), name]
        self._process = stack.enter_context(
            subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )

    def measure(self, case: str) -> float | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(case + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        return None if answer == "-" else float(answer)


def main() -> None:
    """Measure everything and report."""
    parser = argparse.ArgumentParser(description="What a message costs an engine.")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="how often each is measured (default: 9)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--case", action="append", choices=CASES, help="measure this one only; may be repeated")
    parser.add_argument("--subject", action="append", choices=SUBJECTS, help="measure this one only; may be repeated")
    options = parser.parse_args()
    results = measure(options.case or list(CASES), options.subject or list(SUBJECTS), options.rounds)
    print(table(results))
    if options.json:
        report = {"machine": machine(), "rounds": options.rounds, "nanoseconds": results}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measure(cases: list[str], names: list[str], rounds: int) -> dict[str, dict[str, list[float]]]:
    """The figures of every round, by case and subject."""
    results: dict[str, dict[str, list[float]]] = {case: {} for case in cases}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        subjects = {name: Subject(name, folder, stack) for name in names}
        for _ in range(rounds):
            for case in cases:
                for name, subject in subjects.items():
                    time = subject.measure(case)
                    if time is not None:
                        results[case].setdefault(name, []).append(round(time, 1))
    return results


def table(results: dict[str, dict[str, list[float]]]) -> str:
    """Medians, with the spread between the quarters in per cent, as Markdown."""
    names = [name for name in SUBJECTS if any(name in figures for figures in results.values())]
    lines = [f"| ns a message | {' | '.join(names)} | goal |", "|---" * (len(names) + 2) + "|"]
    for case, figures in results.items():
        cells = [cell(figures[name]) if name in figures else "" for name in names]
        lines.append(f"| {case} | {' | '.join(cells)} | {CASES[case].goal} |")
    return "\n".join(lines)


def cell(times: list[float]) -> str:
    middle, ordered = median(times), sorted(times)
    spread = ordered[len(ordered) * 3 // 4] - ordered[len(ordered) // 4]
    return f"{middle:,.0f} ±{50 * spread / middle:.0f}%"


def machine() -> dict[str, Any]:
    """Where this was measured, and of what versions."""
    return {
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": sys.version,
        "versions": {name: version_of(name) for name in ("wsproto-core", "websockets", "cython")},
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")


def version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
