"""``python -m wsproto_fuzz.targets [NAME...] [--seconds N] [--seed N] [--plain]``: fuzz the engine.

With atheris where it is installed, and otherwise by mutation.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from . import TARGETS, load
from .corpus import CORPUS, inputs_of
from .mutation import Finding, Mutator, hunt

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the targets named, or all, each for so many seconds; return 1 if anything hurts."""
    options = _parser().parse_args(arguments)
    is_guided = not options.plain and find_spec("atheris") is not None
    run = _run_guided if is_guided else _run_plain
    hurt = [name for name in options.names or TARGETS if not run(name, options.seconds, options.seed, options.keep)]
    return 1 if hurt else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m wsproto_fuzz.targets", description="Fuzz wsproto_core.")
    parser.add_argument("names", nargs="*", metavar="NAME", type=_name, help=f"one of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target (default: 10)")
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
    _say(f"{name}: {tried} inputs, {'nothing hurts' if finding is None else 'one hurts'}")
    if finding is not None:
        _tell(name, finding, keep)
    return finding is None


def _tell(name: str, finding: Finding, keep: Path) -> None:
    path = keep / f"hurts-{name}"
    path.write_bytes(finding.data)
    _say(f"  {type(finding.error).__name__}: {finding.error}")
    _say(f"  {finding.data!r}")
    _say(f"  is in {path}; move it to {CORPUS / name} when it is mended")


def _run_guided(name: str, seconds: float, seed: int, keep: Path) -> bool:
    """Fuzz with atheris, in a process of its own: libFuzzer ends the one that it runs in."""
    command = [sys.executable, "-m", f"{__package__}.guided", name, str(CORPUS / name)]
    libfuzzer = [f"-max_total_time={seconds:.0f}", f"-seed={seed + 1}", f"-artifact_prefix={keep}{os.sep}hurts-{name}-"]
    _say(f"{name}: with atheris")
    return subprocess.run([*command, *libfuzzer], check=False).returncode == 0


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
