"""The tester is tested: every mutant is caught by the cases that are meant for it, and without its fault it is not."""

from __future__ import annotations

import asyncio

import pytest

from tests.fuzz.mutants.peers import Parts
from tests.fuzz.mutants.playing import judge, judge_mutant, named_cases
from tests.fuzz.mutants.table import Mutant, mutants
from wsproto_fuzz.conformance.cases import all_cases
from wsproto_fuzz.conformance.verdict import Verdict

SERVERS = mutants("server")
CLIENTS = mutants("client")

#: Seconds. Many mutants are caught by their silence, and the test has to wait for that.
PATIENCE = 0.4
#: For what must not look slow on a busy machine.
LONG_PATIENCE = 10.0


@pytest.mark.parametrize("mutant", [*SERVERS, *CLIENTS], ids=lambda mutant: mutant.id)
def test_a_mutant_is_caught_by_the_cases_meant_for_it(mutant: Mutant) -> None:
    patience = PATIENCE if mutant.verdict is Verdict.FAIL else LONG_PATIENCE
    results = asyncio.run(judge_mutant(mutant, patience))
    assert [result.case for result in results] == [case.id for case in named_cases([mutant])]
    for result in results:
        assert result.verdict is mutant.verdict, f"{mutant.sentence} {result.case}: {result.finding}"


@pytest.mark.parametrize(("side", "those"), [("server", SERVERS), ("client", CLIENTS)], ids=["server", "client"])
def test_these_cases_are_passed_by_the_peer_without_the_fault(side: str, those: list[Mutant]) -> None:
    for result in asyncio.run(judge(Parts(), side, named_cases(those), LONG_PATIENCE)):
        assert result.verdict is Verdict.PASS, f"{result.case}: {result.finding}"


def test_every_mutant_names_a_fault_and_cases_that_there_are() -> None:
    known = {case.id: {role.value for role in case.peers} for case in all_cases()}
    for mutant in (*SERVERS, *CLIENTS):
        assert mutant.sentence.endswith(".")
        assert mutant.cases
        for case in mutant.cases:
            assert mutant.side in known[case], f"{mutant.id} names {case}"


def test_there_are_enough() -> None:
    assert len(SERVERS) >= 45
    assert len(CLIENTS) >= 15
    assert len({mutant.id for mutant in (*SERVERS, *CLIENTS)}) == len(SERVERS) + len(CLIENTS)


def test_every_group_catches_some() -> None:
    groups = {case.partition(".")[0] for mutant in (*SERVERS, *CLIENTS) for case in mutant.cases}
    assert groups == {case.group for case in all_cases()}
