"""What the documentation takes from the code: tables of codes, violations, errors and limits, the help texts of the
command, and state diagrams.

`write_all` is called by `conf.py` before every build. It needs nothing but our own packages, so that the tests can call
it too.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import wsproto_cli
import wsproto_core
from docs.diagram import Diagram, Place, Point, Route, draw
from wsproto_core import CloseCode, Limits, State, Timeouts, Violation, WebSocketError
from wsproto_core._codes import describe_close_code, is_wire_code
from wsproto_core._protocol.states import CONNECTION, INCOMING, OUTGOING, PUBLIC_STATE, Phase, Position
from wsproto_core.hub import Reason

__all__ = ["DIAGRAMS", "FILES", "write_all"]


def write_all(folder: Path) -> None:
    """Write every generated file, and touch none that is as it should be."""
    folder.mkdir(exist_ok=True)
    for name, make in FILES.items():
        path = folder / name
        text = make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# --- tables -------------------------------------------------------------------------------------------------------


def close_codes() -> str:
    """The registered close codes."""
    rows = (
        (
            f"`{code.value}`",
            f"`CloseCode.{code.name}`",
            _meaning(code),
            "yes" if is_wire_code(code) else "reported only",
        )
        for code in CloseCode
    )
    return _table(("Code", "Name", "Meaning", "In a close frame"), rows)


def frame_violations() -> str:
    """What a peer can do wrong on an open connection."""
    found = (item for item in _of_websocket() if item.answer >= 1000 and item.answer != CloseCode.ABNORMAL_CLOSURE)
    return _violations("Close code", found)


def request_violations() -> str:
    """What a client can do wrong in its opening handshake."""
    return _violations("HTTP status", (item for item in Violation if item.http_status is not None))


def response_violations() -> str:
    """What a server can do wrong in its opening handshake."""
    found = (item for item in _of_websocket() if item.answer == CloseCode.ABNORMAL_CLOSURE)
    return _violations("Reported code", found)


def stream_violations() -> str:
    """What a peer of message-oriented TCP can do wrong."""
    elsewhere = {*_of_websocket(), *_of_pipeline()}
    return _violations("Reported code", (item for item in Violation if item not in elsewhere))


def pipeline_violations() -> str:
    """What can be wrong with a sealed message."""
    return _violations("Close code", _of_pipeline())


def _of_websocket() -> list[Violation]:
    return [item for item in Violation if item.section.startswith("RFC")]


def _of_pipeline() -> list[Violation]:
    return [item for item in Violation if item.section.startswith("pipeline")]


def errors() -> str:
    """The exceptions, with their stable codes."""
    return _table(("Exception", "Code", "Meaning"), _error_rows(WebSocketError, 0))


def hub_reasons() -> str:
    """Why a hub refuses a command."""
    return _table(("Reason", "Code", "Meaning"), ((f"`{item.name}`", f"`{item.code}`", item.words) for item in Reason))


def limits() -> str:
    """The defaults of `Limits` and `Timeouts`."""
    rows = [
        (f"`{kind.__name__}.{item.name}`", f"`{_amount(item.name, getattr(kind(), item.name))}`")
        for kind in (Limits, Timeouts)
        for item in fields(kind)
    ]
    return _table(("Setting", "Default"), rows)


def help_text(*command: str) -> str:
    """What `wsproto COMMAND --help` prints."""
    printed = io.StringIO()
    with _columns(88), contextlib.redirect_stdout(printed):
        status = wsproto_cli.main([*command, "--help"])
    assert status == 0, "asking for help succeeds"
    return f"```text\n{printed.getvalue()}```\n"


@contextlib.contextmanager
def _columns(width: int) -> Iterator[None]:
    """Let argparse take the terminal for one of that width, whatever it is."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(width)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _violations(answer: str, found: Iterable[Violation]) -> str:
    rows = ((f"`{item.name}`", f"`{item.answer}`", item.section, item.words) for item in found)
    return _table(("Violation", answer, "Section", "Meaning"), rows)


def _error_rows(error: type[WebSocketError], depth: int) -> Iterable[tuple[str, str, str]]:
    doc = (error.__doc__ or "").partition("\n\n")[0]
    words = " ".join(doc.replace("``", "`").split())
    yield "&emsp;" * depth + f"`{error.__name__}`", f"`{error.code}`", words
    for child in error.__subclasses__():
        if child.__name__ in wsproto_core.__all__:
            yield from _error_rows(child, depth + 1)


def _meaning(code: CloseCode) -> str:
    return describe_close_code(code).partition("(")[2].rstrip(")")


def _amount(name: str, value: object) -> str:
    if name.endswith("_size") and isinstance(value, int) and value % 1024 == 0:
        return f"{value // 1024} KiB" if value < 1024 * 1024 else f"{value // (1024 * 1024)} MiB"
    if isinstance(value, float) and name.endswith(("_timeout", "_interval")):
        return f"{value:g} s"
    return str(value)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


