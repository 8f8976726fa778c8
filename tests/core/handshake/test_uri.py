"""``_handshake/uri.py``: URIs and authorities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core._events import BasicCredentials
from wsproto_core._handshake.uri import Uri, host_header, parse_authority, parse_uri


@pytest.mark.parametrize(
    ("text", "expected", "host"),
    [
        ("ws://example.com", Uri(False, "example.com", 80, "/"), "example.com"),
        ("wss://example.com/", Uri(True, "example.com", 443, "/"), "example.com"),
        ("WSS://Example.COM:443/Path", Uri(True, "example.com", 443, "/Path"), "example.com"),
        ("wss://example.com:80/", Uri(True, "example.com", 80, "/"), "example.com:80"),
        ("ws://example.com:443", Uri(False, "example.com", 443, "/"), "example.com:443"),
        ("ws://example.com:", Uri(False, "example.com", 80, "/"), "example.com"),
        ("ws://example.com?a=b", Uri(False, "example.com", 80, "/?a=b"), "example.com"),
        ("ws://example.com/p?a=b?c&d=e/@:", Uri(False, "example.com", 80, "/p?a=b?c&d=e/@:"), "example.com"),
        ("ws://[::1]:8765/", Uri(False, "::1", 8765, "/"), "[::1]:8765"),
        ("ws://[2001:DB8::0:1]", Uri(False, "2001:db8::1", 80, "/"), "[2001:db8::1]"),
        ("ws://127.0.0.1:8765", Uri(False, "127.0.0.1", 8765, "/"), "127.0.0.1:8765"),
        ("ws://bücher.example/ä?ö=%C3%BC", Uri(False, "xn--bcher-kva.example", 80, "/%C3%A4?%C3%B6=%C3%BC"), None),
        ("ws://bücher.example:81", Uri(False, "xn--bcher-kva.example", 81, "/"), "xn--bcher-kva.example:81"),
        ("ws://h/%41\\<>{}", Uri(False, "h", 80, "/%41%5C%3C%3E%7B%7D"), "h"),
        ("ws://user:pass@h/", Uri(False, "h", 80, "/", BasicCredentials("user", "pass")), "h"),
        ("ws://user@h/", Uri(False, "h", 80, "/", BasicCredentials("user", "")), "h"),
        ("ws://u%40:p%3A%C3%A9:@h", Uri(False, "h", 80, "/", BasicCredentials("u@", "p:é:")), "h"),
        ("ws://a@b:c@h", Uri(False, "h", 80, "/", BasicCredentials("a@b", "c")), "h"),
        ("ws://@h", Uri(False, "h", 80, "/"), "h"),
        ("ws://h/a@b", Uri(False, "h", 80, "/a@b"), "h"),
    ],
)
def test_valid_uris(text: str, expected: Uri, host: str | None) -> None:
    uri = parse_uri(text)
    assert uri == expected
    assert host is None or host_header(uri) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "//example.com",
        "ws:example.com",
        "http://example.com",
        "https://example.com",
        "ws://",
        "ws:///path",
        "ws://:80",
        "ws://user:secret@",
        "ws://user:secret@:80/",
        "ws://user:secret@h/#fragment",
        "ws://user:secret@h/#",
        "ws://user:secret@h/a b",
        "ws://user:secret@h/\r\nX: y",
        "ws://user:secret@h\t/",
        "ws://user:secret@h/\x7f",
        "ws://user:secret@h:0/",
        "ws://user:secret@h:65536/",
        "ws://user:secret@h:x/",
        "ws://user:secret@h:٣/",
        "ws://user:secret@h:-1/",
        "ws://user:secret@h:000080/",
        "ws://user:secret@h\\evil/",
        "ws://user:secret@h%zz/",
        "ws://user:secret@[::1/",
        "ws://user:secret@[::1]x/",
        "ws://user:secret@[::g]/",
        "ws://user:secret@[fe80::1%25eth0]/",
        "ws://user:secret@[fe80::1%eth0]/",
        "ws://user:secret@::1/",
        "ws://user:secret@" + "a" * 256,
        "ws://user:secret@" + "ä" * 256,
        "ws://user:secret@ä" + "a" * 64,
        "ws://user:secret@ex℀mple.com",  # becomes "exa/cmple.com"
        "ws://user:secret@\ud800",
        "ws://user:secret@h/\ud800",
        "ws://secret%3A:secret@h",
        "ws://user:secret%0A@h",
        "ws://user:secret%FF@h",
    ],
)
def test_invalid_uris_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(ValueError, match=r"^uri ") as caught:
        parse_uri(text)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_password_is_not_in_the_repr() -> None:
    assert "secret" not in repr(parse_uri("ws://user:secret@h"))


@given(st.text() | st.builds("{}://{}".format, st.sampled_from(["ws", "wss"]), st.text()))
def test_any_text_is_a_uri_or_a_value_error(text: str) -> None:
    try:
        uri = parse_uri(text)
    except ValueError:
        return
    assert uri.target.startswith("/")
    assert uri.target.isascii()
    assert uri.target.isprintable()
    assert not set(uri.target) & set(" #\r\n")
    host, port = parse_authority(host_header(uri))
    assert (host, port or (443 if uri.secure else 80)) == (uri.host, uri.port)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Example.COM", ("example.com", None)),
        ("example.com:8080", ("example.com", 8080)),
        ("example.com:", ("example.com", None)),
        ("example.com:0", ("example.com", 0)),
        ("[::1]", ("::1", None)),
        ("[::1]:80", ("::1", 80)),
        ("a_b.example%20", ("a_b.example%20", None)),
    ],
)
def test_authorities(text: str, expected: tuple[str, int | None]) -> None:
    assert parse_authority(text) == expected


@pytest.mark.parametrize(
    "text", ["", ":80", "a b", "a/b", "user@a", "a,b c", "é", "a:1:2", "a:٣", "[", "[]", "[::1]80"]
)
def test_malformed_authorities(text: str) -> None:
    with pytest.raises(ValueError, match=r"host|port|IPv6"):
        parse_authority(text)
