"""How many random conversations the simulator plays a second of CPU: ``benchmarks/simulator.py [--rounds N]``.

``tools/scenarios.py`` plays them: handshake, messages, timers, faults, end, all under virtual time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bench import Benchmark
from processes import Failed

PROGRAM: Final = Path(__file__).resolve().parent.parent / "tools" / "scenarios.py"
SUBJECTS: Final = MappingProxyType({"compiled": {}, "pure": {"WSPROTO_CORE_PUREPYTHON": "1"}})
CASES: Final = MappingProxyType(
    {
        "WebSocket": [],
        "datagrams": ["--datagrams"],
        "WebSocket, two cores": ["--jobs=2"],
        "datagrams, two cores": ["--datagrams", "--jobs=2"],
    }
)
BENCHMARK: Final = Benchmark("simulator", "conversations a second of CPU", True, list(CASES), list(SUBJECTS))


def main() -> None:
    """Measure and report."""
    parser = BENCHMARK.parser(__doc__)
    parser.add_argument("--count", type=int, default=2000, metavar="N", help="conversations each time (%(default)s)")
    options = parser.parse_args()
    BENCHMARK.run(options, lambda case, subject: measured(case, subject, options.count))


def measured(case: str, subject: str, count: int) -> tuple[float, dict[str, Any]]:
    """Conversations a second. Raises :exc:`Failed`."""
    environment = os.environ | SUBJECTS[subject]
    with tempfile.TemporaryDirectory() as corpus:
        command = [sys.executable, str(PROGRAM), str(count), "--corpus", corpus, *CASES[case]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    rate = re.search(r"(\d+) a second", done.stdout)
    if rate is None:
        raise Failed(done.stdout + done.stderr)
    return float(rate[1]), {}


if __name__ == "__main__":
    main()
