"""Draws what was measured: ``benchmarks/plots.py [--results FOLDER] [--output FOLDER]``. Needs matplotlib.

Each benchmark becomes a PNG. A point for each subject, from the best to the worst, in each of the cases that say most;
ours are blue, the limits grey, everybody else orange.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import matplotlib
from matplotlib import pyplot
from matplotlib.ticker import NullFormatter
from report import LIMITS, RESULTS, ROOT, Figure, Report

__all__ = ["CASES", "PLOTS", "draw"]

PLOTS: Final = ROOT / "docs" / "benchmarks"
#: The cases to draw, of those benchmarks whose subjects are compared.
CASES: Final = MappingProxyType(
    {
        "engine": ("receive 64 B masked", "receive 64 KiB masked", "send 64 B server"),
        "echo": ("64 B, 1x1", "64 B, 1x64", "64 B, 100x16"),
        "connections": ("one process",),
        "memory": ("idle", "deflate once used"),
        "broadcast": ("1 KiB to 1 000",),
    }
)
#: How the names of others' subjects begin.
PEERS: Final = ("picows", "aiohttp", "websockets", "wsproto", "trio-websocket", "node")
COLORS: Final = MappingProxyType({"limit": "#9a9a9a", "peer": "#e08a3c", "ours": "#2f6db5"})


def main() -> None:
    """Draw everything there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=PLOTS, metavar="FOLDER")
    options = parser.parse_args()
    matplotlib.use("Agg")
    options.output.mkdir(parents=True, exist_ok=True)
    for path in sorted(options.results.glob("*.json")):
        draw(Report.load(path), options.output)


def draw(report: Report, folder: Path) -> None:
    """One benchmark as a picture, if there is something to see."""
    cases = [case for case in CASES.get(report.benchmark, ()) if case in report.cases]
    if report.benchmark == "growth":
        _draw_lines(report, folder / "growth.png")
    elif cases:
        _draw_subjects(report, cases, folder / f"{report.benchmark}.png")


def _draw_subjects(report: Report, cases: Sequence[str], target: Path) -> None:
    size = (4.6 * len(cases), 0.8 + 0.22 * len(report.subjects))
    picture, axes = pyplot.subplots(1, len(cases), figsize=size, squeeze=False)
    for axis, case in zip(axes[0], cases, strict=True):
        figures = [item for item in report.figures if item.case == case]
        figures.sort(key=lambda item: item.median, reverse=not report.more_is_better)
        _draw_case(axis, figures)
        axis.set_title(case, fontsize=9)
        axis.set_xlabel(f"{report.unit}, {'more' if report.more_is_better else 'less'} is better", fontsize=8)
    _finish(picture, target)


def _draw_case(axis: Any, figures: Sequence[Figure]) -> None:
    """A point for each, since the scale is logarithmic: the length of a bar would mean nothing."""
    for row, item in enumerate(figures):
        color = COLORS[kind(item.subject)]
        axis.errorbar(item.median, row, xerr=item.spread * item.median, fmt="o", color=color, markersize=6)
        axis.annotate(
            f"{item.median:,.4g}" if item.median < 100 else f"{item.median:,.0f}",
            (item.median, row),
            xytext=(7, -2.5),
            textcoords="offset points",
            fontsize=6.5,
        )
    axis.set_yticks(range(len(figures)), [item.subject for item in figures])
    axis.set_xscale("log")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(x=0.3)
    axis.grid(alpha=0.3)
    axis.tick_params(labelsize=7)


def _draw_lines(report: Report, target: Path) -> None:
    groups = {word: [case for case in report.cases if word in case] for word in ("connection", "frame", "KiB of")}
    picture, axes = pyplot.subplots(1, len(groups), figsize=(13.8, 3.6), squeeze=False)
    for axis, cases in zip(axes[0], groups.values(), strict=True):
        for subject in report.subjects:
            figures = [item for case in cases if (item := report.figure(case, subject)) is not None]
            axis.plot([item.case for item in figures], [item.median for item in figures], marker="o", label=subject)
        axis.set_yscale("log")
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(alpha=0.3)
        axis.set_ylabel(report.unit, fontsize=8)
        axis.tick_params(labelsize=7)
        axis.tick_params(axis="x", rotation=20)
    axes[0][0].legend(fontsize=7)
    _finish(picture, target)


def kind(subject: str) -> str:
    """Whether it is a limit, a peer, or ours."""
    return "limit" if subject.startswith(LIMITS) else "peer" if subject.startswith(PEERS) else "ours"


def _finish(picture: Any, target: Path) -> None:
    picture.tight_layout()
    picture.savefig(target, dpi=110, metadata={"Software": None})
    pyplot.close(picture)


if __name__ == "__main__":
    main()
