"""Replay a connection that a flight recorder has kept: a new engine is given the
same calls, and has to do the same.

The file is what FlightRecorder has handed over, as save_flight() writes it.

Exit status: 0 if the engine did the same, 1 if it did not, or cannot be asked,
2 for a command line or a file that makes no sense.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .show import printable
from .status import ExitStatus, UsageError, complain

if TYPE_CHECKING:
    from wsproto_core.recorder import Flight, Replay

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "replay what a flight recorder has kept"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``wsproto replay``."""
    parser.add_argument("file", metavar="FILE", help="the file; - is standard input")
    parser.add_argument("--text", action="store_true", help="replay nothing: print what happened, frame by frame")


def run(options: argparse.Namespace) -> int:
    """Run ``wsproto replay``; returns the exit status."""
    from wsproto_core.recorder import tell

    flight = _read(options.file)
    if options.text:
        for line in tell(flight):
            print(printable(line))
        return ExitStatus.OK
    if flight.begins_at is None:
        complain(f"it cannot be replayed: {printable(flight.obstacle)}", "--text shows what happened")
        return ExitStatus.FAILED
    return _replay(flight)


def _read(name: str) -> Flight:
    from wsproto_core.recorder import load_flight

    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        return load_flight(text.splitlines())
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{name}: {printable(str(error))}") from None


def _replay(flight: Flight) -> int:
    from wsproto_core.recorder import replay

    try:
        replayed = replay(flight)
    except ValueError as error:
        complain(printable(str(error)))
        return ExitStatus.FAILED
    for line in _result(flight, replayed):
        print(printable(line))
    if not replayed.departures:
        return ExitStatus.OK
    complain("it did otherwise than was recorded", *map(printable, replayed.departures))
    return ExitStatus.FAILED


def _result(flight: Flight, replayed: Replay) -> Iterator[str]:
    calls = len(flight.entries) - (flight.begins_at or 0)
    yield f"calls:  {calls} of {flight.dropped + len(flight.entries)}"
    yield f"state:  {replayed.engine.state.name}"
    yield f"report: {replayed.engine.close_report or 'none: it had not ended'}"
    told = Counter(type(event).__name__ for event in replayed.events)
    yield "events: " + (", ".join(f"{count} {name}" for name, count in told.items()) or "none")
