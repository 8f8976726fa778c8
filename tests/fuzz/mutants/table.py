"""All mutants, as data."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fuzz.mutants import (
    faults_client,
    faults_control,
    faults_deflate,
    faults_framing,
    faults_messages,
    faults_server,
    faults_tls,
)
from tests.fuzz.mutants.client_opening import ClientOpening
from tests.fuzz.mutants.connection import Connection
from tests.fuzz.mutants.deflate import Deflate
from tests.fuzz.mutants.fault import Fault, faults
from tests.fuzz.mutants.peers import Parts
from tests.fuzz.mutants.server_opening import ServerOpening
from tests.fuzz.mutants.stream import Stream
from wsproto_fuzz.conformance.verdict import Verdict

__all__ = ["Mutant", "mutants"]

#: Imported for the faults that they define.
MODULES = (faults_framing, faults_control, faults_messages, faults_deflate, faults_server, faults_client, faults_tls)


@dataclass(frozen=True, slots=True)
class Mutant:
    """The reference peer with one part exchanged."""

    #: "server.NoPong"
    id: str
    side: str
    #: What it does wrong.
    sentence: str
    #: The cases that are meant to catch it, and their verdict.
    cases: tuple[str, ...]
    verdict: Verdict
    parts: Parts


def mutants(side: str) -> list[Mutant]:
    """The mutants of a ``"server"`` or of a ``"client"``, in the order of their modules."""
    return [_mutant(fault, side) for fault in faults if side in fault.sides]


def _mutant(fault: Fault, side: str) -> Mutant:
    sentence = " ".join((fault.part.__doc__ or "").split())
    return Mutant(f"{side}.{fault.part.__name__}", side, sentence, fault.cases, fault.verdict, _parts(fault.part))


def _parts(part: type) -> Parts:
    if issubclass(part, Stream):
        return Parts(stream=part)
    if issubclass(part, ServerOpening):
        return Parts(server_opening=part)
    if issubclass(part, ClientOpening):
        return Parts(client_opening=part)
    if issubclass(part, Deflate):
        return Parts(deflate=part)
    assert issubclass(part, Connection)
    return Parts(connection=part)
