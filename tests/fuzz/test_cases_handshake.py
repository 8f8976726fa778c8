"""The cases about the opening handshake: our engine passes them, and the steps that they are made of judge rightly."""

from __future__ import annotations

import re

import pytest

from tests.fuzz.conversing import START, converse
from wsproto_core import Role
from wsproto_fuzz.conformance.case import CLIENTS, SERVERS, Case
from wsproto_fuzz.conformance.cases.handshake import CASES
from wsproto_fuzz.conformance.conversation import Conversation
from wsproto_fuzz.conformance.opening import accept_token
from wsproto_fuzz.conformance.requests import Opens, Refuses, more, request, swapped, without
from wsproto_fuzz.conformance.responses import Accepts, GivesUp, response
from wsproto_fuzz.conformance.steps import Step
from wsproto_fuzz.conformance.verdict import Result, Verdict
from wsproto_fuzz.transcript import render
from wsproto_fuzz.wire import text

#: Where our engine does what is allowed and not ideal: a limit of 100 fields, no space behind a response's status.
LAX = {"handshake.3.4", "handshake.27.4"}


@pytest.mark.parametrize("peer", Role)
def test_our_engine_passes(peer: Role) -> None:
    for case in CASES:
        if peer in case.peers:
            result = converse(case, peer)
            wanted = Verdict.LAX if case.id in LAX else Verdict.PASS
            assert result.verdict is wanted, f"{case.id} {result.finding}\n{render(result.transcript)}"


def test_every_case_makes_its_own_handshake() -> None:
    assert all(case.opening is None for case in CASES)
    assert {case.peers for case in CASES} == {SERVERS, CLIENTS}


def test_requests() -> None:
    assert request([("A", "b")], "GET / HTTP/1.1") == "GET / HTTP/1.1\r\nA: b\r\n\r\n"
    assert "Upgrade: websocket" not in without("Upgrade")
    assert "Host: a\r\nHost: b\r\nUpgrade" in swapped("Host", "a", "b")
    assert more(("A", "b")).endswith("13\r\nA: b\r\n\r\n")


# --- a server that answers what a test says ---------------------------------------------------------------------------

OPEN = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n"


def ask(step: Step, answer: str | None, *, ends: bool = True) -> Result:
    """``step`` alone, and the answer with the right token in it; then the end of the stream, or silence."""
    case = Case(id="group.1.1", title="", requirement="", section="", steps=(step,), opening=None)
    tester = Conversation(case, Role.SERVER, START, authority="example.com:81", target="/x")
    asked = b"".join(tester.data_to_send()).decode()
    assert asked.startswith("GET /x HTTP/1.1\r\nHost: example.com:81\r\n")
    key = re.search("Sec-WebSocket-Key: (.*)\r\n", asked)
    if answer is not None:
        tester.receive_data(answer.format(accept_token(key[1] if key else "")).encode(), START)
    if ends:
        tester.receive_eof(START)
    while not tester.is_over:
        deadline = tester.next_deadline()
        assert deadline is not None
        tester.handle_timeout(deadline)
    return tester.result()


