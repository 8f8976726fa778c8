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


#: A tester that cries wolf does so in more cases than a busy machine, which is late now and then.
MAX_DOUBTS = 10


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("side", ["server", "client"])
def test_the_reference_peer_fails_in_no_case(side: str) -> None:
    results = asyncio.run(judge(Parts(), side, all_cases(), PATIENCE))
    assert len(results) > 1000
    assert sum(result.group == "tls" for result in results) > 30
    doubts = [result for result in results if not is_good(result)]
    assert len(doubts) <= MAX_DOUBTS, [f"{doubt.case}: {doubt.finding}" for doubt in doubts]
    for doubt in doubts:
        check_alone(doubt, side)


def is_good(result: Result) -> bool:
    return result.verdict is Verdict.PASS or (
        result.verdict is Verdict.LAX and result.case.rpartition(".")[0] in LAX_FAMILIES
    )


def check_alone(doubt: Result, side: str) -> None:
    """Some cases are about real time, and hundreds of peers at once are late on a busy machine: nobody else is there
    the second time.
    """
    (result,) = asyncio.run(judge(Parts(), side, [case for case in all_cases() if case.id == doubt.case], PATIENCE))
    assert is_good(result), f"{result.case}: {result.finding}\n{render(result.transcript)}"
