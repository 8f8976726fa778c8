"""State machines as pictures: a transition table, and where each state stands, become an SVG.

The table decides what is drawn. The places and routes only say where: a state without a place is an error, an edge
without a route is a straight line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from html import escape
from typing import Any, TypeAlias

__all__ = ["Diagram", "Place", "Point", "Route", "draw"]

Point: TypeAlias = tuple[float, float]
Table: TypeAlias = Mapping[Any, Mapping[Any, Any]]

FONT = 13
LINE = 17
BOX_HEIGHT = 56
CORNER = 12
INK = "#3a4a5f"
LABEL_INK = "#1f2d3d"
NOTE_INK = "#4a5568"
CHARACTER = 6.8  # the mean width of a character at that size, generously


@dataclass(frozen=True)
class Place:
    """Where a state stands (its centre), what is written below its name, and its colour."""

    at: Point
    note: str = ""
    fill: str = "#e8eef7"
    width: float = 160


@dataclass(frozen=True)
class Route:
    """The corners of an edge, from border to border, and where its label is centred."""

    points: Sequence[Point]
    label: Point


@dataclass(frozen=True)
class Diagram:
    """One picture."""

    title: str
    size: tuple[int, int]
    table: Table
    places: Mapping[Any, Place]
    routes: Mapping[tuple[Any, Any], Route] = field(default_factory=dict)


def draw(diagram: Diagram) -> str:
    """The SVG. Raises :exc:`KeyError` for a state that has no place."""
    width, height = diagram.size
    edges = merged(diagram.table)
    lines = [_edge(diagram, edge) for edge in edges]
    labels = [_label(_route(diagram, edge).label, [step.value for step in steps]) for edge, steps in edges.items()]
    boxes = [_box(state, diagram.places[state]) for state in diagram.table]
    body = "\n".join([*lines, *boxes, *labels])
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    font = f'font-family="Helvetica, Arial, sans-serif" font-size="{FONT}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {font}>
<title>{escape(diagram.title)}</title>
<desc>{escape(described(diagram.table))}</desc>
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">
<path d="M 0 0 L 10 5 L 0 10 z" fill="{INK}"/></marker></defs>
<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>
{body}
</svg>
"""


def merged(table: Table) -> dict[tuple[Any, Any], list[Enum]]:
    """The steps of each edge, so that two states have one arrow between them and not five."""
    edges: dict[tuple[Any, Any], list[Enum]] = {}
    for source, row in table.items():
        for step, target in row.items():
            edges.setdefault((source, target), []).append(step)
    return edges


def described(table: Table) -> str:
    """The table in words, for whoever cannot see the picture."""
    return "; ".join(
        f"{source.value}: {step.value} leads to {target.value}"
        for source, row in table.items()
        for step, target in row.items()
    )


def _route(diagram: Diagram, edge: tuple[Any, Any]) -> Route:
    if edge in diagram.routes:
        return diagram.routes[edge]
    start, end = (diagram.places[state].at for state in edge)
    return Route([start, end], ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))


def _edge(diagram: Diagram, edge: tuple[Any, Any]) -> str:
    points = _route(diagram, edge).points
    path = f"M {points[0][0]} {points[0][1]}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        near, far = _towards(corner, before), _towards(corner, after)
        path += f" L {near[0]:g} {near[1]:g} Q {corner[0]:g} {corner[1]:g} {far[0]:g} {far[1]:g}"
    path += f" L {points[-1][0]:g} {points[-1][1]:g}"
    return f'<path d="{path}" fill="none" stroke="{INK}" stroke-width="1.5" marker-end="url(#tip)"/>'


def _towards(corner: Point, other: Point) -> Point:
    """The point where a line leaves for its rounded corner."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max(abs(dx), abs(dy), 1.0)
    step = min(CORNER, length / 2) / length
    return corner[0] + dx * step, corner[1] + dy * step


def _box(state: Enum, place: Place) -> str:
    x, y = place.at
    shift = -4 if place.note else 5
    words = f'<text x="{x:g}" y="{y + shift:g}" text-anchor="middle" font-weight="bold">{escape(state.value)}</text>'
    note = (
        f'<text x="{x:g}" y="{y + 15:g}" text-anchor="middle" font-size="12" fill="#4a5568">{escape(place.note)}</text>'
    )
    box = (
        f'<rect x="{x - place.width / 2:g}" y="{y - BOX_HEIGHT / 2:g}" width="{place.width:g}" height="{BOX_HEIGHT}" '
        f'rx="10" fill="{place.fill}" stroke="{INK}" stroke-width="1.5"/>'
    )
    return box + words + (note if place.note else "")


def _label(at: Point, lines: Sequence[str]) -> str:
    x, y = at
    width = max(map(len, lines)) * CHARACTER + 8
    height = len(lines) * LINE + 4
    top = y - height / 2
    back = f'<rect x="{x - width / 2:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="4" fill="#ffffff"/>'
    words = [_text(x, top + LINE * (n + 1) - 3, line, f'fill="{LABEL_INK}"') for n, line in enumerate(lines)]
    return back + "".join(words)


def _text(x: float, y: float, words: str, style: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle" {style}>{escape(words)}</text>'
