"""A case: what is sent, what is expected, what the RFC requires, and of whom. Data, apart from the steps' own play."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from wsproto_core import Role

from ..transcript import Line
from .opening import Opening
from .steps import Step
from .verdict import Result, Verdict

__all__ = ["BOTH", "CLIENTS", "PLAIN", "SERVERS", "Case", "Steps", "family"]

Steps: TypeAlias = tuple[Step, ...]

#: Which peers a case is for.
BOTH: Final = frozenset(Role)
SERVERS: Final = frozenset({Role.SERVER})
CLIENTS: Final = frozenset({Role.CLIENT})

#: An opening handshake without anything special.
PLAIN: Final[Opening] = Opening()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One conversation that a peer must master. The peer echoes messages, answers pings and replies to close frames."""

    #: ``group.family.number``: "framing.1.3". It never changes; new cases get new numbers.
    id: str
    title: str
    #: What the RFC requires, in one sentence.
    requirement: str
    #: Where: "RFC 6455 §5.2".
    section: str
    steps: Steps
    #: The sides that a peer may play.
    peers: frozenset[Role] = BOTH
    #: How the connection is opened; ``None`` if the steps do that.
    opening: Opening | None = PLAIN

    @property
    def group(self) -> str:
        """The first part of the id."""
        return self.id.partition(".")[0]

    def judged(
        self, verdict: Verdict, finding: str, *, duration: float = 0.0, transcript: tuple[Line, ...] = ()
    ) -> Result:
        """What is said about a peer in this case."""
        return Result(
            case=self.id,
            group=self.group,
            title=self.title,
            requirement=self.requirement,
            section=self.section,
            verdict=verdict,
            finding=finding,
            duration=duration,
            transcript=transcript,
        )


def family(
    prefix: str,
    section: str,
    requirement: str,
    cases: Iterable[tuple[str, Steps]],
    *,
    peers: frozenset[Role] = BOTH,
    opening: Opening | None = PLAIN,
) -> tuple[Case, ...]:
    """Cases that share their requirement, numbered from 1 below ``prefix``: titles with steps."""
    return tuple(
        Case(
            id=f"{prefix}.{number}",
            title=title,
            requirement=requirement,
            section=section,
            steps=steps,
            peers=peers,
            opening=opening,
        )
        for number, (title, steps) in enumerate(cases, 1)
    )
