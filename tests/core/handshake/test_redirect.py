"""``_handshake/redirect.py``: where the next attempt goes, and what it takes along."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core._errors import HandshakeRejected, RedirectFailed
from wsproto_core._events import BasicCredentials, BearerCredentials, Redirected, Rejected
from wsproto_core._handshake.client import ClientOffer
from wsproto_core._handshake.redirect import Destination, redirected
from wsproto_core._handshake.uri import host_header, parse_uri
from wsproto_core._headers import Headers

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HARMLESS = [("X-Trace", "1"), ("Origin", "https://example.com"), ("User-Agent", "test")]
SECRETS = [
    ("Authorization", "Bearer secret"),
    ("cookie", "secret"),
    ("Proxy-Authorization", "secret"),
    ("X-Api-Key", "secret"),
    ("X-Auth", "secret"),
    ("Session-Id", "secret"),
    ("x-csrf-token", "secret"),
    ("X-Amz-Signature", "secret"),
    ("X-Client-Secret", "secret"),
    ("X-Password", "secret"),
    ("X-Credential", "secret"),
]


def refusal(location: str, status: int = 302) -> HandshakeRejected:
    return HandshakeRejected(Redirected(status, location, Headers([("X", "y")]), b"body"))


def follow(uri: str, location: str) -> Destination:
    return redirected(Destination(uri=parse_uri(uri)), refusal(location))


@pytest.mark.parametrize(
    ("base", "location", "expected"),
    [
        ("ws://h/a/b?c", "ws://h/d", "ws://h/d"),
        ("ws://h/a/b?c", "http://h/d", "ws://h/d"),
        ("ws://h/a/b?c", "HTTP://H:80/d", "ws://h/d"),
        ("ws://h/a/b?c", "https://h/d", "wss://h/d"),
        ("ws://h/a/b?c", "wss://h:81/d?e", "wss://h:81/d?e"),
        ("wss://h/a/b?c", "https://other", "wss://other/"),
        ("ws://h/a/b?c", "/d", "ws://h/d"),
        ("ws://h:81/a/b?c", "/d", "ws://h:81/d"),
        ("ws://h:81/a/b?c", "d", "ws://h:81/a/d"),
        ("ws://h/a/b?c", "../d", "ws://h/d"),
        ("ws://h/a/b?c", "../../../d", "ws://h/d"),
        ("ws://h/a/b?c", "?d", "ws://h/a/b?d"),
        ("wss://h/a/b?c", "//other/d", "wss://other/d"),
        ("ws://[::1]:81/a", "/d", "ws://[::1]:81/d"),
        ("ws://h/a", "//[::1]:82/d", "ws://[::1]:82/d"),
        ("ws://h/a", "/d#fragment", "ws://h/d"),
        ("ws://h/a", "/?u=http://x", "ws://h/?u=http://x"),
        ("ws://h/a", "/b c\td", "ws://h/b%20c%09d"),
        ("ws://h/a", "/ä".encode().decode("latin-1"), "ws://h/%C3%A4"),
        ("ws://h/a", "/\\other", "ws://h/%5Cother"),
        ("ws://h/a", "/%41", "ws://h/%41"),
    ],
)
def test_where_a_location_leads(base: str, location: str, expected: str) -> None:
    next_one = follow(base, location)
    assert next_one.uri == parse_uri(expected)
    assert next_one.earlier == (parse_uri(base),)


@pytest.mark.parametrize(
    ("base", "location", "words"),
    [
        ("wss://h/", "ws://h/secret", "from wss to ws"),
        ("wss://h/", "http://h/secret", "from wss to ws"),
        ("wss://h/", "//h:80/", "^$"),  # stays wss
        ("ws://h/", "ws://user:secret@h/a", "user name"),
        ("ws://h/", "//user:secret@other", "user name"),
        ("ws://h/", "/", "circle"),
        ("ws://h/", "#secret", "circle"),
        ("ws://h/", "http://h:80", "circle"),
        ("ws://h/", "ftp://h/secret", "no ws, wss, http or https URI"),
        ("ws://h/", "javascript:secret", "no ws"),
        ("ws://h/", "http:secret", "no ws"),
        ("ws://h/", "http://", "no ws"),
        ("ws://h/", "//h:secret", "no ws"),
        ("ws://h/", "//h:0/secret", "no ws"),
        ("ws://h/", "//[secret", "no ws"),
        ("ws://h/", "//h\x00secret:x", "no ws"),
        ("ws://h/", "/\u20acsecret", "no ws"),
        ("ws://h/", "/\ud800secret", "no ws"),
    ],
)
def test_where_nobody_must_go(base: str, location: str, words: str) -> None:
    if words == "^$":
        assert follow(base, location).uri.secure
        return
    with pytest.raises(RedirectFailed, match=words) as caught:
        follow(base, location)
    error = caught.value
    assert "secret" not in str(error)
    assert str(error).startswith("the redirect is not followed: ")
    assert (error.status, error.headers, error.body) == (302, Headers({"X": "y"}), b"body")
    assert isinstance(error.__cause__, HandshakeRejected)


def test_at_the_same_origin_everything_stays() -> None:
    headers = Headers(HARMLESS + SECRETS)
    start = Destination(
        uri=parse_uri("wss://user:secret@h/a"), headers=headers, credentials=BearerCredentials("secret")
    )
    for location in ("/b", "https://h/b", "wss://H:443/b"):
        after = redirected(start, refusal(location))
        assert after.uri == parse_uri("wss://user:secret@h/b")
        assert (after.headers, after.credentials) == (headers, BearerCredentials("secret"))


@pytest.mark.parametrize("location", ["wss://h/a", "//h:81/a", "//other/a", "//h.other/a", "//sub.h/a"])
@pytest.mark.parametrize("credentials", [BearerCredentials("secret"), BasicCredentials("user", "secret"), None])
def test_at_another_origin_secrets_stay_behind(
    location: str, credentials: BearerCredentials | BasicCredentials | None
) -> None:
    start = Destination(
        uri=parse_uri("ws://user:secret@h/"), headers=Headers(HARMLESS + SECRETS), credentials=credentials
    )
    after = redirected(start, refusal(location))
    assert after.uri.credentials is None
    assert after.credentials is None
    assert after.headers.lines() == tuple(HARMLESS)
    again = redirected(after, refusal("ws://h/back") if not after.uri.secure else refusal("/back"))
    assert "secret" not in repr(again)
    assert again.headers.lines() == tuple(HARMLESS)


def test_circles_of_any_size() -> None:
    at = Destination(uri=parse_uri("ws://user:secret@a/"))
    for host in "bcd":
        at = redirected(at, refusal(f"//{host}/"))
    for host in "abcd":
        with pytest.raises(RedirectFailed, match="circle"):
            redirected(at, refusal(f"//{host}/"))
    assert redirected(at, refusal("//a/other")).uri == parse_uri("ws://a/other")


def test_one_too_many() -> None:
    at = Destination(uri=parse_uri("ws://h/0"))
    for number in range(1, 11):
        at = redirected(at, refusal(f"/{number}"))
    assert [uri.target for uri in at.earlier] == [f"/{number}" for number in range(10)]
    with pytest.raises(RedirectFailed, match="more than 10 redirects"):
        redirected(at, refusal("/11"))
    assert redirected(at, refusal("/11"), max_redirects=11).uri.target == "/11"


def test_a_refusal_that_is_not_to_be_followed_comes_back() -> None:
    at = Destination(uri=parse_uri("ws://h/"))
    forbidden, moved = HandshakeRejected(Rejected(403, Headers())), refusal("/a")
    for answer, max_redirects in ((forbidden, 10), (forbidden, 0), (moved, 0)):
        with pytest.raises(HandshakeRejected) as caught:
            redirected(at, answer, max_redirects=max_redirects)
        assert caught.value is answer


@given(
    location=st.text() | st.from_regex(r"(wss?|https?)?:?(//)?[a-z@:\[\]%?#/ ]*", fullmatch=True), secure=st.booleans()
)
def test_any_location_is_a_destination_or_redirect_failed(location: str, secure: bool) -> None:
    start = Destination(
        uri=parse_uri(f"{'wss' if secure else 'ws'}://user:secret@h:81/a"),
        headers=Headers(HARMLESS),
    )
    try:
        after = redirected(start, refusal(location))
    except RedirectFailed:
        return
    assert after.uri.secure >= secure
    assert (after.uri.credentials is None) == (
        (after.uri.secure, host_header(after.uri)) != (secure, host_header(start.uri))
    )
    ClientOffer(uri=after.uri, key=KEY, headers=after.headers, credentials=after.credentials)  # can be asked for
