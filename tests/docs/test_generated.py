"""What the documentation takes from the code holds all of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from enum import Enum
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import wsproto_asyncio
import wsproto_core
import wsproto_core.frames
import wsproto_core.hub
from docs import diagram, generate
from tests.docs.pages import DOCS, pages
from wsproto_core import CloseCode, Limits, Timeouts, Violation, WebSocketError
from wsproto_core.hub import Reason

DIAGRAMS = pytest.mark.parametrize("name", generate.DIAGRAMS)


def test_every_close_code_is_in_the_table() -> None:
    table = generate.close_codes()
    assert [code for code in CloseCode if f"| `{code.value}` | `CloseCode.{code.name}` |" not in table] == []


def test_every_violation_is_in_exactly_one_table() -> None:
    tables = [
        generate.frame_violations(),
        generate.request_violations(),
        generate.response_violations(),
        generate.stream_violations(),
        generate.pipeline_violations(),
    ]
    assert {item: sum(f"| `{item.name}` |" in table for table in tables) for item in Violation} == dict.fromkeys(
        Violation, 1
    )
    assert [item for item in Violation if item.words not in "".join(tables)] == []


def test_every_public_exception_is_in_the_table() -> None:
    table = generate.errors()
    public = [getattr(wsproto_core, name) for name in wsproto_core.__all__]
    exceptions = [item for item in public if isinstance(item, type) and issubclass(item, WebSocketError)]
    assert [error for error in exceptions if f"`{error.__name__}` | `{error.code}` |" not in table] == []


def test_every_reason_of_the_hub_is_in_the_table() -> None:
    table = generate.hub_reasons()
    assert [item for item in Reason if f"| `{item.name}` | `{item.code}` | {item.words} |" not in table] == []


def test_every_limit_and_timeout_is_in_the_table() -> None:
    table = generate.limits()
    assert [item.name for kind in (Limits, Timeouts) for item in fields(kind) if f".{item.name}`" not in table] == []


@DIAGRAMS
def test_every_state_and_every_input_is_in_the_diagram(name: str) -> None:
    made = generate.DIAGRAMS[name]()
    svg = diagram.draw(made)
    shown = {unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)}
    words: set[Enum] = set(made.table) | {step for row in made.table.values() for step in row}
    assert {word.value for word in words} <= shown


@DIAGRAMS
def test_every_transition_has_its_label(name: str) -> None:
    """An edge's label is drawn once for each edge, so the labels can be counted."""
    made = generate.DIAGRAMS[name]()
    labels = re.findall(rf'fill="{diagram.LABEL_INK}">([^<]*)<', diagram.draw(made))
    assert sorted(map(unescape, labels)) == sorted(step.value for row in made.table.values() for step in row)


@DIAGRAMS
def test_the_diagram_is_well_formed_and_nothing_lies_outside(name: str) -> None:
    made = generate.DIAGRAMS[name]()
    width, height = made.size
    svg = ElementTree.fromstring(diagram.draw(made))
    for box in svg.iter("{http://www.w3.org/2000/svg}rect"):
        left, top = float(box.get("x", 0)), float(box.get("y", 0))
        assert left >= 0
        assert top >= 0
        assert left + float(box.get("width", 0)) <= width
        assert top + float(box.get("height", 0)) <= height


@DIAGRAMS
def test_no_label_covers_another_or_a_state(name: str) -> None:
    made = generate.DIAGRAMS[name]()
    boxes = [tuple(float(value) for value in found) for found in _rectangles(diagram.draw(made))]
    assert [(one, two) for index, one in enumerate(boxes) for two in boxes[index + 1 :] if _overlap(one, two)] == []


def _rectangles(svg: str) -> list[Any]:
    return re.findall(r'<rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"', svg)


def _overlap(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return (
        one[0] < two[0] + two[2] and two[0] < one[0] + one[2] and one[1] < two[1] + two[3] and two[1] < one[1] + one[3]
    )


def test_a_state_without_a_place_is_an_error() -> None:
    made = generate.connection()
    homeless = diagram.Diagram(made.title, made.size, made.table, {})
    with pytest.raises(KeyError):
        diagram.draw(homeless)


def test_an_edge_without_a_route_is_a_straight_line() -> None:
    made = generate.connection()
    assert "handshake accepted" in diagram.draw(diagram.Diagram(made.title, made.size, made.table, made.places))


def test_every_generated_file_is_shown_by_a_page(tmp_path: Path) -> None:
    generate.write_all(tmp_path)
    text = "".join(page.read_text(encoding="utf-8") for page in pages())
    assert [path.name for path in tmp_path.iterdir() if f"_generated/{path.name}" not in text] == []


def test_writing_again_touches_nothing(tmp_path: Path) -> None:
    generate.write_all(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    generate.write_all(tmp_path)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    "door", [wsproto_core, wsproto_core.frames, wsproto_core.hub, wsproto_asyncio], ids=lambda door: door.__name__
)
def test_every_public_name_is_in_the_reference(door: Any) -> None:
    """By name, on a page of the reference: what `automodule` would list without an order is grouped by hand."""
    text = "".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "reference").glob("*.md")))
    directives = set(re.findall(r"auto\w+:: ([\w.]+)", text))
    assert [
        name
        for name in door.__all__
        if f"{door.__name__}.{name}" not in directives and f"wsproto_core.{name}" not in directives
    ] == []
