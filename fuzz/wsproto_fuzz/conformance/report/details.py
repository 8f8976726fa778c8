"""What unfolds below a case: what is required, and for each peer what it did, with the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...transcript import Direction, Line
from ..verdict import Result, Run, Verdict
from .markup import Markup, element, join
from .matrix import SYMBOLS, Matrix, Row
from .reproduction import reproduction
from .sections import linked
from .text import amount, plural, shortened

__all__ = ["details", "requirement"]

#: What a page shows of a transcript; the JSON file has all of it. A pass needs less evidence.
_MAX_LINES = 60
_MAX_LINES_OF_A_PASS = 12
_LINE_LENGTH = 1200
_ARROWS = {Direction.SENT: "→", Direction.RECEIVED: "←", Direction.REMARK: "·"}


def details(matrix: Matrix, row: Row) -> Markup:
    """The body of a case."""
    required = element("p", requirement(row), class_="requirement")
    played = [(run, result) for run, result in zip(matrix.runs, row.results, strict=True) if result]
    if len(matrix.runs) == 1:
        return element("div", required, *(_alone(run, result) for run, result in played), class_="body")
    missed = [_among_others(run, result) for run, result in played if result.verdict is not Verdict.PASS]
    return element("div", required, missed, _passes(played), class_="body")


def requirement(row: Row) -> Markup:
    """What the RFC requires, and a link to where it does."""
    parts = [
        element("a", words, href=address, rel="noreferrer") if address else words
        for words, address in linked(row.section)
    ]
    return join(row.requirement, " ", element("span", parts, class_="section"))


def _alone(run: Run, result: Result) -> Markup:
    return join(element("p", _finding(result), class_="finding"), _evidence(run, result))


def _among_others(run: Run, result: Result) -> Markup:
    head = join(element("b", run.peer, class_="peer"), _finding(result))
    if not (evidence := _evidence(run, result)):
        return element("p", head, class_="finding")
    return element("details", element("summary", head, class_="finding"), evidence, class_="inner")


def _passes(played: Iterable[tuple[Run, Result]]) -> Iterator[Markup]:
    """One line for all that did the same. Ten transcripts of the same thing are read by nobody."""
    found: dict[str, list[str]] = {}
    for run, result in played:
        if result.verdict is Verdict.PASS:
            found.setdefault(result.finding, []).append(run.peer)
    for finding, peers in found.items():
        yield element(
            "p", _badge(Verdict.PASS), " ", finding, " ", element("small", ", ".join(peers)), class_="finding"
        )


def _finding(result: Result) -> Markup:
    return join(_badge(result.verdict), " ", result.finding, " ", element("small", amount(result.duration)))


def _badge(verdict: Verdict) -> Markup:
    return element("span", f"{SYMBOLS[verdict]} {verdict}", class_=f"badge {verdict}")


def _evidence(run: Run, result: Result) -> Markup:
    parts: list[Markup] = []
    if result.transcript:
        limit = _MAX_LINES_OF_A_PASS if result.verdict is Verdict.PASS else _MAX_LINES
        parts.append(element("pre", *_shown(result.transcript, limit), class_="transcript", tabindex="0"))
    if again := reproduction(run, result):
        parts += [element("h4", "Reproduction"), element("pre", again, tabindex="0")]
    return join(*parts)


def _shown(lines: Sequence[Line], limit: int) -> Iterator[Markup]:
    """The first lines tell how it began and the last ones how it ended; the middle goes."""
    tail = limit // 3
    for index, line in enumerate(lines):
        if len(lines) <= limit or index < limit - tail or index >= len(lines) - tail:
            yield _line(line)
        elif index == limit - tail:
            yield element("span", f"⋮ {plural(len(lines) - limit, 'more line')}, in the JSON report\n", class_="gap")


def _line(line: Line) -> Markup:
    """As ``str(line)`` is, with a class for each part."""
    meaning = shortened(line.meaning, _LINE_LENGTH).replace("\n", "\n" + " " * 11)
    return element(
        "span",
        element("i", f"{line.at:8.3f}"),
        element("b", f" {_ARROWS[line.direction]} "),
        meaning,
        element("code", f"  {line.hex}") if line.hex else "",
        "\n",
        class_=line.direction.name.lower(),
    )
