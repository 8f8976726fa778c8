"""A run as JSON: everything that is known, so that it can be read back and shown beside others.

One object; ``format`` and ``version`` say how to read it. Each result has a line of its own, and the text is ASCII. A
member that this version does not know is left aside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeGuard

from ...transcript import Direction, Line
from ..verdict import Result, Run, Verdict

__all__ = ["FORMAT", "VERSION", "dump_run", "load_run", "read_run"]

FORMAT: Final = "wsproto-fuzz run"
#: Goes up when an older reader would misunderstand.
VERSION: Final = 1

_Object = Mapping[str, Any]


def dump_run(run: Run) -> str:
    """``run`` as a JSON text."""
    head = {"format": FORMAT, "version": VERSION, **_facts(run), "counts": _counts(run)}
    lines = ",\n".join(json.dumps(_result(result)) for result in run.results)
    return f'{json.dumps(head, indent=1)[:-2]},\n "results": [\n{lines}\n]}}\n'


def read_run(path: Path) -> Run:
    """The run in a file. Raises :exc:`OSError`, and :exc:`ValueError` if it holds none; both name the file."""
    try:
        return load_run(path.read_text(encoding="utf-8"))
    except ValueError as error:  # what is not UTF-8 or not JSON too
        raise ValueError(f"{path}: {error}") from None


def load_run(text: str) -> Run:
    """What :func:`dump_run` has written. Raises :exc:`ValueError` for anything else."""
    whole: object = json.loads(text)
    if not _is_object(whole) or whole.get("format") != FORMAT:
        raise ValueError(f"not a report: an object whose format is {FORMAT!r} is expected")
    if whole.get("version") != VERSION:
        raise ValueError(f"a report of version {whole.get('version')!r}; this program reads version {VERSION}")
    try:
        return _run(whole)
    except KeyError as error:
        raise ValueError(f"a report without {error}") from None
    except (TypeError, AttributeError) as error:
        raise ValueError(f"a report with a value of the wrong type: {error}") from None


def _facts(run: Run) -> dict[str, Any]:
    return {"peer": run.peer, "side": run.side, "began": run.began, "duration": run.duration, "seed": run.seed}


def _counts(run: Run) -> dict[str, int]:
    """For scripts; a reader counts for itself."""
    return {verdict.value: run.counts[verdict] for verdict in Verdict}


def _result(result: Result) -> dict[str, Any]:
    return asdict(result)


def _run(whole: _Object) -> Run:
    return Run(
        peer=_text(whole, "peer"),
        side=_text(whole, "side"),
        began=_text(whole, "began"),
        duration=_number(whole, "duration"),
        seed=None if whole["seed"] is None else _whole(whole, "seed"),
        results=tuple(_read_result(item) for item in _list(whole, "results")),
    )


def _read_result(item: _Object) -> Result:
    return Result(
        case=_text(item, "case"),
        group=_text(item, "group"),
        title=_text(item, "title"),
        requirement=_text(item, "requirement"),
        section=_text(item, "section"),
        verdict=Verdict(_text(item, "verdict")),
        finding=_text(item, "finding"),
        duration=_number(item, "duration"),
        transcript=tuple(_read_line(line) for line in _list(item, "transcript")),
        reproduction=_text(item, "reproduction"),
    )


def _read_line(item: _Object) -> Line:
    direction = Direction(_text(item, "direction"))
    return Line(direction, _number(item, "at"), _text(item, "meaning"), _text(item, "hex"), _whole(item, "size"))


def _text(item: _Object, name: str) -> str:
    if not isinstance(value := item[name], str):
        raise _WrongType(name, value)
    return value


def _number(item: _Object, name: str) -> float:
    if not isinstance(value := item[name], int | float):
        raise _WrongType(name, value)
    return value


def _whole(item: _Object, name: str) -> int:
    if not isinstance(value := item[name], int):
        raise _WrongType(name, value)
    return value


def _list(item: _Object, name: str) -> list[Any]:
    if not _is_list(value := item[name]):
        raise _WrongType(name, value)
    return value


def _is_object(value: object) -> TypeGuard[_Object]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


class _WrongType(TypeError):
    def __init__(self, name: str, value: object) -> None:
        super().__init__(f"{name} is {type(value).__name__}")
