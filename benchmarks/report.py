"""What was measured, where and of what versions: one shape for every benchmark, as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any, Final

__all__ = ["LIMITS", "RESULTS", "ROOT", "Figure", "Report"]

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = Path(__file__).with_name("results")
SCHEMA: Final = 1
#: How the names of those subjects begin that are no library but what none can beat.
LIMITS: Final = ("TCP ", "C ", "bare ", "memcpy", "zlib", "limit")
DISTRIBUTIONS: Final = (
    "wsproto-core", "cython", "uvloop", "trio", "anyio",
    "picows", "aiofastnet", "aiohttp", "websockets", "wsproto", "trio-websocket",
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """What the rounds said of one subject in one case."""

    case: str
    subject: str
    values: list[float]
    #: Everything that was counted, round by round.
    details: list[dict[str, float]] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def spread(self) -> float:
        """Half of what is between the quarters, as a share of the median."""
        ordered = sorted(self.values)
        between = ordered[len(ordered) * 3 // 4] - ordered[len(ordered) // 4]
        return between / 2 / self.median if self.median else 0.0


@dataclass(frozen=True)
class Report:
    """One benchmark's figures. ``more_is_better`` tells which way ``unit`` goes."""

    benchmark: str
    unit: str
    more_is_better: bool
    figures: list[Figure]
    settings: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=lambda: machine())  # noqa: PLW0108  # it is defined below
    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read what :meth:`save` has written."""
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("schema") != SCHEMA:
            raise ValueError(f"{path} has another schema")
        figures = [
            Figure(*(item[name] for name in ("case", "subject", "values", "details")))
            for item in content.pop("figures")
        ]
        return cls(figures=figures, **content)

    def save(self, folder: Path) -> None:
        """Write ``<benchmark>.json``, with everything, and ``<benchmark>.csv``, with the medians."""
        folder.mkdir(parents=True, exist_ok=True)
        figures = [asdict(item) | {"median": item.median, "spread": item.spread} for item in self.figures]
        content = {"schema": SCHEMA} | self.__dict__ | {"figures": figures}
        (folder / f"{self.benchmark}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        with (folder / f"{self.benchmark}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["benchmark", "unit", "case", "subject", "median", "spread", "rounds"])
            for item in self.figures:
                row = [item.case, item.subject, f"{item.median:.6g}", f"{item.spread:.3f}", len(item.values)]
                writer.writerow([self.benchmark, self.unit, *row])

    def figure(self, case: str, subject: str) -> Figure | None:
        """What is known of a subject in a case."""
        return next((item for item in self.figures if (item.case, item.subject) == (case, subject)), None)

    @property
    def cases(self) -> list[str]:
        return list(dict.fromkeys(item.case for item in self.figures))

    @property
    def subjects(self) -> list[str]:
        return list(dict.fromkeys(item.subject for item in self.figures))

    def table(self) -> str:
        """Medians with their spread, as Markdown: a row for each subject, a column for each case."""
        lines = [f"| {self.unit} | {' | '.join(self.cases)} |", "|---" + "|---:" * len(self.cases) + "|"]
        for subject in self.subjects:
            cells = [cell(self.figure(case, subject)) for case in self.cases]
            lines.append(f"| {subject} | {' | '.join(cells)} |")
        return "\n".join(lines)


def cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    digits = 0 if figure.median >= 100 else 1
    spread = f" ±{100 * figure.spread:.0f} %" if len(figure.values) > 1 else ""
    return f"{figure.median:,.{digits}f}{spread}"


def machine() -> dict[str, Any]:
    """Where this is measured, and of what versions."""
    versions = {name: _version(name) for name in DISTRIBUTIONS}
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "congestion_control": _read("/proc/sys/net/ipv4/tcp_congestion_control").strip(),
        "python": sys.version,
        "commit": _said("git", "describe", "--always", "--dirty"),
        "versions": {**versions, "node": _said("node", "--version"), "cc": _said("cc", "-dumpfullversion")},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    lines = _read("/proc/cpuinfo").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _read(path: str) -> str:
    """What the system says there; nothing where it is another one."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _said(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
