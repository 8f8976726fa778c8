"""Runs as one HTML page: a summary, a matrix of cases by peers, and every case with its evidence to unfold.

The page needs nothing but itself and works without JavaScript, which only adds the filter. What a peer said is text
and stays text: :mod:`.markup` escapes it, and the page's own policy lets no script run but the one that is in it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.resources import files

from ..verdict import Run, Verdict
from .details import details, requirement
from .markup import Markup, element, join
from .matrix import SYMBOLS, Matrix, Row
from .text import amount, plural

__all__ = ["page"]


def page(matrix: Matrix) -> str:
    """The page, complete."""
    body = [_masthead(matrix), _overview(matrix), _filters(matrix), *_groups(matrix), _footer()]
    style, script = _asset("page.css"), _asset("page.js")
    kind = "one" if len(matrix.runs) == 1 else "several"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{element('title', _title(matrix))}\n<style>\n{style}</style>\n</head>\n"
        f'<body class="{kind}" style="--peers: {len(matrix.runs)}">\n'
        f"{join(*body)}\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return files(__package__ or __name__).joinpath(name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _title(matrix: Matrix) -> str:
    if len(matrix.runs) == 1:
        return f"{matrix.runs[0].peer}: WebSocket conformance"
    return f"WebSocket conformance of {plural(len(matrix.runs), 'implementation')}"


# --- the head of the page ---------------------------------------------------------------------------------------------


def _masthead(matrix: Matrix) -> Markup:
    if len(matrix.runs) == 1:
        return element("header", element("p", "WebSocket conformance", class_="kicker"), _portrait(matrix.runs[0]))
    return element(
        "header",
        element("p", "WebSocket conformance", class_="kicker"),
        element("h1", plural(len(matrix.runs), "implementation"), f", {plural(len(matrix.rows), 'case')}"),
        _league(matrix),
    )


def _portrait(run: Run) -> Markup:
    """One peer, large."""
    failed = run.counts[Verdict.FAIL]
    words = f"{plural(failed, 'case')} failed" if failed else "Conforms"
    verdict = Verdict.FAIL if failed else Verdict.PASS
    badge = element("a", f"{SYMBOLS[verdict]} {words}", class_=f"badge {verdict}", href=f"#verdict={verdict}")
    facts = [f"A {run.side}", _moment(run.began), plural(len(run.results), "case"), amount(run.duration)]
    if run.seed is not None:
        facts.append(f"seed {run.seed}")
    return join(
        element("h1", run.peer, " ", badge),
        element("p", " · ".join(facts), class_="facts"),
        _bar(run.counts),
        element("ul", [element("li", _counted(verdict, run)) for verdict in Verdict], class_="legend"),
    )


def _counted(verdict: Verdict, run: Run) -> Markup:
    """How many cases have the verdict, as a link to them."""
    return element("a", _count(verdict, run.counts[verdict]), f" {verdict}", href=f"#verdict={verdict}")


def _league(matrix: Matrix) -> Markup:
    """Several peers, a line each."""
    head = element("tr", *(element("th", word, scope="col") for word in ("Implementation", "", *Verdict)))
    lines = [
        element(
            "tr",
            element("th", run.peer, " ", element("small", f"{run.side}, {_moment(run.began)}"), scope="row"),
            element("td", _bar(run.counts), class_="wide"),
            *(element("td", _count(verdict, run.counts[verdict]), class_="number") for verdict in Verdict),
        )
        for run in matrix.runs
    ]
    return element(
        "div", element("table", element("thead", head), element("tbody", lines), class_="league"), class_="scroll"
    )


def _bar(counts: Counter[Verdict]) -> Markup:
    """The shares of the verdicts as lengths; the numbers stand beside it."""
    parts = [element("i", class_=v, style=f"flex-grow: {counts[v]}") for v in Verdict if counts[v]]
    return element("div", parts, class_="bar", role="presentation")


def _count(verdict: Verdict, count: int) -> Markup:
    if not count:
        return element("span", "0", class_="none")
    return element("span", f"{SYMBOLS[verdict]} {count}", class_=verdict)


def _moment(began: str) -> str:
    """A date for people, where it is one."""
    try:
        moment = datetime.fromisoformat(began)
    except ValueError:
        return began
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


# --- groups by peers --------------------------------------------------------------------------------------------------


def _overview(matrix: Matrix) -> Markup:
    alone = len(matrix.runs) == 1
    columns = [str(verdict) for verdict in Verdict] if alone else [run.peer for run in matrix.runs]
    head = element("tr", element("th", "Group", scope="col"), *(_column(name, alone) for name in columns))
    lines = [_overview_line(matrix, group) for group in matrix.groups]
    table = element(
        "table", element("thead", head), element("tbody", lines), class_="overview" if alone else "overview many"
    )
    return element("div", table, class_="scroll")


def _column(name: str, alone: bool) -> Markup:
    """Long names may break at an underscore."""
    parts = [join(part, Markup("<wbr>")) for part in re.split("(?<=_)", name)]
    return element("th", parts, scope="col", title=False if alone else name)


def _overview_line(matrix: Matrix, group: str) -> Markup:
    name = element("th", element("a", group, href=f"#group-{group}"), scope="row")
    if len(matrix.runs) == 1:
        counts = matrix.counts(group, 0)
        return element("tr", name, *(element("td", _count(verdict, counts[verdict])) for verdict in Verdict))
    return element("tr", name, *(_overview_cell(matrix, group, column) for column in range(len(matrix.runs))))


def _overview_cell(matrix: Matrix, group: str, column: int) -> Markup:
    """The worst verdict, and how often; all of them in the title."""
    counts = matrix.counts(group, column)
    if not counts:
        return element("td", element("span", "not played", class_="none"))
    worst = _worst(counts)
    everything = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return element("td", _count(worst, counts[worst]), title=f"{matrix.runs[column].peer}: {everything}")


def _worst(counts: Counter[Verdict]) -> Verdict:
    order = (Verdict.FAIL, Verdict.LAX, Verdict.PASS, Verdict.UNIMPLEMENTED)
    return next(verdict for verdict in order if counts[verdict])


# --- the filter -------------------------------------------------------------------------------------------------------


def _filters(matrix: Matrix) -> Markup:
    groups = [
        element("option", "every group", value=""),
        *(element("option", name, value=name) for name in matrix.groups),
    ]
    buttons = [_toggle(v, f"{SYMBOLS[v]} {v}") for v in Verdict]
    if len(matrix.runs) > 1:
        buttons.append(_toggle("differs", "≠ differs"))
    return element(
        "form",
        element(
            "input", type="search", id="text", placeholder="Filter: words, case, section", aria_label="Filter by text"
        ),
        element("select", groups, id="group", aria_label="Filter by group"),
        element("span", buttons, class_="toggles"),
        element("output", id="shown"),
        element("button", "Unfold", type="button", id="unfold"),
        id="filters",
    )


def _toggle(value: str, words: str) -> Markup:
    return element("button", words, type="button", class_=f"toggle {value}", data_verdict=value, aria_pressed="false")


# --- the cases --------------------------------------------------------------------------------------------------------


def _groups(matrix: Matrix) -> Iterator[Markup]:
    for group in matrix.groups:
        count = element("small", plural(len(matrix.of_group(group)), "case"))
        yield element(
            "section",
            element("h2", element("span", group, " ", count), _peers(matrix)),
            *(_family(matrix, rows) for rows in matrix.families(group)),
            id=f"group-{group}",
            data_group=group,
        )


def _family(matrix: Matrix, rows: Sequence[Row]) -> Markup:
    """Cases with one requirement, which stands above them."""
    cases = element("div", *(_case(matrix, row) for row in rows), class_="cases")
    return element("div", element("h3", requirement(rows[0])), cases, class_="family")


def _peers(matrix: Matrix) -> Markup:
    """The heads of the columns."""
    if len(matrix.runs) == 1:
        return Markup()
    return join(*(element("b", element("span", run.peer), title=run.peer) for run in matrix.runs))


def _case(matrix: Matrix, row: Row) -> Markup:
    cells = [
        _cell(run, result.verdict if result else None) for run, result in zip(matrix.runs, row.results, strict=True)
    ]
    words = " ".join(sorted(row.verdicts) + (["differs"] if len(row.verdicts) > 1 else []))
    summary = element(
        "summary", element("code", row.case), element("span", row.title, class_="title"), cells, class_="case"
    )
    return element("details", summary, details(matrix, row), id=row.case, data_verdicts=words)


def _cell(run: Run, verdict: Verdict | None) -> Markup:
    """What is usual needs no title: most cells are passes, and the page is large enough."""
    if verdict is None:
        return element("span", "·", class_="cell", title=f"{run.peer}: not played")
    title = f"{run.peer}: {verdict}" if verdict is not Verdict.PASS else False
    return element("span", SYMBOLS[verdict], class_=f"cell {verdict}", title=title)


def _footer() -> Markup:
    meanings = {
        Verdict.PASS: "what the RFC requires",
        Verdict.LAX: "allowed, less than what the RFC recommends",
        Verdict.FAIL: "forbidden, or not what is required",
        Verdict.UNIMPLEMENTED: "the case needs what the peer does not offer",
    }
    words = [join(element("b", SYMBOLS[v], class_=v), f" {v}: {meaning}. ") for v, meaning in meanings.items()]
    return element(
        "footer", element("p", words), element("p", "Made by wsproto fuzz. Verdicts are on these cases only.")
    )
