"""What the runner says about a peer: one verdict for each case, with the evidence for it.

Data only, so that reports need nothing else; how a verdict is reached is in ``conversation.py``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from ..transcript import Line

__all__ = ["Result", "Run", "Verdict"]


class Verdict(StrEnum):
    """How a peer did in one case."""

    #: It did what the RFC requires.
    PASS = "pass"
    #: It did what the RFC allows, and less than what it recommends or what a good implementation does.
    LAX = "lax"
    #: It did what the RFC forbids, or not what it requires.
    FAIL = "fail"
    #: The case needs what the peer does not offer.
    UNIMPLEMENTED = "unimplemented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One case, played once."""

    #: The case: "framing.1.3".
    case: str
    group: str
    title: str
    #: What the RFC asks for, and where it does: "RFC 6455 §5.2".
    requirement: str
    section: str
    verdict: Verdict
    #: One sentence: what the peer did.
    finding: str
    #: Seconds that it took.
    duration: float
    #: What was said, in order: the evidence.
    transcript: tuple[Line, ...] = ()
    #: For a generated case that failed: the seed and the shortest conversation that shows it, as text.
    reproduction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All results of one peer."""

    #: Whom it is about, and in what version, as the one who started the run said: "websockets 17.4".
    peer: str
    #: "server" or "client": what the peer is.
    side: str
    #: When it began, ISO 8601 in UTC.
    began: str
    duration: float
    #: Seed of the generated cases; ``None`` without any.
    seed: int | None = None
    results: tuple[Result, ...] = field(default=())

    @property
    def counts(self) -> Counter[Verdict]:
        """How many cases had each verdict."""
        return Counter(result.verdict for result in self.results)

    @property
    def conforms(self) -> bool:
        """Whether no case failed."""
        return not self.counts[Verdict.FAIL]
