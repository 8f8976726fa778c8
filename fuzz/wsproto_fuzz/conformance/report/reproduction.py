"""How to see again what a peer did."""

from __future__ import annotations

from ..choice import GENERATED
from ..verdict import Result, Run, Verdict

__all__ = ["reproduction"]


def reproduction(run: Run, result: Result) -> str:
    """What the result says of it; for a fixed case that was not passed, the command that plays it alone."""
    is_passed = result.verdict not in (Verdict.FAIL, Verdict.LAX)
    if result.reproduction or is_passed or result.group == GENERATED:
        return result.reproduction
    target = " URL" if run.side == "server" else ""
    return f"wsproto fuzz {run.side}{target} --only {result.case}"
