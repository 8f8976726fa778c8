"""Writes ``BASELINE.md`` from what was measured: ``benchmarks/baseline.py [--results FOLDER] [--output FILE]``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from goals import Goal, Verdict, verdicts
from report import LIMITS, RESULTS, ROOT, Report

__all__ = ["baseline"]

#: The benchmarks in their order, with what must be known to read their tables.
SECTIONS: Final = MappingProxyType(
    {
        "engine": """\
What a message costs an engine without input and output, fed in pieces of 64 KiB. `limit` is a C extension without
checks and state; `memcpy` copies each payload once; `zlib` inflates it and does nothing else. `pure` is our engine
without its compiled twin. `open and close` is the whole life of a connection without a message, for one that accepts
it.""",
        "echo": """\
Text messages, *connections x messages in flight on each*. `TCP` returns bytes on the same loop or socket. `C` is the
limit on the same loop, with one write for each read. Server and generator share one core, which they hand to each
other, in all but the cases that say otherwise. All of `picows` is on the transports of `aiofastnet`.""",
        "connections": """\
Connect, open, a close frame, the end; sixteen clients at a time. `bare` answers without looking at the request.""",
        "memory": """\
Growth of resident memory, divided by the number of connections. The kernel's share is not in it.""",
        "broadcast": """\
The same text to everybody. `bare` writes ready bytes to one transport after the other.""",
        "growth": """\
Each connection has one message of 64 bytes in flight; all frames of a read are on one connection.""",
        "shares": """\
Who spends the time of a message, or of a handshake: samples of `perf`, once. Being sampled takes time as well, so these
tell what bounds a figure, and are none to compare with those above. *Interpreter* is everything in CPython but its
garbage collector.""",
        "simulator": """\
Random conversations under virtual time, as the tests play them: `tools/scenarios.py`.""",
    }
)
#: What growth begins with.
ALONE: Final = "1 connection"
HOW: Final = """\
Every subject is a process of its own. In each round all subjects take turns, case by case; a figure is the median of
the rounds, with half the distance between the quarters. Rates count the *server's* CPU time, read from its own clock
when a measurement begins and ends, so neither the generator nor a sleeping core is in them. Libraries run as they are
installed, with keepalive and compression off. `make bench` measures again, on Linux; it takes about an hour."""


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=ROOT / "BASELINE.md", metavar="FILE")
    options = parser.parse_args()
    reports = [Report.load(path) for path in sorted(options.results.glob("*.json"))]
    options.output.write_text(baseline({report.benchmark: report for report in reports}), encoding="utf-8")


def baseline(reports: Mapping[str, Report]) -> str:
    """All there is to say about some reports, as Markdown."""
    parts = ["# Baseline", "Written by `benchmarks/baseline.py` from `benchmarks/results`: do not edit."]
    parts += ["## How it was measured", HOW, *_generator(reports), _machines(reports)]
    parts += ["## Goals", _goals(reports)]
    for name, words in SECTIONS.items():
        if name in reports:
            parts += [
                f"## {name.capitalize()}",
                words,
                *_picture(name),
                reports[name].table(),
                *_growth(reports[name]),
                *_failures(reports[name]),
            ]
    return "\n\n".join(parts) + "\n"


def _generator(reports: Mapping[str, Report]) -> Iterator[str]:
    """How fast the generator is beside the servers, if that was measured."""
    if "echo" not in reports:
        return
    shares = [
        (details["busy_seconds"] / details["server_seconds"], figure.subject, figure.case)
        for figure in reports["echo"].figures
        for details in figure.details
        if not figure.subject.startswith(LIMITS)
    ]
    if shares:
        share, subject, case = max(shares)
        most = f"{share:.0%} of the CPU time of its server ({subject}, {case})"
        yield f"The generator takes up to {most}; no rate counts it."


def _machines(reports: Mapping[str, Report]) -> str:
    """What all have in common once, and then when each was measured, of what, and beside how much else."""
    common = dict.fromkeys(line for report in reports.values() for line in _machine(report.machine).items())
    lines = [f"| {name} | {value} |" for name, value in (*common, *map(_run, reports.values()))]
    return "\n".join(["| where | |", "|---|---|", *lines])


def _machine(machine: Mapping[str, Any]) -> dict[str, str]:
    versions = ", ".join(f"{name} {value}" for name, value in machine["versions"].items() if value)
    return {
        "processor": f"{machine['processor']}, {machine['cores']} cores",
        "system": machine["platform"],
        "congestion control": machine.get("congestion_control", "not noted"),
        "Python": machine["python"].replace("\n", " "),
        "versions": versions,
    }


def _run(report: Report) -> tuple[str, str]:
    rounds = max((len(figure.values) for figure in report.figures), default=0)
    commit, load = report.machine["commit"], report.machine["load"]
    return report.benchmark, f"{report.date}, commit {commit}, {rounds} rounds, {load:.1f} other processes ready to run"


def _goals(reports: Mapping[str, Report]) -> str:
    lines = ["| benchmark | case | subject | goal | measured | met |", "|---|---|---|---|---|---|"]
    lines += [_goal(goal, verdict) for goal, verdict in verdicts(reports)]
    return "\n".join(lines)


def _goal(goal: Goal, verdict: Verdict | None) -> str:
    more = "" if verdict is None else "≥ " if verdict.more_is_better else "≤ "
    measured = "not measured" if verdict is None else f"{verdict.figure:,.0f}"
    if verdict is not None and goal.of:
        measured += f" = {verdict.ratio:.2f} ×"
    met = "" if verdict is None else "yes" if verdict.is_met else "**no**"
    return f"| {goal.benchmark} | {goal.case} | {goal.subject} | {more}{goal} | {measured} | {met} |"


def _picture(name: str) -> Iterator[str]:
    path = Path("docs", "benchmarks", f"{name}.png")
    if (ROOT / path).exists():
        yield f"![{name}]({path.as_posix()})"


def _growth(report: Report) -> Iterator[str]:
    """How many times as much each takes with many connections: the bare loop grows as well, and the machine below."""
    many = [case for case in report.cases if case.endswith(" connections")]
    if ALONE not in report.cases or not many:
        return
    lines = [f"| times as much as with {ALONE} | {' | '.join(many)} |", "|---" + "|---:" * len(many) + "|"]
    for subject in report.subjects:
        figures = [report.figure(case, subject) for case in (ALONE, *many)]
        medians = [figure.median for figure in figures if figure is not None]
        if len(medians) == len(figures):
            lines.append(f"| {subject} | {' | '.join(f'{median / medians[0]:.2f}' for median in medians[1:])} |")
    yield "\n".join(lines)


def _failures(report: Report) -> Iterator[str]:
    if report.failures:
        yield "Not measured: " + "; ".join(failure.splitlines()[0] for failure in report.failures) + "."


if __name__ == "__main__":
    main()
