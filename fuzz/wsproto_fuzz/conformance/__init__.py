"""Conformance cases as data, and what plays them against a server or a client.

* which cases: :func:`chosen_cases`, :func:`all_cases`, :data:`GROUPS`, :func:`generated_cases`; one of them:
  :class:`Case`
* who plays them: :func:`judge_server` with :class:`ServerOptions`, and :class:`ClientTester`;
  :func:`shrink_failures` looks for smaller ones that a server fails
* what comes of it: a :class:`Run` of :class:`Result` with their :class:`Verdict`
* reports: :func:`write_reports`, :func:`summary`, :class:`ProgressBar`; a run as JSON: :func:`dump_run`,
  :func:`load_run`, :func:`read_run`; runs side by side: :class:`Matrix`, :func:`markdown`

Nothing here needs hypothesis but :func:`generated_cases` and :func:`shrink_failures`: they are imported when asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from .case import Case
from .cases import GROUPS, all_cases
from .choice import chosen_cases
from .client import ClientTester
from .report.folder import write_reports
from .report.json import dump_run, load_run, read_run
from .report.markdown import markdown
from .report.matrix import Matrix
from .report.progress import ProgressBar
from .report.terminal import summary
from .server import ServerOptions, judge_server
from .verdict import Result, Run, Verdict

if TYPE_CHECKING:
    from .generated import generated_cases, shrink_failures

__all__ = [
    "GROUPS",
    "Case",
    "ClientTester",
    "Matrix",
    "ProgressBar",
    "Result",
    "Run",
    "ServerOptions",
    "Verdict",
    "all_cases",
    "chosen_cases",
    "dump_run",
    "generated_cases",
    "judge_server",
    "load_run",
    "markdown",
    "read_run",
    "shrink_failures",
    "summary",
    "write_reports",
]

_LAZY: Final = frozenset({"generated_cases", "shrink_failures"})


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".generated", __name__), name)


def __dir__() -> list[str]:
    return __all__
