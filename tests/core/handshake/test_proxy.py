"""``_handshake/proxy.py``: parsing a proxy and choosing one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core._events import BasicCredentials
from wsproto_core._handshake.proxy import Proxy, authority, choose_proxy, parse_proxy, proxy_from_environment
from wsproto_core._handshake.uri import parse_uri

USER = BasicCredentials("user", "secret")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://proxy", Proxy("http", "proxy", 80)),
        ("https://proxy/", Proxy("https", "proxy", 443)),
        ("socks5://proxy", Proxy("socks5", "proxy", 1080)),
        ("socks5h://proxy:9050", Proxy("socks5h", "proxy", 9050)),
        ("socks://127.0.0.1:7897/", Proxy("socks", "127.0.0.1", 7897)),  # what GNOME sets
        ("HTTP://Proxy.Example:3128", Proxy("http", "proxy.example", 3128)),
        ("proxy:3128", Proxy("http", "proxy", 3128)),
        ("user:secret@proxy:3128", Proxy("http", "proxy", 3128, USER)),
        ("  http://proxy:\n", Proxy("http", "proxy", 80)),
        ("http://[2001:DB8::1]:3128", Proxy("http", "2001:db8::1", 3128)),
        ("http://user@proxy", Proxy("http", "proxy", 80, BasicCredentials("user", ""))),
        ("http://@proxy", Proxy("http", "proxy", 80)),
        ("http://u%40:p%3A%2F%C3%A9:@proxy", Proxy("http", "proxy", 80, BasicCredentials("u@", "p:/é:"))),
        ("http://user:s@e:cret@proxy", Proxy("http", "proxy", 80, BasicCredentials("user", "s@e:cret"))),
        ("socks5://u%3A%0A:p@proxy", Proxy("socks5", "proxy", 1080, BasicCredentials("u:\n", "p"))),
    ],
)
def test_valid_proxies(text: str, expected: Proxy) -> None:
    assert parse_proxy(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://",
        "://proxy",
        "ftp://user:secret@proxy",
        "socks4://user:secret@proxy",
        "socks4a://user:secret@proxy",
        "wss://user:secret@proxy",
        "http://user:secret@",
        "http://user:secret@:3128",
        "http://user:secret@proxy:0",
        "http://user:secret@proxy:65536",
        "http://user:secret@proxy:http",
        "http://user:secret@proxy:3128/path",
        "http://user:secret@proxy//",
        "http://user:secret@proxy?query",
        "http://user:secret@proxy#fragment",
        "http://user:sec/ret@proxy",
        "http://secret/@proxy",
        "http://user:secret@pro xy",
        "http://user:secret@bücher.example",
        "http://user:secret@[::1",
        "http://user:secret@::1",
        "http://user:secret%FF@proxy",
        "http://user:secret%0A@proxy",
        "http://us%3Aer:secret@proxy",
        "http://user:secret\ud800@proxy",
        "socks5://user:secret\ud800@proxy",
        "socks5://user:secret" + "é" * 125 + "@proxy",
        "socks5://" + "secret" * 43 + "@proxy",
    ],
)
def test_invalid_proxies_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(ValueError, match=r"^proxy") as caught:
        parse_proxy(text)
    assert "sec" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.text() | st.builds("{}://{}".format, st.sampled_from(["http", "https", "socks5"]), st.text()))
def test_any_text_is_a_proxy_or_a_value_error(text: str) -> None:
    try:
        proxy = parse_proxy(text)
    except ValueError:
        return
    assert parse_proxy(f"{proxy.scheme}://{proxy.address}") == Proxy(proxy.scheme, proxy.host, proxy.port)


@pytest.mark.parametrize(
    "arguments",
    [
        ("ftp", "proxy", 80),
        ("HTTP", "proxy", 80),
        ("http", "", 80),
        ("http", "a/b", 80),
        ("http", "[::1]", 80),
        ("http", "proxy:80", 80),
        ("http", "proxy", 0),
        ("http", "proxy", 65536),
        ("http", "proxy", 80, BasicCredentials("user", "secret\r\nX: y")),
        ("socks5", "proxy", 1080, BasicCredentials("user", "secret" * 43)),
    ],
)
def test_a_proxy_in_parts_is_checked_too(arguments: Any) -> None:
    with pytest.raises(ValueError, match=r"^proxy: ") as caught:
        Proxy(*arguments)
    assert "secret" not in str(caught.value)


def test_what_is_known_of_a_proxy() -> None:
    facts = {
        scheme: (Proxy(scheme, "::1", 1).is_secure, Proxy(scheme, "::1", 1).is_socks)
        for scheme in ("http", "https", "socks5", "socks5h", "socks")
    }
    socks = (False, True)
    assert facts == {
        "http": (False, False), "https": (True, False), "socks5": socks, "socks5h": socks, "socks": socks,
    }  # fmt: skip
    assert Proxy("http", "::1", 8080).address == authority("::1", 8080) == "[::1]:8080"
    assert authority("proxy", 80) == "proxy:80"


def test_the_password_is_not_in_the_repr() -> None:
    assert "secret" not in repr(parse_proxy("http://user:secret@proxy"))


# --- the environment --------------------------------------------------------------------------------------------------


def chosen(uri: str, **environment: str) -> str | None:
    proxy = proxy_from_environment(parse_uri(uri), environment)
    return None if proxy is None else proxy.host


ALL = {f"{name}_proxy": f"http://{name}" for name in ("ws", "wss", "http", "https", "all")}


@pytest.mark.parametrize(
    ("uri", "order"), [("ws://h", ["ws", "https", "http", "all"]), ("wss://h", ["wss", "https", "all"])]
)
@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_the_order_of_the_variables(uri: str, order: list[str], change: Any) -> None:
    environment = {change(name): value for name, value in ALL.items()}
    for name in order:
        assert chosen(uri, **environment) == name
        del environment[change(f"{name}_proxy")]
    assert chosen(uri, **environment) is None


def test_lower_case_goes_before_upper_case() -> None:
    assert chosen("wss://h", https_proxy="http://lower", HTTPS_PROXY="http://upper") == "lower"
    assert chosen("wss://h", https_proxy="", HTTPS_PROXY="http://upper") is None
    assert chosen("wss://h", https_proxy=" ", HTTPS_PROXY="http://upper", all_proxy="http://all") == "all"
    assert chosen("ws://h", http_proxy="http://lower", no_proxy="", NO_PROXY="*") == "lower"


def test_a_client_of_a_cgi_program_names_no_proxy() -> None:
    environment = {"HTTP_PROXY": "http://forged", "REQUEST_METHOD": "GET"}
    assert chosen("ws://h", **environment) is None
    assert chosen("ws://h", **environment, http_proxy="http://own") == "own"
    assert chosen("ws://h", **environment, ALL_PROXY="http://all") == "all"
    assert chosen("ws://h", HTTP_PROXY="http://own") == "own"


class WindowsEnvironment(Mapping[str, str]):
    """``os.environ`` where names have no case: stored in upper case, found in any."""

    def __init__(self, **variables: str) -> None:
        self._variables = {name.upper(): value for name, value in variables.items()}

    def __getitem__(self, name: str) -> str:
        return self._variables[name.upper()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def test_names_without_case() -> None:
    uri = parse_uri("ws://h")
    assert proxy_from_environment(uri, WindowsEnvironment(http_proxy="proxy")) == Proxy("http", "proxy", 80)
    forged = WindowsEnvironment(HTTP_PROXY="forged", REQUEST_METHOD="GET")
    assert proxy_from_environment(uri, forged) is None


@pytest.mark.parametrize("value", ["socks4://user:secret@proxy", "http://user:secret@proxy:x"])
def test_a_variable_that_cannot_be_used_is_named(value: str) -> None:
    with pytest.raises(ValueError, match=r"^environment variable all_proxy: proxy") as caught:
        chosen("ws://h", ALL_PROXY=value)
    assert "secret" not in str(caught.value)
    assert chosen("ws://h", ALL_PROXY=value, no_proxy="h") is None


@pytest.mark.parametrize(
    ("rules", "uri"),
    [
        ("*", "ws://example.com"),
        ("other, *", "ws://example.com"),
        ("example.com", "ws://example.com"),
        ("Example.COM", "ws://example.com"),
        ("example.com", "ws://EXAMPLE.com:81"),
        ("example.com", "ws://a.b.example.com"),
        (".example.com", "ws://example.com"),
        (".example.com", "ws://a.example.com"),
        ("*.example.com", "ws://a.example.com"),
        ("example.com.", "ws://example.com"),
        ("example.com", "ws://example.com."),
        ("a,, b\texample.com", "ws://example.com"),
        ("example.com:80", "ws://example.com"),
        ("example.com:443", "wss://a.example.com"),
        ("example.com:", "ws://example.com"),
        ("127.0.0.1", "ws://127.0.0.1:8765"),
        ("127.0.0.1:8765", "ws://127.0.0.1:8765"),
        ("10.0.0.0/8", "ws://10.1.2.3"),
        ("10.1.2.3/8", "ws://10.200.0.1"),
        ("10.0.0.0/8:80", "ws://10.1.2.3"),
        ("::1", "ws://[::1]:8765"),
        ("[::1]", "ws://[::1]:8765"),
        ("[::1]:8765", "ws://[::1]:8765"),
        ("fe80::/10", "ws://[fe80::1]"),
        ("localhost", "ws://localhost"),
    ],
)
def test_exceptions(rules: str, uri: str) -> None:
    assert chosen(uri, **ALL, no_proxy=rules) is None
    assert chosen(uri, **ALL, NO_PROXY=rules) is None


@pytest.mark.parametrize(
    ("rules", "uri"),
    [
        ("", "ws://example.com"),
        (" , ", "ws://example.com"),
        (".", "ws://example.com"),
        (":80", "ws://example.com"),
        ("*.", "ws://example.com"),
        ("ample.com", "ws://example.com"),
        ("example.com", "ws://example.com.evil"),
        ("a.example.com", "ws://example.com"),
        ("example.com:81", "ws://example.com"),
        ("example.com:443", "ws://example.com"),
        ("example.com:8x", "ws://example.com"),
        ("0.0.1", "ws://127.0.0.1"),  # a suffix, but an address has none
        ("127.0.0.1:81", "ws://127.0.0.1"),
        ("127.0.0.1", "ws://localhost"),
        ("10.0.0.0/8", "ws://11.0.0.1"),
        ("10.0.0.0/8", "ws://[::1]"),
        ("10.0.0.0/99", "ws://10.0.0.1"),
        ("[fe80::]/10", "ws://[fe80::1]"),
        ("fe80::1:80", "ws://[fe80::1]"),
    ],
)
def test_no_exceptions(rules: str, uri: str) -> None:
    assert chosen(uri, **ALL, no_proxy=rules) is not None


@given(rules=st.text(), uri=st.sampled_from(["ws://example.com", "ws://127.0.0.1", "ws://[::1]"]))
def test_any_rules_are_read(rules: str, uri: str) -> None:
    assert chosen(uri, **ALL, no_proxy=rules) in ("ws", None)


def test_what_the_option_means() -> None:
    uri = parse_uri("ws://h")
    environment = {"ws_proxy": "http://named"}
    proxy = Proxy("http", "proxy", 80)
    assert choose_proxy(None, uri, environment) is None
    assert choose_proxy(False, uri, environment) is None
    assert choose_proxy(True, uri, environment) == Proxy("http", "named", 80)
    assert choose_proxy(proxy, uri, environment) is proxy
    assert choose_proxy("proxy", uri, environment) == proxy
