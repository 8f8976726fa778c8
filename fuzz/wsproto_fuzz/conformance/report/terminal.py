"""A run as text for a terminal: a table of groups, then what to look at, the worst at the end, next to the prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ...transcript import render
from ..verdict import Result, Run, Verdict
from .matrix import SYMBOLS, Matrix
from .reproduction import reproduction
from .text import amount, plural, shortened, visible

__all__ = ["summary"]

#: How many cases are told of for each verdict; the page has them all.
_MAX_TOLD = 20
_MAX_IN_FULL = 5
_MAX_LINES = 12
_LINE_LENGTH = 110


def summary(run: Run) -> str:
    """What one wants to know at once: the counts by group, the failed cases with evidence, the lax ones in words."""
    parts = [_heading(run), "", *_table(run), *_of(run, Verdict.LAX, 0), *_of(run, Verdict.FAIL, _MAX_IN_FULL)]
    return "\n".join([*parts, "", _conclusion(run)])


def _of(run: Run, verdict: Verdict, max_in_full: int) -> Iterator[str]:
    """The cases with a verdict, the first ones with their evidence."""
    found = [result for result in run.results if result.verdict is verdict]
    for index, result in enumerate(found[:_MAX_TOLD]):
        if index <= max_in_full:
            yield ""
        yield from _in_full(run, result) if index < max_in_full else _briefly(result)
    if len(found) > _MAX_TOLD:
        yield f"{SYMBOLS[verdict]} {plural(len(found) - _MAX_TOLD, 'more case')} with the verdict {verdict}"


def _heading(run: Run) -> str:
    seed = "" if run.seed is None else f", seed {run.seed}"
    return f"{visible(run.peer)} ({run.side}), {plural(len(run.results), 'case')}, {amount(run.duration)}{seed}"


def _conclusion(run: Run) -> str:
    failed = run.counts[Verdict.FAIL]
    return f"{SYMBOLS[Verdict.FAIL]} {plural(failed, 'case')} failed" if failed else f"{SYMBOLS[Verdict.PASS]} conforms"


def _table(run: Run) -> Iterator[str]:
    matrix = Matrix([run])
    width = max([len("group"), *map(len, matrix.groups)])
    yield "  ".join([f"{'group':<{width}}", *(f"{SYMBOLS[verdict]} {verdict:>5}" for verdict in Verdict)])
    for group in matrix.groups:
        yield _row(group, width, matrix.counts(group, 0))
    if len(matrix.groups) > 1:
        yield _row("all", width, run.counts)


def _row(name: str, width: int, counts: Counter[Verdict]) -> str:
    cells = (f"{counts[verdict] or '.':>{max(7, len(verdict) + 2)}}" for verdict in Verdict)
    return "  ".join([f"{name:<{width}}", *cells])


def _in_full(run: Run, result: Result) -> Iterator[str]:
    yield _title(result)
    yield f"    {result.section}: {result.requirement}"
    yield f"    {visible(result.finding)}"
    yield from (
        f"      {shortened(visible(line), _LINE_LENGTH)}" for line in _ends(render(result.transcript).splitlines())
    )
    yield from (f"    {line}" for line in visible(reproduction(run, result)).splitlines())


def _briefly(result: Result) -> Iterator[str]:
    yield _title(result)
    yield f"    {visible(result.finding)} ({result.section})"


def _title(result: Result) -> str:
    return f"{SYMBOLS[result.verdict]} {result.case}  {visible(result.title)}"


def _ends(lines: Sequence[str]) -> list[str]:
    """The last ones are where it went wrong; the first ones how it began."""
    if len(lines) <= _MAX_LINES:
        return list(lines)
    half = _MAX_LINES // 2
    return [*lines[:half], f"... {len(lines) - 2 * half} lines ...", *lines[-half:]]
