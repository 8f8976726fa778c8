"""How the command ends."""

from __future__ import annotations

import asyncio
import sys
from enum import IntEnum, unique
from typing import Any

__all__ = ["ExitStatus", "UsageError", "complain", "tell_in_one_line"]


@unique
class ExitStatus(IntEnum):
    """What the shell gets to see."""

    #: An ordinary end.
    OK = 0
    #: No connection came about, the server could not listen, or standard output could not be written.
    FAILED = 1
    #: The command line, or what came from standard input, makes no sense.
    USAGE = 2
    #: A connection was open and ended in another way than by an ordinary close.
    ABNORMAL = 3
    #: Ctrl-C, as shells report it.
    INTERRUPTED = 130


class UsageError(Exception):
    """Options that do not go together, or that name something unusable. Never holds a secret."""


def complain(*lines: str) -> None:
    """Tell what went wrong, on standard error: the first line with the command's name, the others indented."""
    words = "\n    ".join(lines)
    try:
        if sys.stderr is not None:  # pyright: ignore[reportUnnecessaryComparison]  # it is None when closed (2>&-)
            print(f"wsproto: {words}\n", end="", file=sys.stderr, flush=True)  # in one piece, among threads
    except OSError:
        pass  # nobody reads it


def tell_in_one_line(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception handler for event loops, which would print a traceback: no more files to open, for example."""
    error = context.get("exception")
    complain(context["message"] + (f": {type(error).__name__}: {error}" if error else ""))
