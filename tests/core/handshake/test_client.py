"""``_handshake/client.py``: requests built, responses judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.handshake.fakes import KEY, TOKEN, ExtensionOnBit1, FakeExtension, FakeTransform, response_fields
from wsproto_core._errors import RemoteProtocolError
from wsproto_core._events import BasicCredentials, BearerCredentials, Redirected, Rejected
from wsproto_core._handshake import server
from wsproto_core._handshake.client import ClientOffer, judge
from wsproto_core._handshake.outcome import Agreement, Response
from wsproto_core._handshake.policy import ServerPolicy
from wsproto_core._handshake.uri import parse_uri
from wsproto_core._headers import Headers
from wsproto_core._violations import Violation

PLAIN = ClientOffer(uri=parse_uri("ws://example.com/chat"), key=KEY)
RICH = ClientOffer(
    uri=parse_uri("wss://user:pass@[::1]:8765/?q"),
    key=KEY,
    subprotocols=["a", "b"],
    extensions=[FakeExtension()],
    headers=Headers([("User-Agent", "test"), ("Cookie", "a=b")]),
    origin="https://example.com",
)

# --- the request ------------------------------------------------------------------------------------------------------


def test_the_least_that_a_client_sends() -> None:
    sent = PLAIN.request
    assert (sent.method, sent.target, sent.http_version) == ("GET", "/chat", "1.1")
    assert sent.headers.lines() == (
        ("Host", "example.com"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    )


def test_everything_that_a_client_sends() -> None:
    sent = RICH.request
    assert sent.target == "/?q"
    assert sent.headers["host"] == "[::1]:8765"
    assert sent.headers.lines()[5:] == (
        ("Sec-WebSocket-Protocol", "a, b"),
        ("Sec-WebSocket-Extensions", "x-fake; on; level=9, x-fake"),
        ("Origin", "https://example.com"),
        ("Authorization", "Basic dXNlcjpwYXNz"),
        ("User-Agent", "test"),
        ("Cookie", "a=b"),
    )
    assert sent.subprotocols == ("a", "b")
    assert sent.credentials == BasicCredentials("user", "pass")


def test_credentials_override_those_of_the_uri() -> None:
    sent = replace(RICH, credentials=BearerCredentials("token")).request
    assert sent.headers["authorization"] == "Bearer token"


def test_origin_and_authorization_may_come_as_headers() -> None:
    sent = replace(PLAIN, headers=Headers({"Origin": "null", "Authorization": "Digest x"})).request
    assert (sent.origin, sent.headers["authorization"]) == ("null", "Digest x")


def test_a_server_accepts_what_a_client_sends() -> None:
    for offer in (PLAIN, RICH):
        judged = server.judge(offer.request, ServerPolicy())
        assert judged.violation is None
        assert judged.credentials == offer.uri.credentials


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("key", "AAAA", ValueError),
        ("subprotocols", ["a", "a"], ValueError),
        ("subprotocols", ["a b"], ValueError),
        ("subprotocols", "a", TypeError),
        ("extensions", [FakeExtension(), FakeExtension()], ValueError),
        ("extensions", [FakeExtension], TypeError),
        ("headers", Headers([("Host", "evil.org")]), ValueError),
        ("headers", Headers([("connection", "close")]), ValueError),
        ("headers", Headers([("Sec-WebSocket-Whatever", "1")]), ValueError),
        ("headers", Headers([("Content-Length", "1")]), ValueError),
        ("credentials", BearerCredentials("a b"), ValueError),
        ("origin", "a\r\nb", ValueError),
    ],
)
def test_offers_that_cannot_be_made(argument: str, value: object, error: type[Exception]) -> None:
    arguments: dict[str, Any] = {"uri": PLAIN.uri, "key": KEY, argument: value}
    with pytest.raises(error, match=rf"(?i){argument}"):
        ClientOffer(**arguments)


@pytest.mark.parametrize(
    ("offer", "name"),
    [
        (RICH, "Authorization"),
        (replace(PLAIN, credentials=BearerCredentials("t")), "Authorization"),
        (RICH, "Origin"),
    ],
)
def test_one_thing_must_not_be_said_twice(offer: ClientOffer, name: str) -> None:
    with pytest.raises(ValueError, match=f"^headers: {name}"):
        replace(offer, headers=Headers([(name, "x")]))


def test_secrets_are_not_in_the_repr() -> None:
    assert "pass" not in repr(RICH)
    assert "secret" not in repr(replace(PLAIN, credentials=BearerCredentials("secret")))


# --- the response -----------------------------------------------------------------------------------------------------


def response(status: int = 101, /, **changes: str | list[str] | None) -> Response:
    return Response(status=status, headers=Headers(response_fields(**changes)), body=b"body")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Upgrade": "WebSocket", "Connection": "keep-alive, UPGRADE"},
        {"Connection": ["keep-alive", "upgrade"]},
        {"Content_Length": "0"},
    ],
)
def test_acceptable_responses(changes: dict[str, str | list[str] | None]) -> None:
    received = response(**changes)
    assert judge(received, PLAIN) == Agreement(response=received)


def test_what_was_agreed() -> None:
    received = response(Sec_WebSocket_Protocol="b", Sec_WebSocket_Extensions="x-fake; level=1")
    agreement = judge(received, RICH)
    assert isinstance(agreement, Agreement)
    assert (agreement.response, agreement.subprotocol, agreement.extensions) == (received, "b", ("x-fake",))
    assert list(map(type, agreement.transforms)) == [FakeTransform]


@pytest.mark.parametrize(
    ("violation", "changes"),
    [
        (Violation.RESPONSE_UPGRADE, {"Upgrade": None}),
        (Violation.RESPONSE_UPGRADE, {"Upgrade": "h2c"}),
        (Violation.RESPONSE_UPGRADE, {"Upgrade": "websocket, h2c"}),
        (Violation.RESPONSE_UPGRADE, {"Upgrade": ["websocket", "websocket"]}),
        (Violation.RESPONSE_CONNECTION, {"Connection": None}),
        (Violation.RESPONSE_CONNECTION, {"Connection": "keep-alive"}),
        (Violation.BAD_ACCEPT, {"Sec_WebSocket_Accept": None}),
        (Violation.BAD_ACCEPT, {"Sec_WebSocket_Accept": TOKEN.lower()}),
        (Violation.BAD_ACCEPT, {"Sec_WebSocket_Accept": TOKEN + "="}),
        (Violation.BAD_ACCEPT, {"Sec_WebSocket_Accept": [TOKEN, TOKEN]}),
        (Violation.SUBPROTOCOL_NOT_OFFERED, {"Sec_WebSocket_Protocol": "c"}),
        (Violation.SUBPROTOCOL_NOT_OFFERED, {"Sec_WebSocket_Protocol": "a, b"}),
        (Violation.SUBPROTOCOL_NOT_OFFERED, {"Sec_WebSocket_Protocol": ["a", "a"]}),
        (Violation.SUBPROTOCOL_NOT_OFFERED, {"Sec_WebSocket_Protocol": ""}),
        (Violation.EXTENSION_NOT_OFFERED, {"Sec_WebSocket_Extensions": "x-other"}),
        (Violation.EXTENSION_PARAMETERS, {"Sec_WebSocket_Extensions": "x-fake; off"}),
    ],
)
def test_responses_that_break_a_rule(violation: Violation, changes: dict[str, str | list[str] | None]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        judge(response(**changes), RICH)
    assert caught.value.violation is violation


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(status: int) -> None:
    received = response(status, Location="/elsewhere")
    assert judge(received, PLAIN) == Redirected(status, "/elsewhere", received.headers, b"body")


@pytest.mark.parametrize(
    ("status", "location"),
    [
        (200, None),
        (200, "/elsewhere"),
        (300, "/elsewhere"),
        (304, "/elsewhere"),
        (302, None),
        (302, ""),
        (302, ["/a", "/b"]),
        (401, None),
        (503, None),
    ],
)
def test_refusals(status: int, location: str | list[str] | None) -> None:
    received = response(status, Location=location)
    assert judge(received, PLAIN) == Rejected(status, received.headers, b"body")


def test_both_sides_agree() -> None:
    extensions = [ExtensionOnBit1(), FakeExtension()]
    offer = replace(RICH, extensions=extensions)
    policy = ServerPolicy(subprotocols=["b"], extensions=extensions)
    theirs = server.accept(server.judge(offer.request, policy), policy)
    ours = judge(theirs.response, offer)
    assert isinstance(ours, Agreement)
    assert (
        (ours.subprotocol, ours.extensions) == (theirs.subprotocol, theirs.extensions) == ("b", ("x-first", "x-fake"))
    )


latin1 = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]))
names = st.sampled_from(["Upgrade", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Location"])


@given(st.integers(100, 599) | st.just(101), st.lists(st.tuples(names, latin1)), st.booleans())
def test_any_response_is_judged(status: int, fields: list[tuple[str, str]], plausible: bool) -> None:
    headers = Headers([*(response_fields() if plausible else []), *fields])
    try:
        outcome = judge(Response(status=status, headers=headers), RICH)
    except RemoteProtocolError:
        assert status == 101
        return
    assert isinstance(outcome, Agreement) == (status == 101)
