"""Whether the hot paths have become slower, by instructions, which are the same each time: ``benchmarks/check.py``.

Each path runs under ``valgrind --tool=callgrind``, often and more often: the difference counts. A path that takes a few
per cent more than ``instructions.json`` says fails. ``--update`` writes that file anew, for this version of Python.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from hot_paths import MESSAGES, PATHS

HERE: Final = Path(__file__).resolve().parent
BASELINE: Final = HERE / "instructions.json"
TWINS: Final = MappingProxyType({"compiled": {}, "pure": {"WSPROTO_CORE_PUREPYTHON": "1"}})
VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
#: How often a path runs, in one process and in another: what happens only once, at whatever time, happens in both.
FEWER: Final = 100
MORE: Final = 400
#: How much more than before is still the same.
TOLERANCE: Final = 0.03

#: Instructions a message, by twin and path.
Counts: TypeAlias = dict[str, dict[str, float]]


def main() -> int:
    """Count and compare. Return the exit status: 0, 1 where a path has become slower, 2 without a comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="take what is counted now for the baseline")
    parser.add_argument("--path", action="append", choices=PATHS, help="this one only; may be repeated")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("bench-check: there is no valgrind here", file=sys.stderr)
        return 2
    baseline: dict[str, Counts] = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    counts = {twin: count(twin, options.path or PATHS) for twin in TWINS}
    if options.update:
        baseline[VERSION] = counts
        BASELINE.write_text(json.dumps(baseline, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if VERSION not in baseline:
        print(f"bench-check: {BASELINE.name} has nothing for Python {VERSION}; run this with --update", file=sys.stderr)
        return 2
    return compare(counts, baseline[VERSION])


def compare(counts: Counts, baseline: Counts) -> int:
    """Print every path beside its baseline; return 1 if one has become slower, else 0."""
    slower = 0
    for twin, paths in counts.items():
        for path, now in paths.items():
            before = baseline[twin][path]
            verdict = (
                "SLOWER" if now > before * (1 + TOLERANCE) else "faster" if now < before * (1 - TOLERANCE) else "same"
            )
            slower += verdict == "SLOWER"
            print(f"{twin:8} {path:12} {now:10,.0f} instructions a message, was {before:10,.0f}: {verdict}")
    return 1 if slower else 0


def count(twin: str, paths: Iterable[str]) -> dict[str, float]:
    """Instructions a message, for each path."""
    messages = (MORE - FEWER) * MESSAGES
    return {
        path: round((instructions(twin, path, MORE) - instructions(twin, path, FEWER)) / messages, 1) for path in paths
    }


def instructions(twin: str, path: str, times: int) -> int:
    """Instructions of a whole process."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", sys.executable]
    environment = os.environ | {"PYTHONHASHSEED": "0"} | TWINS[twin]
    done = subprocess.run(
        [*command, HERE / "hot_paths.py", path, str(times)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or collected is None:
        raise RuntimeError(f"valgrind did not count: {done.stderr}")
    return int(collected[1])


if __name__ == "__main__":
    sys.exit(main())
