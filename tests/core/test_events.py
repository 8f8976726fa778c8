"""Events carry facts: what they derive and how they show themselves."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from wsproto_core._events import (
    BasicCredentials,
    BearerCredentials,
    Closed,
    CloseReport,
    Fragment,
    Ping,
    Pong,
    Request,
)
from wsproto_core._headers import Headers
from wsproto_core._types import Initiator, Timer
from wsproto_core._violations import Violation


@pytest.mark.parametrize("credentials", [BasicCredentials("me", "s3cr3t"), BearerCredentials("s3cr3t")])
def test_secrets_do_not_show(credentials: BasicCredentials | BearerCredentials) -> None:
    assert "s3cr3t" not in repr(credentials)
    assert "s3cr3t" not in repr(Request(method="GET", target="/", credentials=credentials))


@pytest.mark.parametrize(
    ("username", "password", "equal"),
    [
        ("mé", "s3cr3t", True),
        ("mé", "other", False),
        ("other", "s3cr3t", False),
        ("", "", False),
        ("mé", "s3cr3", False),
    ],
)
def test_basic_credentials_match(username: str, password: str, equal: bool) -> None:
    assert BasicCredentials("mé", "s3cr3t").matches(username, password) is equal


@pytest.mark.parametrize(("token", "equal"), [("tökén", True), ("tökén2", False), ("", False)])
def test_a_token_matches(token: str, equal: bool) -> None:
    assert BearerCredentials("tökén").matches(token) is equal


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [("/", "/", ""), ("/chat?a=1&b=?", "/chat", "a=1&b=?"), ("/a%3Fb", "/a%3Fb", ""), ("?", "", "")],
)
def test_the_target_of_a_request(target: str, path: str, query: str) -> None:
    request = Request(method="GET", target=target)
    assert (request.path, request.query) == (path, query)


def test_the_origin_of_a_request() -> None:
    assert Request(method="GET", target="/").origin is None
    assert Request(method="GET", target="/", headers=Headers({"Origin": "http://a"})).origin == "http://a"


@pytest.mark.parametrize("event", [Ping(b"a"), Pong(), Fragment("a", True), Request(method="GET", target="/")])
def test_events_do_not_change(event: Any) -> None:
    for item in fields(event):
        with pytest.raises(FrozenInstanceError):
            setattr(event, item.name, None)


# --- reports ----------------------------------------------------------------------------------------------------------


def report(initiator: Initiator = Initiator.PEER, code: int = 1000, **facts: Any) -> CloseReport:
    return CloseReport(initiator=initiator, code=code, **facts)


@pytest.mark.parametrize(
    ("received", "sent", "clean"), [(1000, 1000, True), (1005, 1005, True), (1000, None, False), (None, 1002, False)]
)
def test_clean_is_when_both_close_frames_crossed(received: int | None, sent: int | None, clean: bool) -> None:
    """RFC 6455 §7.1.4."""
    assert report(received_code=received, sent_code=sent).clean is clean


@pytest.mark.parametrize(
    ("facts", "ok"),
    [
        ({"code": 1000, "received_code": 1000}, True),
        ({"code": 1001, "received_code": 1001}, True),
        ({"code": 1005, "received_code": 1005}, True),
        ({"code": 1011, "received_code": 1011}, False),
        ({"code": 4000, "received_code": 4000}, False),
        ({"code": 1006}, False),
        ({"code": 1000}, False),
        ({"code": 1000, "received_code": 1000, "violation": Violation.RESERVED_BITS}, False),
    ],
)
def test_ok_is_an_ordinary_end(facts: dict[str, Any], ok: bool) -> None:
    assert report(**facts).ok is ok


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (report(), "closed by the peer: 1000 (normal closure)"),
        (report(code=4001, reason="bye"), "closed by the peer: 4001 (private use) 'bye'"),
        (
            report(Initiator.LOCAL, 1002, violation=Violation.RESERVED_OPCODE),
            "closed by this side: 1002 (protocol error); the opcode is reserved (RFC 6455 §5.2)",
        ),
        (
            report(
                Initiator.LOCAL, 1002, violation=Violation.RESERVED_OPCODE, detail="opcode 0x3", timer=Timer.CLOSING
            ),
            "closed by this side: 1002 (protocol error); the opcode is reserved (RFC 6455 §5.2): opcode 0x3",
        ),
        (
            report(Initiator.LOCAL, 1006, timer=Timer.PONG),
            "closed by this side: 1006 (no close frame received); the pong timer fired",
        ),
        (
            report(Initiator.PEER, 1006, http_status=403),
            "closed by the peer: 1006 (no close frame received); the handshake was refused with HTTP status 403",
        ),
        (
            report(Initiator.NETWORK, 1006, error=ConnectionResetError("gone")),
            "closed by the network: 1006 (no close frame received); ConnectionResetError: gone",
        ),
    ],
    ids=["plain", "reason", "violation", "detail", "timer", "refusal", "error"],
)
def test_a_report_in_words(made: CloseReport, words: str) -> None:
    assert str(made) == words
    assert Closed(made).report is made
