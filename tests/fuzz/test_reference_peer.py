"""A correct peer, written apart from our engine, fails in no case: then what a mutant fails in is its fault's doing."""

from __future__ import annotations

import asyncio

import pytest

from tests.fuzz.mutants.peers import Parts
from tests.fuzz.mutants.playing import judge
from wsproto_fuzz.conformance.cases import all_cases
from wsproto_fuzz.conformance.verdict import Result, Verdict
from wsproto_fuzz.transcript import render

#: For what must not look slow on a busy machine.
PATIENCE = 10.0

#: What the reference peer leaves out of what a good peer does: each is lax at most, and none has to do with frames.
LAX_FAMILIES = {"deflate.16", "handshake.3", "handshake.12", "handshake.16", "handshake.27", "utf8.8", "utf8.9"}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("side", ["server", "client"])
def test_the_reference_peer_fails_in_no_case(side: str) -> None:
    results = asyncio.run(judge(Parts(), side, all_cases(), PATIENCE))
    assert len(results) > 1000
    assert sum(result.group == "tls" for result in results) > 30
    check(results)


def check(results: list[Result]) -> None:
    for result in results:
        allowed = {Verdict.PASS}
        if result.case.rpartition(".")[0] in LAX_FAMILIES:
            allowed.add(Verdict.LAX)
        assert result.verdict in allowed, f"{result.case}: {result.finding}\n{render(result.transcript)}"
