"""``python -m wsproto_fuzz.targets [NAME...] [--seconds N] [--seed N] [--plain]``: fuzz the engine.

With atheris where it is installed, and otherwise by mutation.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from . import TARGETS, load
from .corpus import CORPUS, inputs_of
from .mutation import Finding, Mutator, hunt, minimise

__all__ = ["main"]

#: Seconds that atheris lets one input take.
_LONGEST: Final = 20
_TRIED: Final = re.compile(r"number_of_executed_units: (\d+)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the targets named, or all, for so many seconds together; return 1 if anything hurts."""
    options = _parser().parse_args(arguments)
    names = options.names or TARGETS
    is_guided = not options.plain and find_spec("atheris") is not None
    run = _run_guided if is_guided else _run_plain
    hurt = [name for name in names if not run(name, options.seconds / len(names), options.seed, options.keep)]
    return 1 if hurt else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m wsproto_fuzz.targets", description="Fuzz wsproto_core.")
    parser.add_argument("names", nargs="*", metavar="NAME", type=_name, help=f"one of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="what chance follows from (default: 0)")
    parser.add_argument("--plain", action="store_true", help="without atheris, even if it is installed")
    parser.add_argument(
        "--keep", type=Path, default=Path(), metavar="FOLDER", help="where inputs that hurt are written"
    )
    return parser


def _name(text: str) -> str:
    """A target's name; the :exc:`ValueError` for any other is told by argparse."""
    load(text)
    return text


def _run_plain(name: str, seconds: float, seed: int, keep: Path) -> bool:
    """Fuzz by mutation; tell whether nothing hurts."""
    tried, finding = hunt(load(name), Mutator(inputs_of(name).values(), seed), seconds=seconds)
    _tell(name, f"{tried} inputs", finding, keep)
    return finding is None


def _run_guided(name: str, seconds: float, seed: int, keep: Path) -> bool:
    """Fuzz with atheris, in a process of its own: libFuzzer ends the one that it runs in."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(
            folder, "found"
        )  # libFuzzer writes what shows something new into the first folder that it is given
        found.mkdir()
        command = [sys.executable, "-m", f"{__package__}.guided", name, str(found), str(CORPUS / name)]
        options = [f"-max_total_time={math.ceil(seconds)}", f"-seed={seed + 1}", f"-timeout={_LONGEST}"]
        options += [f"-artifact_prefix={folder}{os.sep}", "-verbosity=0", "-print_final_stats=1"]
        ended = subprocess.run([*command, *options], stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        finding = next((_read(name, path) for path in Path(folder).iterdir() if path != found), None)
    if ended.returncode and finding is None:
        sys.stderr.write(ended.stderr)  # atheris does not work here
        return False
    tried = _TRIED.search(ended.stderr)
    _tell(name, f"{tried[1] if tried else 'some'} inputs with atheris", finding, keep)
    return finding is None


def _read(name: str, path: Path) -> Finding:
    """An input that libFuzzer has left behind: "crash-..." raises, "timeout-..." and "oom-..." take too much."""
    kind, data = path.name.partition("-")[0], path.read_bytes()
    return minimise(load(name), data) if kind == "crash" else Finding(data, RuntimeError(f"{kind}, says libFuzzer"))


def _tell(name: str, tried: str, finding: Finding | None, keep: Path) -> None:
    _say(f"{name}: {tried}, {'nothing hurts' if finding is None else 'one hurts'}")
    if finding is None:
        return
    path = keep / f"hurts-{name}"
    path.write_bytes(finding.data)
    _say(f"  {type(finding.error).__name__}: {finding.error}")
    _say(f"  {finding.data!r}")
    _say(f"  is in {path}; move it to {CORPUS / name} when it is mended")


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
