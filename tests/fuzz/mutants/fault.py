"""How a class says that it is a mutant: one part of the reference peer with one thing wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from wsproto_fuzz.conformance.verdict import Verdict

__all__ = ["CLIENT", "LAX", "SERVER", "Fault", "caught_by", "faults"]

SERVER: Final = "server"
CLIENT: Final = "client"
LAX: Final = Verdict.LAX

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """A class that is wrong, and how that shows."""

    part: type
    #: Cases that are meant to see it; all of them do.
    cases: tuple[str, ...]
    #: What they say.
    verdict: Verdict
    #: What the peer is: a server, a client, or either.
    sides: tuple[str, ...]


#: All of them, once their modules are imported.
faults: list[Fault] = []


def caught_by(
    *cases: str, verdict: Verdict = Verdict.FAIL, sides: tuple[str, ...] = (SERVER, CLIENT)
) -> Callable[[type[T]], type[T]]:
    """Mark a class as a mutant."""

    def mark(part: type[T]) -> type[T]:
        faults.append(Fault(part, cases, verdict, sides))
        return part

    return mark
