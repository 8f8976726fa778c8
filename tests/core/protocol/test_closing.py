"""How a connection ends: every phase × everything that can happen, and the report of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, Final

import pytest

from wsproto_core import _speedups
from wsproto_core._errors import LocalProtocolError, RemoteProtocolError
from wsproto_core._events import CloseReport
from wsproto_core._protocol.closing import Closing
from wsproto_core._protocol.receiving import CloseFrame
from wsproto_core._protocol.states import CONNECTION, MAY_RECEIVE, MAY_SEND, PUBLIC_STATE, Happening, Phase
from wsproto_core._speedups import FrameQueue
from wsproto_core._types import Initiator, Timer
from wsproto_core._violations import Violation

OFFENCE: Final = RemoteProtocolError(Violation.RESERVED_OPCODE, "opcode 0x3")
BYE: Final = CloseFrame(4001, "bye")

DO: dict[Happening, Callable[[Closing], object]] = {
    Happening.OPENED: Closing.opened,
    Happening.REFUSED: lambda closing: closing.refused(403, Initiator.PEER),
    Happening.CLOSE_FRAME: lambda closing: closing.close_received(BYE),
    Happening.OFFENCE: lambda closing: closing.offended(OFFENCE),
    Happening.CLOSE_LEFT: lambda closing: closing.close(1001, "going"),
    Happening.TRANSPORT_ENDED: Closing.transport_ended,
    Happening.GIVEN_UP: Closing.give_up,
}
WAY: dict[Phase, list[Happening]] = {
    Phase.CONNECTING: [],
    Phase.OPEN: [Happening.OPENED],
    Phase.CLOSE_SENT: [Happening.OPENED, Happening.CLOSE_LEFT],
    Phase.CLOSE_RECEIVED: [Happening.OPENED, Happening.CLOSE_FRAME],
    Phase.FAILED: [Happening.OPENED, Happening.OFFENCE],
    Phase.CLOSED: [Happening.OPENED, Happening.TRANSPORT_ENDED],
}


def new_queue() -> FrameQueue:
    return _speedups.FrameQueue(max_size=100, max_payload=100)


def after(*happenings: Happening, frames: FrameQueue | None = None) -> Closing:
    closing = Closing(frames or new_queue())
    for happening in happenings:
        DO[happening](closing)
    return closing


def settled(closing: Closing, **facts: Any) -> CloseReport:
    return closing.settle(at=5.0, pong_age=None, bytes_queued=0, **facts)


def facts(closing: Closing) -> dict[str, object]:
    return {name: getattr(closing, name) for name in Closing.__slots__}


# --- phases -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("phase", "happening"), list(product(Phase, Happening)), ids=lambda value: value.name)
def test_every_phase_and_everything_that_can_happen(phase: Phase, happening: Happening) -> None:
    closing = after(*WAY[phase])
    assert closing.phase is phase
    before = facts(closing)
    if happening in CONNECTION[phase]:
        DO[happening](closing)
        assert closing.phase is CONNECTION[phase][happening]
    else:
        with pytest.raises(LocalProtocolError):
            DO[happening](closing)
        assert facts(closing) == before


@pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name)
def test_predicates(phase: Phase) -> None:
    frames = new_queue()
    closing = after(*WAY[phase], frames=frames)
    assert closing.state is PUBLIC_STATE[phase]
    assert closing.may_send is (phase in MAY_SEND)
    assert closing.may_receive is (phase in MAY_RECEIVE)
    assert closing.owes_close_frame is (phase in (Phase.CLOSE_RECEIVED, Phase.FAILED))
    assert frames.is_open is closing.may_send


@pytest.mark.parametrize(
    ("happenings", "clean"),
    [
        ([], False),
        ([Happening.CLOSE_LEFT], False),
        ([Happening.CLOSE_FRAME], False),
        ([Happening.CLOSE_LEFT, Happening.CLOSE_FRAME], True),
        ([Happening.CLOSE_FRAME, Happening.CLOSE_LEFT], True),
        ([Happening.OFFENCE, Happening.CLOSE_LEFT], False),
    ],
)
def test_clean_is_when_both_close_frames_have_crossed(happenings: list[Happening], clean: bool) -> None:
    """RFC 6455 §7.1.4."""
    assert after(Happening.OPENED, *happenings).is_clean is clean


# --- close frames -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"), [(1006, ""), (999, ""), (1000, "x" * 124), (1000, "\udc80"), (1005, "a reason")]
)
@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.CLOSE_RECEIVED, Phase.FAILED], ids=lambda phase: phase.name)
def test_a_close_frame_that_cannot_be_sent_changes_nothing(phase: Phase, code: int, reason: str) -> None:
    closing = after(*WAY[phase])
    before = facts(closing)
    with pytest.raises(LocalProtocolError):
        closing.close(code, reason)
    assert facts(closing) == before


@pytest.mark.parametrize(
    ("code", "reason", "payload"), [(1000, "", b"\x03\xe8"), (4000, "é", b"\x0f\xa0\xc3\xa9"), (1005, "", b"")]
)
def test_the_payload_of_our_close_frame(code: int, reason: str, payload: bytes) -> None:
    assert after(Happening.OPENED).close(code, reason) == payload


@pytest.mark.parametrize(
    ("frame", "payload"),
    [(CloseFrame(4001, "bye"), b"\x0f\xa1"), (CloseFrame(1000, ""), b"\x03\xe8"), (CloseFrame(1005, ""), b"")],
)
def test_the_answer_repeats_the_code(frame: CloseFrame, payload: bytes) -> None:
    """RFC 6455 §5.5.1."""
    closing = after(Happening.OPENED)
    closing.close_received(frame)
    assert closing.answer() == payload
    assert closing.phase is Phase.CLOSED


def test_the_answer_to_an_offence_names_it() -> None:
    """RFC 6455 §7.1.7."""
    closing = after(Happening.OPENED, Happening.OFFENCE)
    assert closing.answer() == b"\x03\xea" + str(OFFENCE).encode()


def test_a_long_explanation_is_cut_between_characters() -> None:
    """RFC 6455 §5.5: at most 123 bytes."""
    closing = after(Happening.OPENED)
    detail = "§" * 100
    closing.offended(RemoteProtocolError(Violation.RESERVED_OPCODE, detail))
    payload = closing.answer()
    assert len(payload) in (124, 125)
    assert f"{Violation.RESERVED_OPCODE}: {detail}".startswith(payload[2:].decode())


# --- reports ----------------------------------------------------------------------------------------------------------

REPORTS: list[tuple[str, list[Happening], dict[str, object]]] = [
    (
        "peer says goodbye",
        [Happening.OPENED, Happening.CLOSE_FRAME],
        {"initiator": Initiator.PEER, "code": 4001, "reason": "bye", "received_code": 4001, "sent_code": 4001},
    ),
    (
        "we say goodbye",
        [Happening.OPENED, Happening.CLOSE_LEFT, Happening.CLOSE_FRAME],
        {"initiator": Initiator.LOCAL, "code": 4001, "reason": "bye", "received_code": 4001, "sent_code": 1001},
    ),
    (
        "we answer with a code of our own",
        [Happening.OPENED, Happening.CLOSE_FRAME, Happening.CLOSE_LEFT],
        {"initiator": Initiator.PEER, "code": 4001, "received_code": 4001, "sent_code": 1001},
    ),
    (
        "the peer never answers",
        [Happening.OPENED, Happening.CLOSE_LEFT, Happening.GIVEN_UP],
        {"initiator": Initiator.LOCAL, "code": 1006, "reason": "", "received_code": None, "sent_code": 1001},
    ),
    (
        "the transport breaks",
        [Happening.OPENED, Happening.TRANSPORT_ENDED],
        {"initiator": Initiator.NETWORK, "code": 1006, "received_code": None, "sent_code": None},
    ),
    (
        "the transport breaks after our goodbye",
        [Happening.OPENED, Happening.CLOSE_LEFT, Happening.TRANSPORT_ENDED],
        {"initiator": Initiator.LOCAL, "code": 1006, "sent_code": 1001},
    ),
    (
        "offence, close frame owed",
        [Happening.OPENED, Happening.OFFENCE],
        {
            "initiator": Initiator.LOCAL,
            "code": 1002,
            "reason": str(OFFENCE),
            "violation": Violation.RESERVED_OPCODE,
            "detail": "opcode 0x3",
            "received_code": None,
            "sent_code": 1002,
        },
    ),
    (
        "offence after our goodbye",
        [Happening.OPENED, Happening.CLOSE_LEFT, Happening.OFFENCE],
        {"initiator": Initiator.LOCAL, "code": 1002, "violation": Violation.RESERVED_OPCODE, "sent_code": 1001},
    ),
    (
        "handshake refused",
        [Happening.REFUSED],
        {"initiator": Initiator.PEER, "code": 1006, "http_status": 403, "sent_code": None},
    ),
    (
        "handshake abandoned",
        [Happening.GIVEN_UP],
        {"initiator": Initiator.LOCAL, "code": 1006, "http_status": None, "sent_code": None},
    ),
    ("nothing known", [], {"initiator": Initiator.NETWORK, "code": 1006, "violation": None, "detail": ""}),
]


@pytest.mark.parametrize(("happenings", "expected"), [row[1:] for row in REPORTS], ids=[row[0] for row in REPORTS])
def test_reports(happenings: list[Happening], expected: dict[str, object]) -> None:
    closing = after(*happenings)
    assert closing.report is None
    report = settled(closing)
    assert {name: getattr(report, name) for name in expected} == expected
    assert closing.report is report


def test_an_offence_in_the_handshake_has_no_close_code() -> None:
    closing = Closing(new_queue())
    closing.offended(RemoteProtocolError(Violation.BAD_REQUEST))
    report = settled(closing)
    assert (report.code, report.violation, report.sent_code) == (1006, Violation.BAD_REQUEST, None)


def test_what_the_driver_knows_is_in_the_report() -> None:
    error = OSError("gone")
    closing = after(Happening.OPENED, Happening.TRANSPORT_ENDED)
    report = closing.settle(at=7.5, pong_age=1.5, bytes_queued=42, timer=Timer.IDLE, error=error)
    assert (report.at, report.pong_age, report.bytes_queued) == (7.5, 1.5, 42)
    assert (report.timer, report.error) == (Timer.IDLE, error)
