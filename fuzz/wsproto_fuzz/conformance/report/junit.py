"""Runs as JUnit XML, which every CI server reads: a suite for each group, a failure for each case that failed.

Valid against the schemas of Ant (Windy Road) and of Jenkins. What neither knows is said in words: a lax case passes,
and stands in its suite's ``system-out``; an unimplemented one is skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ..verdict import Result, Run, Verdict
from .reproduction import reproduction
from .text import visible

__all__ = ["junit"]


def junit(runs: Iterable[Run]) -> str:
    """The runs as one XML document."""
    root = Element("testsuites")
    for run in runs:
        for group in dict.fromkeys(result.group for result in run.results):
            _suite(root, run, group, [result for result in run.results if result.group == group])
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(root: Element, run: Run, group: str, results: Sequence[Result]) -> None:
    counts = Counter(result.verdict for result in results)
    attributes = {
        "id": str(len(root)),
        "package": _token(run.peer),
        "name": _token(group),
        "timestamp": _timestamp(run.began),
        "hostname": "localhost",
        "tests": str(len(results)),
        "failures": str(counts[Verdict.FAIL]),
        "errors": "0",
        "skipped": str(counts[Verdict.UNIMPLEMENTED]),
        "time": _time(sum(result.duration for result in results)),
    }
    suite = SubElement(root, "testsuite", attributes)
    properties = SubElement(suite, "properties")
    facts = {"peer": run.peer, "side": run.side, "seed": "" if run.seed is None else str(run.seed)}
    for name, value in facts.items():
        SubElement(properties, "property", name=name, value=visible(value))
    for result in results:
        _case(suite, run, result)
    SubElement(suite, "system-out").text = "\n".join(_lax(result) for result in results if _is_lax(result))
    SubElement(suite, "system-err")


def _case(suite: Element, run: Run, result: Result) -> None:
    name = _token(f"{result.case} {result.title}")
    classname = f"{_token(run.peer)}.{_token(result.group)}"
    case = SubElement(suite, "testcase", name=name, classname=classname, time=_time(result.duration))
    words = visible(result.finding)
    if result.verdict is Verdict.FAIL:
        SubElement(case, "failure", type=_token(result.section), message=words).text = _evidence(run, result)
    elif result.verdict is Verdict.UNIMPLEMENTED:
        SubElement(case, "skipped", message=words)


def _evidence(run: Run, result: Result) -> str:
    parts = [f"{result.section}: {result.requirement}", result.finding, *map(str, result.transcript)]
    return visible("\n".join([*parts, reproduction(run, result)]).strip())


def _is_lax(result: Result) -> bool:
    return result.verdict is Verdict.LAX


def _lax(result: Result) -> str:
    return visible(f"lax: {result.case} {result.title}: {result.finding}")


def _token(text: str) -> str:
    """Without line feeds, double spaces and spaces at the ends: ``xs:token``, and never empty."""
    return " ".join(visible(text).split()) or "-"


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"


def _timestamp(began: str) -> str:
    """In UTC, and without saying so: the schema wants it that way."""
    try:
        moment = datetime.fromisoformat(began)
    except ValueError:
        moment = datetime.fromtimestamp(0, UTC)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
