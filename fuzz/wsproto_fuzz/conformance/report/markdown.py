"""Several runs as Markdown, for documentation: a line for each run, in total and by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..verdict import Verdict
from .matrix import SYMBOLS, Matrix
from .text import visible

__all__ = ["markdown"]


def markdown(matrix: Matrix) -> str:
    """Two tables: how often each run has each verdict; and by group, what was not passed, or how much was."""
    return f"{_totals(matrix)}\n{_groups(matrix)}"


def _totals(matrix: Matrix) -> str:
    head = ["Implementation", *(f"{SYMBOLS[verdict]} {verdict}" for verdict in Verdict)]
    lines = ([run.peer, *(str(run.counts[verdict]) for verdict in Verdict)] for run in matrix.runs)
    return _table(head, ["---", *("--:" for _ in Verdict)], lines)


def _groups(matrix: Matrix) -> str:
    lines = (
        [run.peer, *(_cell(matrix.counts(group, column)) for group in matrix.groups)]
        for column, run in enumerate(matrix.runs)
    )
    return _table(["Implementation", *matrix.groups], ["---", *("---" for _ in matrix.groups)], lines)


def _cell(counts: Counter[Verdict]) -> str:
    if not counts:
        return "·"
    missed = [verdict for verdict in (Verdict.FAIL, Verdict.LAX, Verdict.UNIMPLEMENTED) if counts[verdict]]
    return " ".join(f"{SYMBOLS[verdict]} {counts[verdict]}" for verdict in missed or [Verdict.PASS])


def _table(head: Sequence[str], rule: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    escaped = ([visible(cell).replace("|", "\\|") for cell in line] for line in [head, rule, *lines])
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)
