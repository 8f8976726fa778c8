"""The reports of some runs, as files in one folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ..verdict import Run
from .html import page
from .json import dump_run
from .junit import junit
from .matrix import Matrix
from .text import slug

__all__ = ["PAGE", "write_reports"]

PAGE: Final = "index.html"


def write_reports(folder: Path, runs: Sequence[Run]) -> Path:
    """Write ``index.html`` and ``junit.xml`` on all runs, and one JSON file for each; return the page's path.

    The folder is made if need be, and files of these names are replaced. Raises :exc:`OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, run in zip(_names(runs), runs, strict=True):
        _write(folder / f"{name}.json", dump_run(run))
    _write(folder / "junit.xml", junit(runs))
    _write(folder / PAGE, page(Matrix(runs)))
    return folder / PAGE


def _names(runs: Sequence[Run]) -> Iterator[str]:
    """By peer, and numbered where two are called alike."""
    used: Counter[str] = Counter()
    for run in runs:
        name = slug(run.peer)
        used[name] += 1
        yield name if used[name] == 1 else f"{name}-{used[name]}"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
