"""Every promise of an engine, and an engine that breaks it."""

from __future__ import annotations

import pytest

from wsproto_core import Closed, CloseReport, Initiator, ServerConnection
from wsproto_core.testing import BrokenContract, Contract, VirtualClock

NOW = VirtualClock().now
REPORT = CloseReport(initiator=Initiator.PEER, code=1000, reason="", at=NOW)


class Liar:
    """An engine that says what a test tells it to."""

    close_report: CloseReport | None = None
    deadline: float | None = None

    def next_deadline(self) -> float | None:
        return self.deadline


@pytest.fixture
def liar() -> Liar:
    return Liar()


def test_an_engine_that_keeps_its_promises(liar: Liar) -> None:
    contract = Contract(liar)
    contract.check_events(["hello"], NOW)
    liar.deadline = NOW + 1
    contract.check_deadline(NOW)
    liar.close_report = REPORT
    contract.check_events(["bye", Closed(REPORT)], NOW)
    contract.check_events([], NOW)
    assert contract.closed == Closed(REPORT)
    liar.deadline = None
    contract.check_deadline(NOW)
    contract.check_silence([], NOW)


def test_nothing_follows_the_end(liar: Liar) -> None:
    liar.close_report = REPORT
    with pytest.raises(BrokenContract, match="'late' follows Closed"):
        Contract(liar).check_events([Closed(REPORT), "late"], NOW)
    with pytest.raises(BrokenContract, match="follows Closed"):
        Contract(liar).check_events([Closed(REPORT), Closed(REPORT)], NOW)


def test_the_report_is_there_exactly_when_the_end_was_told(liar: Liar) -> None:
    with pytest.raises(BrokenContract, match="and now it is None"):
        Contract(liar).check_events([Closed(REPORT)], NOW)
    liar.close_report = REPORT
    with pytest.raises(BrokenContract, match="no Closed told it"):
        Contract(liar).check_events([], NOW)


def test_what_was_due_is_done(liar: Liar) -> None:
    liar.deadline = NOW
    with pytest.raises(BrokenContract, match="a deadline is left"):
        Contract(liar).check_deadline(NOW)


def test_without_a_transport_there_is_silence(liar: Liar) -> None:
    with pytest.raises(BrokenContract, match="something to send"):
        Contract(liar).check_silence([b"x"], NOW)
    liar.deadline = NOW + 9
    with pytest.raises(BrokenContract, match="is awaited"):
        Contract(liar).check_silence([], NOW)


def test_it_watches_a_driver_of_your_own() -> None:
    engine = ServerConnection(now=NOW)
    contract = Contract(engine)
    contract.check_events(engine.receive_eof(NOW), NOW)
    assert contract.closed is not None
