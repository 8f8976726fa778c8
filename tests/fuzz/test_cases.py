"""The table of cases: in order as a table, and played by a correct peer of either side, which passes them all."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.fuzz.conversing import converse
from wsproto_core import Role
from wsproto_fuzz.conformance.cases import GROUPS, all_cases, cases_of
from wsproto_fuzz.conformance.steps import EndOutput, Pause, Send
from wsproto_fuzz.conformance.verdict import Verdict
from wsproto_fuzz.transcript import render

#: The groups that can be played without a socket, and that are about frames.
FRAMES = ("framing", "ping", "reserved", "opcodes", "fragmentation", "close")


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_a_tidy_table(group: str) -> None:
    cases = cases_of(group)
    assert cases
    for case in cases:
        assert case.group == group
        assert re.fullmatch(rf"{group}\.[1-9]\d*\.[1-9]\d*", case.id)
        assert re.fullmatch(r"RFC \d{4} §\d+(\.\d+)*", case.section), case
        assert re.fullmatch(r"[A-Z].*\.", case.requirement), case
        assert case.title
        assert not re.search(r"\b1 bytes\b", case.title)
        assert case.peers


def test_ids_are_given_once_and_families_have_no_gaps() -> None:
    cases = all_cases()
    assert [each for each, count in Counter(case.id for case in cases).items() if count > 1] == []
    families: dict[str, list[int]] = {}
    for case in cases:
        family, _, number = case.id.rpartition(".")
        families.setdefault(family, []).append(int(number))
    assert all(numbers == [*range(1, len(numbers) + 1)] for numbers in families.values())


def test_titles_tell_the_cases_of_a_family_apart() -> None:
    titles = Counter((case.id.rpartition(".")[0], case.peers, case.title) for case in all_cases())
    assert [title for title, count in titles.items() if count > 1] == []


def test_every_case_ends_with_something_that_can_fail() -> None:
    idle = (Send, Pause, EndOutput)
    assert [case.id for case in all_cases() if not case.steps or isinstance(case.steps[-1], idle)] == []


def test_there_are_enough() -> None:
    assert len(all_cases()) >= 500
    assert len(all_cases(FRAMES)) >= 250


def test_a_group_that_is_none() -> None:
    with pytest.raises(ValueError, match="group must be one of framing, ping"):
        cases_of("frames")


@pytest.mark.parametrize("peer", Role)
@pytest.mark.parametrize("group", FRAMES)
def test_a_correct_peer_passes(group: str, peer: Role) -> None:
    for case in cases_of(group):
        if peer in case.peers:
            result = converse(case, peer)
            assert result.verdict is Verdict.PASS, f"{case.id} {result.finding}\n{render(result.transcript)}"


@pytest.mark.parametrize("peer", Role)
def test_it_does_not_matter_how_the_tester_reads(peer: Role) -> None:
    """Every seventh case, so that it is quick; all of the short ones would say no more."""
    for case in all_cases(FRAMES)[::7]:
        if peer in case.peers:
            assert converse(case, peer, read_size=1000).verdict is Verdict.PASS, case.id
    for case in cases_of("close")[::3]:
        assert converse(case, peer, read_size=1).verdict is Verdict.PASS, case.id