@pytest.mark.parametrize(
    ("step", "answer", "verdict", "finding"),
    [
        (Opens(), OPEN + "\r\n", Verdict.PASS, "opened"),
        (Opens(key="dGhlIHNhbXBsZSBub25jZQ=="), OPEN + "\r\n", Verdict.PASS, "opened"),
        (Opens(), "HTTP/1.1 400 Bad\r\n\r\n", Verdict.FAIL, "the response is 'HTTP/1.1 400 Bad', not 101"),
        (Opens(), None, Verdict.FAIL, "instead of the peer's part came the end"),
        (Opens(may_refuse=True), "HTTP/1.1 400 Bad\r\n\r\n", Verdict.LAX, "refused: 'HTTP/1.1 400 Bad'"),
        (Opens(may_refuse=True), None, Verdict.LAX, "closed without an answer"),
        (Opens(may_refuse=True), "HTTP/1.1 302 Found\r\n\r\n", Verdict.FAIL, "not 101"),
        (Opens(), OPEN + "Sec-WebSocket-Protocol: a\r\n\r\n", Verdict.FAIL, "subprotocol 'a', which nobody offered"),
        (Opens(subprotocols=("a",)), OPEN + "Sec-WebSocket-Protocol: a\r\n\r\n", Verdict.PASS, "opened"),
        (Opens(subprotocols=("a",)), OPEN + "Sec-WebSocket-Protocol: A\r\n\r\n", Verdict.FAIL, "subprotocol 'A'"),
        (Opens(subprotocols=("a", "b")), OPEN + "Sec-WebSocket-Protocol: a, b\r\n\r\n", Verdict.FAIL, "'a, b'"),
        (Opens(), OPEN + "Sec-WebSocket-Extensions: x\r\n\r\n", Verdict.FAIL, "agrees to 'x', which nobody offered"),
        (Refuses(request()), "HTTP/1.1 400 Bad\r\n\r\n", Verdict.PASS, "answered 'HTTP/1.1 400 Bad'"),
        (Refuses(request()), "HTTP/1.1 500 Oh\r\n\r\n", Verdict.LAX, "not with a status from 400 to 499"),
        (Refuses(request()), None, Verdict.LAX, "closed without an answer"),
        (Refuses(request()), OPEN + "\r\n", Verdict.FAIL, "opened"),
        (Refuses(request(), if_opened=Verdict.LAX), OPEN + "\r\n", Verdict.LAX, "opened"),
        (Refuses(request(), if_opened=Verdict.PASS), OPEN + "\r\n", Verdict.PASS, "opened"),
        (Refuses(request(), fields=(("A", "b"),)), "HTTP/1.1 400 Bad\r\nA: b\r\n\r\n", Verdict.PASS, "answered"),
        (Refuses(request(), fields=(("A", "b"),)), "HTTP/1.1 400 Bad\r\n\r\n", Verdict.LAX, "lacks A: b"),
    ],
)
def test_how_a_server_is_judged(step: Step, answer: str | None, verdict: Verdict, finding: str) -> None:
    result = ask(step, answer)
    assert (result.verdict, finding in result.finding) == (verdict, True), result


@pytest.mark.parametrize(
    ("if_opened", "verdict"),
    [(Verdict.FAIL, Verdict.FAIL), (Verdict.LAX, Verdict.LAX), (Verdict.PASS, Verdict.LAX)],
)
def test_a_server_that_does_not_answer(if_opened: Verdict, verdict: Verdict) -> None:
    result = ask(Refuses(request(), if_opened=if_opened), None, ends=False)
    assert (result.verdict, result.finding) == (verdict, "The peer did not answer within 3 s.")


# --- a client that does what a test says ------------------------------------------------------------------------------

REQUEST = request().format(authority="localhost", target="/", key="dGhlIHNhbXBsZSBub25jZQ==").encode()


def answer(step: Step, reaction: bytes | None) -> Result:
    """``step`` alone, and what the client sends then; or the end of the stream."""
    case = Case(id="group.1.1", title="", requirement="", section="", steps=(step,), opening=None)
    tester = Conversation(case, Role.CLIENT, START)
    tester.receive_data(REQUEST, START)
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in b"".join(tester.data_to_send())
    if reaction is None:
        tester.receive_eof(START)
    else:
        tester.receive_data(reaction, START)
    while not tester.is_over:
        deadline = tester.next_deadline()
        assert deadline is not None
        tester.handle_timeout(deadline)
    return tester.result()


ECHO = bytes.fromhex("81 85 00 00 00 00") + b"Hello"


@pytest.mark.parametrize(
    ("step", "reaction", "verdict"),
    [
        (GivesUp(response()), None, Verdict.PASS),
        (GivesUp(response()), b"", Verdict.LAX),
        (GivesUp(response()), ECHO, Verdict.FAIL),
        (GivesUp(response(), if_opened=Verdict.LAX), ECHO, Verdict.LAX),
        (GivesUp(response(), if_opened=Verdict.PASS), ECHO, Verdict.PASS),
        (Accepts(), b"", Verdict.PASS),
        (Accepts(behind=(text("Hello"),)), ECHO, Verdict.FAIL),  # which no step has expected
    ],
)
def test_how_a_client_is_judged(step: Step, reaction: bytes | None, verdict: Verdict) -> None:
    assert answer(step, reaction).verdict is verdict
