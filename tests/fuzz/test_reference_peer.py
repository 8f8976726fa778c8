"""A correct peer, written apart from our engine, fails in no case: then what a mutant fails in is its fault's doing."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme

from tests.fuzz.mutants.peers import Parts
from tests.fuzz.mutants.playing import judge, judge_over_tls
from wsproto_fuzz.conformance.cases import all_cases, cases_of
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
    groups = sorted({case.group for case in all_cases()} - {"tls"})
    results = asyncio.run(judge(Parts(), side, all_cases(groups), PATIENCE))
    assert len(results) > 1000
    check(results)


def test_nor_does_it_over_tls() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    results = asyncio.run(judge_over_tls(Parts(), cases_of("tls"), context))
    assert len(results) == len(cases_of("tls"))
    check(results)


def test_without_tls_its_cases_are_unimplemented() -> None:
    results = asyncio.run(judge(Parts(), "server", cases_of("tls")[:3], PATIENCE))
    assert [result.verdict for result in results] == [Verdict.UNIMPLEMENTED] * 3


def check(results: list[Result]) -> None:
    for result in results:
        allowed = {Verdict.PASS}
        if result.case.rpartition(".")[0] in LAX_FAMILIES:
            allowed.add(Verdict.LAX)
        assert result.verdict in allowed, f"{result.case}: {result.finding}\n{render(result.transcript)}"
