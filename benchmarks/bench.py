"""What every benchmark does: options, rounds, a table and the files.

A benchmark is cases, subjects, and a function that measures one subject in one case. The subjects take turns, round by
round, so that a disturbance of the machine meets all alike.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import native
from processes import Failed
from report import RESULTS, Figure, Report

__all__ = ["Benchmark", "Measure"]

#: The case and the subject; what comes back is the figure and everything that was counted, or None where there is
#: nothing to measure. Raises :exc:`Failed`.
Measure: TypeAlias = Callable[[str, str], tuple[float, dict[str, Any]] | None]


@dataclass(frozen=True)
class Benchmark:
    """One benchmark, from its command line to its files."""

    name: str
    unit: str
    more_is_better: bool
    cases: Sequence[str]
    subjects: Sequence[str]
    rounds: int = 5

    def parser(self, description: str | None, *, seconds: float | None = None) -> argparse.ArgumentParser:
        """The options that all have, and how long each measurement takes, if that is a matter of choice."""
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        add = parser.add_argument
        add("--rounds", type=int, default=self.rounds, metavar="N", help="how often each is measured (%(default)s)")
        add("--case", action="append", choices=self.cases, metavar="CASE", help="this one only; may be repeated")
        add(
            "--subject",
            action="append",
            choices=self.subjects,
            metavar="SUBJECT",
            help="this one only; may be repeated",
        )
        add("--output", type=Path, default=RESULTS, metavar="FOLDER", help="where JSON and CSV go (%(default)s)")
        if seconds is not None:
            add("--seconds", type=float, default=seconds, metavar="S", help="how long each is measured (%(default)s)")
        return parser

    def run(self, options: argparse.Namespace, measure: Measure) -> Report:
        """Measure, print the table, write the files."""
        pairs = [(case, subject) for case in options.case or self.cases for subject in options.subject or self.subjects]
        failures: dict[tuple[str, str], str] = {}
        figures = {pair: Figure(*pair, [], []) for pair in pairs}
        with tempfile.TemporaryDirectory() as folder:
            native.build(Path(folder))
            for number in range(options.rounds):
                print(f"{self.name}: round {number + 1} of {options.rounds}", file=sys.stderr)
                for pair in pairs:
                    if pair not in failures:
                        _measure_one(measure, figures[pair], failures)
        measured = [figure for pair, figure in figures.items() if figure.values and pair not in failures]
        settings = {name: value for name, value in vars(options).items() if isinstance(value, int | float)}
        report = Report(self.name, self.unit, self.more_is_better, measured, settings, list(failures.values()))
        report.save(options.output)
        print(report.table())
        return report


def _measure_one(measure: Measure, figure: Figure, failures: dict[tuple[str, str], str]) -> None:
    try:
        outcome = measure(figure.case, figure.subject)
    except Failed as failure:
        failures[figure.case, figure.subject] = f"{figure.case}, {figure.subject}: {failure}"
        print(f"failed: {failures[figure.case, figure.subject]}", file=sys.stderr)
    else:
        if outcome is not None:
            figure.values.append(outcome[0])
            figure.details.append(outcome[1])