# --- diagrams -----------------------------------------------------------------------------------------------------

_FILL: Final[Mapping[State, str]] = {
    State.CONNECTING: "#e8eef7",
    State.OPEN: "#dff3e3",
    State.CLOSING: "#fdf0d5",
    State.CLOSED: "#e5e7eb",
}


def _phase(phase: Phase, at: Point) -> Place:
    public = PUBLIC_STATE[phase]
    return Place(at, note=f"State.{public.name}", fill=_FILL[public], width=150)


def connection() -> Diagram:
    """The life of a connection, from top to bottom; edges that skip a row go around, at the sides."""
    c, o, s = Phase.CONNECTING, Phase.OPEN, Phase.CLOSE_SENT
    r, f, x = Phase.CLOSE_RECEIVED, Phase.FAILED, Phase.CLOSED
    places = [(c, 435, 40), (o, 435, 180), (s, 260, 360), (r, 435, 360), (f, 610, 360), (x, 435, 560)]
    return Diagram(
        title="The life of a connection",
        size=(880, 690),
        table=CONNECTION,
        places={phase: _phase(phase, (left, top)) for phase, left, top in places},
        routes={
            (c, o): Route([(435, 68), (435, 152)], (435, 108)),
            (c, x): Route([(360, 40), (90, 40), (90, 572), (360, 572)], (90, 300)),
            (o, s): Route([(360, 180), (260, 180), (260, 332)], (260, 256)),
            (o, r): Route([(435, 208), (435, 332)], (435, 270)),
            (o, f): Route([(510, 190), (610, 190), (610, 332)], (610, 256)),
            (o, x): Route([(510, 172), (785, 172), (785, 572), (510, 572)], (785, 300)),
            (s, x): Route([(260, 388), (260, 548), (360, 548)], (260, 464)),
            (r, x): Route([(435, 388), (435, 532)], (435, 458)),
            (f, x): Route([(610, 388), (610, 548), (510, 548)], (610, 464)),
            (x, x): Route([(390, 588), (390, 635), (480, 635), (480, 588)], (435, 655)),
        },
    )


def outgoing() -> Diagram:
    """What an application may send."""
    return _positions("What may be sent next", OUTGOING)


def incoming() -> Diagram:
    """What a peer may send."""
    return _positions("What may be received next", INCOMING)


def _positions(title: str, table: Mapping[Position, Mapping[Any, Position]]) -> Diagram:
    b, t, n = Position.BETWEEN_MESSAGES, Position.IN_TEXT, Position.IN_BINARY
    return Diagram(
        title=title,
        size=(760, 500),
        table=table,
        places={b: Place((290, 250)), t: Place((640, 130), width=170), n: Place((640, 370), width=170)},
        routes={
            (b, b): Route([(210, 240), (90, 240), (90, 350), (250, 350), (250, 278)], (90, 295)),
            (b, t): Route([(280, 222), (280, 120), (555, 120)], (410, 120)),
            (t, b): Route([(640, 158), (640, 238), (370, 238)], (500, 238)),
            (b, n): Route([(280, 278), (280, 380), (555, 380)], (410, 380)),
            (n, b): Route([(640, 342), (640, 262), (370, 262)], (500, 262)),
            (t, t): Route([(572, 102), (572, 40), (708, 40), (708, 102)], (640, 44)),
            (n, n): Route([(572, 398), (572, 460), (708, 460), (708, 398)], (640, 456)),
        },
    )


DIAGRAMS: Final[Mapping[str, Callable[[], Diagram]]] = {
    "connection": connection,
    "outgoing": outgoing,
    "incoming": incoming,
}
FILES: Final[Mapping[str, Callable[[], str]]] = {
    "close-codes.md": close_codes,
    "errors.md": errors,
    "hub-reasons.md": hub_reasons,
    "limits.md": limits,
    "violations-frames.md": frame_violations,
    "violations-requests.md": request_violations,
    "violations-responses.md": response_violations,
    "violations-streams.md": stream_violations,
    "violations-pipeline.md": pipeline_violations,
    "wsproto.md": help_text,
    "wsproto-connect.md": lambda: help_text("connect"),
    "wsproto-echo.md": lambda: help_text("echo"),
    "wsproto-fuzz.md": lambda: help_text("fuzz"),
    "wsproto-fuzz-server.md": lambda: help_text("fuzz", "server"),
    "wsproto-fuzz-client.md": lambda: help_text("fuzz", "client"),
    "wsproto-fuzz-report.md": lambda: help_text("fuzz", "report"),
    "wsproto-replay.md": lambda: help_text("replay"),
    "connection.svg": lambda: draw(connection()),
    "incoming.svg": lambda: draw(incoming()),
    "outgoing.svg": lambda: draw(outgoing()),
}
