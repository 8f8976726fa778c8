"""Several runs side by side: what every report counts and shows is looked up here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from ..verdict import Result, Run, Verdict

__all__ = ["SYMBOLS", "Matrix", "Row"]

#: A sign for each verdict, so that none is told by colour alone.
SYMBOLS = {Verdict.PASS: "✓", Verdict.LAX: "~", Verdict.FAIL: "✗", Verdict.UNIMPLEMENTED: "–"}


@dataclass(frozen=True, slots=True)
class Row:
    """One case, and what each run has on it."""

    case: str
    group: str
    title: str
    requirement: str
    section: str
    #: In the order of the runs; ``None`` where a run did not play the case.
    results: tuple[Result | None, ...]

    @property
    def verdicts(self) -> frozenset[Verdict]:
        """The verdicts that occur."""
        return frozenset(result.verdict for result in self.results if result)


@dataclass(frozen=True)
class Matrix:
    """Cases by runs. What the first run says of a case is what is shown of it."""

    runs: Sequence[Run]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The cases, by group, in the order in which they first occur."""
        found: dict[str, list[Result | None]] = {}
        for column, run in enumerate(self.runs):
            for result in run.results:
                found.setdefault(result.case, [None] * len(self.runs))[column] = result
        rows = [_row(results) for results in found.values()]
        order = {group: place for place, group in enumerate(dict.fromkeys(row.group for row in rows))}
        return tuple(sorted(rows, key=lambda row: order[row.group]))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, in the order in which they first occur."""
        return tuple(dict.fromkeys(row.group for row in self.rows))

    def of_group(self, group: str) -> list[Row]:
        """The cases of a group."""
        return [row for row in self.rows if row.group == group]

    def families(self, group: str) -> list[list[Row]]:
        """The cases of a group, those together that follow one another and have the same requirement."""
        return [list(rows) for _, rows in groupby(self.of_group(group), lambda row: (row.requirement, row.section))]

    def counts(self, group: str, column: int) -> Counter[Verdict]:
        """How many cases of a group had each verdict in one run."""
        return counted(row.results[column] for row in self.of_group(group))


def counted(results: Iterable[Result | None]) -> Counter[Verdict]:
    """How many had each verdict."""
    return Counter(result.verdict for result in results if result)


def _row(results: Sequence[Result | None]) -> Row:
    first = next(result for result in results if result)
    return Row(first.case, first.group, first.title, first.requirement, first.section, tuple(results))
