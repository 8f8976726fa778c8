"""Prints the table of mutants, each with what the cases that are meant for it say: ``python -m tests.fuzz.mutants``."""

from __future__ import annotations

import asyncio
import sys

from tests.fuzz.mutants.playing import judge_mutant
from tests.fuzz.mutants.table import Mutant, mutants

PATIENCE = 0.4


def main() -> int:
    """Play all mutants, and print a line for each; return 1 if one of them was not caught."""
    missed = 0
    for side in ("server", "client"):
        for number, mutant in enumerate(mutants(side), 1):
            is_caught = asyncio.run(_play(number, mutant))
            missed += not is_caught
    sys.stdout.write(f"{missed} mutants were not caught\n")
    return 1 if missed else 0


async def _play(number: int, mutant: Mutant) -> bool:
    results = await judge_mutant(mutant, PATIENCE)
    is_caught = bool(results) and all(result.verdict is mutant.verdict for result in results)
    sys.stdout.write(f"{number:3} {mutant.id}: {mutant.sentence}\n")
    for result in results:
        sys.stdout.write(f"      {result.verdict.upper():4} {result.case}: {result.title}. {result.finding}\n")
    if not is_caught:
        sys.stdout.write("      NOT CAUGHT\n")
    return is_caught


if __name__ == "__main__":
    sys.exit(main())
