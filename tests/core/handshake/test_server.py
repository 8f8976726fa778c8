"""``_handshake/server.py``: requests judged, accepted, refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.handshake.fakes import (
    KEY,
    TOKEN,
    ExtensionOnBit1,
    FakeExtension,
    FakeTransform,
    RivalOnBit1,
    extended_connect,
    http1,
    request_fields,
)
from wsproto_core._config import Limits
from wsproto_core._errors import LocalProtocolError
from wsproto_core._events import BasicCredentials, Request
from wsproto_core._handshake.policy import SAME_ORIGIN, ServerPolicy
from wsproto_core._handshake.server import BY_POLICY, MAX_TARGET_SIZE, accept, judge, refuse, reject
from wsproto_core._headers import Headers
from wsproto_core._violations import Violation

ANYTHING = ServerPolicy()
STRICT = ServerPolicy(origins=["https://example.com"], hosts=["server.example.com"])


# --- judging ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        http1(),
        http1(Upgrade="WebSocket", Connection="keep-alive, Upgrade"),
        http1(Upgrade="WEBSOCKET", Connection="UPGRADE"),
        http1(Upgrade=["h2c", "websocket"], Connection=["keep-alive", "upgrade"]),
        http1(Content_Length="0"),
        http1(Sec_WebSocket_Protocol=["chat", "superchat"], Sec_WebSocket_Extensions=["foo; bar", "baz"]),
        http1(Origin=["https://a", "https://b"]),
        replace(http1(), http_version="1.2"),
        extended_connect(),
        extended_connect(http_version="3"),
        extended_connect(http_version="2.0", protocol="WebSocket"),
    ],
    ids=repr,
)
def test_requests_that_can_become_a_websocket(request_: Request) -> None:
    judged = judge(request_, ANYTHING)
    assert (judged.violation, judged.detail) == (None, "")


@pytest.mark.parametrize(
    ("violation", "request_"),
    [
        (Violation.METHOD_NOT_GET, replace(http1(), method="POST")),
        (Violation.METHOD_NOT_GET, replace(http1(), method="HEAD")),
        (Violation.METHOD_NOT_GET, replace(http1(), method="get")),
        (Violation.METHOD_NOT_GET, extended_connect(http_version="1.1")),
        (Violation.METHOD_NOT_GET, extended_connect(method="GET")),
        (Violation.METHOD_NOT_GET, extended_connect(protocol=None)),
        (Violation.HTTP_VERSION, replace(http1(), http_version="1.0")),
        (Violation.HTTP_VERSION, replace(http1(), http_version="1")),
        (Violation.HTTP_VERSION, replace(http1(), http_version="0.9")),
        (Violation.HTTP_VERSION, replace(http1(), http_version="")),
        (Violation.BAD_HOST, http1(Host=None)),
        (Violation.BAD_HOST, http1(Host=["server.example.com", "server.example.com"])),
        (Violation.BAD_HOST, http1(Host="")),
        (Violation.BAD_HOST, http1(Host="server.example.com/path")),
        (Violation.BAD_HOST, http1(Host="user@server.example.com")),
        (Violation.BAD_HOST, http1(Host="server.example.com:http")),
        (Violation.BAD_HOST, http1(Host="s\xe9rver.example.com")),
        (Violation.HOST_NOT_ALLOWED, http1(Host="evil.org")),
        (Violation.NO_UPGRADE, http1(Upgrade=None)),
        (Violation.NO_UPGRADE, http1(Upgrade="h2c")),
        (Violation.NO_UPGRADE, http1(Upgrade="websocket2")),
        (Violation.NO_UPGRADE, extended_connect(protocol="connect-udp")),
        (Violation.NO_UPGRADE, replace(http1(), http_version="2")),
        (Violation.BAD_CONNECTION, http1(Connection=None)),
        (Violation.BAD_CONNECTION, http1(Connection="keep-alive")),
        (Violation.REQUEST_BODY, http1(Content_Length="5")),
        (Violation.REQUEST_BODY, http1(Transfer_Encoding="chunked")),
        (Violation.UNSUPPORTED_VERSION, http1(Sec_WebSocket_Version=None)),
        (Violation.UNSUPPORTED_VERSION, http1(Sec_WebSocket_Version="8", Sec_WebSocket_Key=None)),
        (Violation.UNSUPPORTED_VERSION, http1(Sec_WebSocket_Version="013")),
        (Violation.UNSUPPORTED_VERSION, http1(Sec_WebSocket_Version="13, 8")),
        (Violation.UNSUPPORTED_VERSION, http1(Sec_WebSocket_Version=["13", "13"])),
        (Violation.BAD_KEY, http1(Sec_WebSocket_Key=None)),
        (Violation.BAD_KEY, http1(Sec_WebSocket_Key=[KEY, KEY])),
        (Violation.BAD_KEY, http1(Sec_WebSocket_Key="AAAA")),
        (Violation.BAD_SUBPROTOCOLS, http1(Sec_WebSocket_Protocol="")),
        (Violation.BAD_SUBPROTOCOLS, http1(Sec_WebSocket_Protocol="caf\xe9")),
        (Violation.BAD_SUBPROTOCOLS, http1(Sec_WebSocket_Protocol=["a", "a"])),
        (Violation.BAD_SUBPROTOCOLS, extended_connect(fields=[("Sec-WebSocket-Protocol", "a b"), ("Origin", "null")])),
        (Violation.BAD_EXTENSIONS, http1(Sec_WebSocket_Extensions="foo;")),
        (Violation.ORIGIN_NOT_ALLOWED, http1(Origin="https://evil.org")),
        (Violation.ORIGIN_NOT_ALLOWED, http1()),
        (Violation.ORIGIN_NOT_ALLOWED, http1(Origin=["https://example.com", "https://example.com"])),
        (Violation.ORIGIN_NOT_ALLOWED, extended_connect()),
        (Violation.TARGET_TOO_LONG, replace(http1(), target="/" + "a" * MAX_TARGET_SIZE)),
        (Violation.TOO_MANY_HEADERS, http1(Cookie=["a"] * 100)),
        (Violation.HEADERS_TOO_BIG, http1(Cookie="a" * 16 * 1024)),
    ],
    ids=lambda value: value.name if isinstance(value, Violation) else None,
)
def test_every_violation(violation: Violation, request_: Request) -> None:
    assert judge(request_, STRICT).violation is violation


def test_limits_are_inclusive() -> None:
    longest = replace(http1(), target="/" + "a" * (MAX_TARGET_SIZE - 1))
    assert judge(longest, ANYTHING).violation is None
    assert judge(http1(), ServerPolicy(limits=Limits(max_headers=5))).violation is None
    assert judge(http1(), ServerPolicy(limits=Limits(max_headers=4))).violation is Violation.TOO_MANY_HEADERS
    size = sum(len(name) + len(value) for name, value in request_fields())
    assert judge(http1(), ServerPolicy(limits=Limits(header_size=size))).violation is None
    assert judge(http1(), ServerPolicy(limits=Limits(header_size=size - 1))).violation is Violation.HEADERS_TOO_BIG


def test_a_small_header_size_bounds_the_target_too() -> None:
    request = replace(http1(), target="/" + "a" * 500)
    assert judge(request, ServerPolicy(limits=Limits(header_size=500))).violation is Violation.TARGET_TOO_LONG


@pytest.mark.parametrize("origin", ["https://example.com", "https://EXAMPLE.com:443"])
def test_allowed_origin_and_host(origin: str) -> None:
    assert judge(http1(Origin=origin, Host="server.example.com:8765"), STRICT).violation is None


def test_same_origin_compares_with_the_host() -> None:
    policy = ServerPolicy(origins=[SAME_ORIGIN])
    assert judge(http1(Origin="https://server.example.com"), policy).violation is None
    assert judge(http1(Origin="https://example.com"), policy).violation is Violation.ORIGIN_NOT_ALLOWED


def test_two_origins_do_not_slip_through_a_pattern() -> None:
    policy = ServerPolicy(origins=[re.compile(r"https://.*\.example\.com")])
    request = http1(Origin=["https://evil.org", "https://a.example.com"])
    assert judge(request, policy).violation is Violation.ORIGIN_NOT_ALLOWED


def test_facts_are_filled_in() -> None:
    judged = judge(http1(Sec_WebSocket_Protocol=["a, b", "c"], Authorization="Basic YTpi"), ANYTHING)
    assert judged.subprotocols == ("a", "b", "c")
    assert judged.credentials == BasicCredentials("a", "b")


def test_facts_are_filled_in_for_a_health_check_too() -> None:
    check = Request(
        method="GET", target="/healthz", http_version="1.0", headers=Headers([("Authorization", "Bearer t")])
    )
    judged = judge(check, STRICT)
    assert judged.violation is Violation.HTTP_VERSION
    assert judged.credentials is not None


def test_unreadable_facts_are_left_out() -> None:
    judged = judge(http1(Sec_WebSocket_Protocol="a b", Authorization="Basic !"), ANYTHING)
    assert (judged.subprotocols, judged.credentials) == ((), None)


def test_judging_again_starts_afresh() -> None:
    refused = replace(http1(), violation=Violation.BAD_KEY, detail="old")
    assert judge(refused, ANYTHING) == judge(http1(), ANYTHING)


def test_the_earlier_check_wins() -> None:
    assert judge(replace(http1(Host=None), method="POST"), STRICT).violation is Violation.METHOD_NOT_GET


SECRET = "zq9"
secrets = st.sampled_from(
    [SECRET, f"{SECRET} {SECRET}", f'"{SECRET}', f"{SECRET};", f"{SECRET}, {SECRET}", f"[{SECRET}"]
)


@given(st.dictionaries(st.sampled_from([name.replace("-", "_") for name, _ in request_fields()]), secrets, min_size=1))
def test_the_detail_never_repeats_the_request(changes: dict[str, str]) -> None:
    judged = judge(http1(**changes), STRICT)
    assert judged.violation is not None
    assert SECRET not in judged.detail


latin1 = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]))
names = st.sampled_from([*(name for name, _ in request_fields()), "Origin", "Sec-WebSocket-Protocol", "Authorization"])
fields = st.lists(st.tuples(names, latin1 | st.sampled_from(["websocket", "upgrade", "13", KEY, "a", "null"])))
versions = st.sampled_from(["1.0", "1.1", "2", "3"]) | st.text()


@given(
    st.builds(
        Request,
        method=st.sampled_from(["GET", "CONNECT"]),
        target=latin1,
        headers=st.builds(Headers, fields),
        http_version=versions,
        protocol=st.none() | latin1 | st.just("websocket"),
    )
)
def test_any_request_is_judged(request_: Request) -> None:
    for policy in (ANYTHING, STRICT):
        judged = judge(request_, policy)
        if judged.violation is None:
            assert accept(judged, policy).response.status in (101, 200)
        else:
            assert refuse(judged.violation, judged.detail).status == judged.violation.http_status


# --- accepting --------------------------------------------------------------------------------------------------------


def judged(policy: ServerPolicy = ANYTHING, **changes: str | list[str] | None) -> Request:
    request = judge(http1(**changes), policy)
    assert request.violation is None
    return request


def test_accepting_the_example() -> None:
    agreement = accept(judged(), ANYTHING)
    assert agreement.response.status == 101
    assert agreement.response.headers.lines() == (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", TOKEN),
    )
    assert (agreement.subprotocol, agreement.transforms, agreement.extensions) == (None, (), ())


def test_accepting_with_everything() -> None:
    policy = ServerPolicy(subprotocols=["b", "a"], extensions=[FakeExtension()])
    request = judged(policy, Sec_WebSocket_Protocol="a, b", Sec_WebSocket_Extensions=["x-other", "x-fake; level=1"])
    agreement = accept(request, policy, headers={"Set-Cookie": "a=b"})
    assert agreement.response.headers["sec-websocket-protocol"] == "b"
    assert agreement.response.headers["sec-websocket-extensions"] == "x-fake; level=1"
    assert agreement.response.headers.lines()[-1] == ("Set-Cookie", "a=b")
    assert (agreement.subprotocol, agreement.extensions) == ("b", ("x-fake",))
    assert list(map(type, agreement.transforms)) == [FakeTransform]


def test_rivals_for_a_reserved_bit_are_not_both_accepted() -> None:
    policy = ServerPolicy(extensions=[RivalOnBit1(), ExtensionOnBit1()])
    agreement = accept(judged(policy, Sec_WebSocket_Extensions="x-first, x-rival"), policy)
    assert agreement.extensions == ("x-first",)
    assert agreement.response.headers["sec-websocket-extensions"] == "x-first"


def test_accepting_an_extended_connect() -> None:
    policy = ServerPolicy(subprotocols=["chat"])
    request = judge(extended_connect(fields=[("Sec-WebSocket-Protocol", "chat")]), policy)
    response = accept(request, policy).response
    assert response.status == 200
    assert response.headers.lines() == (("Sec-WebSocket-Protocol", "chat"),)


def test_the_application_may_choose_the_subprotocol() -> None:
    policy = ServerPolicy(subprotocols=["a"])
    request = judged(policy, Sec_WebSocket_Protocol="a, b")
    assert accept(request, policy, subprotocol=BY_POLICY).subprotocol == "a"
    assert accept(request, policy, subprotocol="b").response.headers["sec-websocket-protocol"] == "b"
    assert accept(request, policy, subprotocol=None).subprotocol is None
    assert "sec-websocket-protocol" not in accept(request, policy, subprotocol=None).response.headers


def test_the_application_must_choose_from_the_offer() -> None:
    with pytest.raises(LocalProtocolError, match=r"^subprotocol"):
        accept(judged(), ANYTHING, subprotocol="chat")


@pytest.mark.parametrize(
    "name",
    ["Upgrade", "connection", "Sec-WebSocket-Accept", "sec-websocket-protocol", "Content-Length", "Transfer-Encoding"],
)
def test_the_handshakes_own_headers_are_refused_by_name(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=name):
        accept(judged(), ANYTHING, headers=[("X-Fine", "1"), (name, "x")])


@pytest.mark.parametrize("field", [("X", "a\r\nb"), ("X y", "a"), ("X", "\u2028")])
def test_characters_that_no_header_may_hold(field: tuple[str, str]) -> None:
    with pytest.raises(LocalProtocolError, match=r"^headers"):
        accept(judged(), ANYTHING, headers=[field])


def test_by_policy_reads_well() -> None:
    assert repr(BY_POLICY) == "BY_POLICY"


# --- refusing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("violation", [row for row in Violation if row.http_status is not None])
def test_every_refusal_has_its_status_and_its_words(violation: Violation) -> None:
    response = refuse(violation, "more words")
    assert response.status == violation.http_status
    assert response.headers["content-type"].startswith("text/plain")
    assert violation.words.encode() in response.body
    assert b"more words" in response.body


def test_a_violation_without_a_status_is_a_bad_request() -> None:
    assert refuse(Violation.UNMASKED_FRAME).status == 400


def test_426_names_the_version_and_the_protocol() -> None:
    headers = refuse(Violation.UNSUPPORTED_VERSION).headers
    assert (headers["sec-websocket-version"], headers["upgrade"]) == ("13", "websocket")


@pytest.mark.parametrize("http_version", ["2", "3"])
def test_upgrade_has_no_place_beyond_http_1(http_version: str) -> None:
    headers = refuse(Violation.UNSUPPORTED_VERSION, http_version=http_version).headers
    assert headers["sec-websocket-version"] == "13"
    assert "upgrade" not in headers


def test_405_names_the_method() -> None:
    assert refuse(Violation.METHOD_NOT_GET).headers["allow"] == "GET"


@pytest.mark.parametrize("name", ["allow", "upgrade", "sec-websocket-version"])
def test_other_refusals_do_not(name: str) -> None:
    assert name not in refuse(Violation.BAD_KEY).headers


# --- rejecting --------------------------------------------------------------------------------------------------------


def test_rejecting() -> None:
    response = reject(401, {"WWW-Authenticate": "Basic"}, b"who?")
    assert (response.status, response.body, response.streamed) == (401, b"who?", False)
    assert response.headers.lines() == (("WWW-Authenticate", "Basic"),)


def test_rejecting_with_a_streamed_body() -> None:
    response = reject(200, {"Content-Length": "5"}, None)
    assert (response.body, response.streamed) == (b"", True)
    assert response.headers["content-length"] == "5"


@pytest.mark.parametrize("status", [0, 101, 199, 600])
def test_rejecting_with_an_impossible_status(status: int) -> None:
    with pytest.raises(LocalProtocolError, match=r"^status"):
        reject(status)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body(status: int) -> None:
    assert reject(status).status == status
    for body in (b"x", None):
        with pytest.raises(LocalProtocolError, match="body"):
            reject(status, body=body)


@pytest.mark.parametrize(
    ("field", "body"),
    [
        (("Connection", "close"), b""),
        (("Content-Length", "0"), b""),
        (("Transfer-Encoding", "chunked"), b""),
        (("Transfer-Encoding", "chunked"), None),
        (("Bad Name", "x"), b""),
    ],
)
def test_rejecting_with_headers_that_frame_the_response(field: tuple[str, str], body: bytes | None) -> None:
    with pytest.raises(LocalProtocolError, match=field[0]):
        reject(403, [field], body)
