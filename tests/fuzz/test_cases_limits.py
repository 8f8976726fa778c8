"""The cases about limits, timing and TLS: our engine passes them, in virtual time."""

from __future__ import annotations

import pytest

from tests.fuzz.conversing import converse
from wsproto_core import Role
from wsproto_fuzz.conformance.cases import cases_of
from wsproto_fuzz.conformance.verdict import Verdict
from wsproto_fuzz.transcript import render

#: Messages of more than 1 MiB, which is our limit unless the application says otherwise.
LAX = {"limits.1.7", "limits.1.8", "limits.1.9", "limits.1.10"}


@pytest.mark.parametrize("peer", Role)
@pytest.mark.parametrize("group", ["limits", "timing"])
def test_our_engine_passes(group: str, peer: Role) -> None:
    for case in cases_of(group):
        if peer in case.peers:
            result = converse(case, peer)
            wanted = Verdict.LAX if case.id in LAX else Verdict.PASS
            assert result.verdict is wanted, f"{case.id} {result.finding}\n{render(result.transcript)}"


@pytest.mark.parametrize("peer", Role)
def test_without_tls_its_cases_are_unimplemented(peer: Role) -> None:
    for case in cases_of("tls"):
        if peer in case.peers:
            assert converse(case, peer).verdict is Verdict.UNIMPLEMENTED


def test_large_messages_are_made_when_they_are_sent() -> None:
    """The table itself is small, however large the messages are."""
    sizes = [len(repr(case)) for case in cases_of("limits") if case.id.startswith("limits.1.")]
    assert len(sizes) == 10
    assert max(sizes) < 1000
