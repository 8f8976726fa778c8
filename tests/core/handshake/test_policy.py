"""``_handshake/policy.py``: rules for origins and hosts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.handshake.fakes import FakeExtension
from wsproto_core._handshake.policy import SAME_ORIGIN, OriginRule, ServerPolicy, allows_host, allows_origin


@pytest.mark.parametrize(
    ("rule", "origin", "allowed"),
    [
        ("https://example.com", "https://example.com", True),
        ("https://Example.com", "HTTPS://example.COM", True),
        ("https://example.com", "https://example.com:443", True),
        ("http://example.com:80", "http://example.com", True),
        ("http://[::80]", "http://[::80]", True),
        ("https://example.com", "http://example.com", False),
        ("https://example.com", "https://example.com:80", False),
        ("https://example.com", "https://example.com.evil.org", False),
        ("https://example.com", "https://sub.example.com", False),
        ("https://example.com", "https://example.com, https://evil.org", False),
        ("https://example.com", "", False),
        ("https://example.com", None, False),
        ("null", "null", True),
        ("moz-extension://1234", "moz-extension://1234", True),
        (None, None, True),
        (None, "null", False),
        (None, "https://example.com", False),
        (re.compile(r"https://[a-z]+\.example\.com"), "https://a.example.com", True),
        (re.compile(r"https://[a-z]+\.example\.com"), "https://a.example.com.evil.org", False),
        (re.compile(r".*"), None, False),
        (SAME_ORIGIN, "http://example.com", True),
        (SAME_ORIGIN, "https://EXAMPLE.com", True),
        (SAME_ORIGIN, "https://example.com:8443", False),
        (SAME_ORIGIN, "https://evil.org", False),
        (SAME_ORIGIN, "ftp://example.com", False),
        (SAME_ORIGIN, "https://example.com/path", False),
        (SAME_ORIGIN, "null", False),
        (SAME_ORIGIN, None, False),
    ],
)
def test_origins(rule: OriginRule, origin: str | None, allowed: bool) -> None:
    assert allows_origin(origin, "example.com", [rule]) is allowed


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://localhost:8765", "localhost:8765", True),
        ("http://localhost", "localhost:80", True),
        ("https://localhost", "localhost:443", True),
        ("https://localhost:443", "localhost", True),
        ("https://localhost", "localhost:80", False),
        ("http://localhost:8765", "localhost", False),
        ("http://[::1]:81", "[0:0::1]:81", True),
        ("http://localhost", "", False),
    ],
)
def test_same_origin_understands_default_ports(origin: str, host: str, allowed: bool) -> None:
    assert allows_origin(origin, host, [SAME_ORIGIN]) is allowed


def test_one_rule_is_enough() -> None:
    assert allows_origin(None, "h", ["https://a", None])
    assert not allows_origin("https://b", "h", ["https://a", None])
    assert not allows_origin(None, "h", [])


def test_same_origin_reads_well() -> None:
    assert repr(SAME_ORIGIN) == "SAME_ORIGIN"


@pytest.mark.parametrize(
    ("rule", "host", "port", "allowed"),
    [
        ("example.com", "example.com", None, True),
        ("Example.com", "example.com", 8765, True),
        ("example.com", "example.com.", None, True),
        ("example.com.", "example.com", None, True),
        ("example.com", "sub.example.com", None, False),
        ("example.com", "example.com.evil.org", None, False),
        ("example.com:8765", "example.com", 8765, True),
        ("example.com:8765", "example.com", 8766, False),
        ("example.com:8765", "example.com", None, False),
        ("example.com:443", "example.com", None, True),
        ("example.com:80", "example.com", None, True),
        ("*.example.com", "sub.example.com", None, True),
        ("*.example.com", "a.b.example.com", 81, True),
        ("*.example.com", "example.com", None, False),
        ("*.example.com", ".example.com", None, False),
        ("*.example.com", "evilexample.com", None, False),
        ("*.example.com:81", "a.example.com", 81, True),
        ("*.example.com:81", "a.example.com", 82, False),
        ("[::1]", "::1", 8765, True),
    ],
)
def test_hosts(rule: str, host: str, port: int | None, allowed: bool) -> None:
    assert allows_host(host, port, [rule]) is allowed


@given(st.text())
def test_any_origin_is_judged(origin: str) -> None:
    rules: list[OriginRule] = ["https://example.com", re.compile("null"), SAME_ORIGIN, None]
    assert allows_origin(origin, "example.com", rules) is (origin == "null")


# --- the policy itself ------------------------------------------------------------------------------------------------


def test_defaults_ask_nothing() -> None:
    policy = ServerPolicy()
    assert (policy.origins, policy.hosts, policy.subprotocols, policy.extensions) == (None, None, (), ())


def test_sequences_are_copied() -> None:
    extension = FakeExtension()
    origins: list[OriginRule] = ["https://a"]
    policy = ServerPolicy(origins=origins, hosts=["a"], subprotocols=["chat"], extensions=[extension])
    origins.clear()
    assert (policy.origins, policy.hosts) == (("https://a",), ("a",))
    assert (policy.subprotocols, policy.extensions) == (("chat",), (extension,))


def test_a_callable_stays() -> None:
    def choose(offered: tuple[str, ...]) -> str | None:
        return None

    assert ServerPolicy(subprotocols=choose).subprotocols is choose


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("origins", "https://example.com", TypeError),
        ("origins", [b"https://example.com"], TypeError),
        ("origins", [re.compile(b"https://example.com")], TypeError),
        ("origins", ["example.com"], ValueError),
        ("origins", ["https://example.com/"], ValueError),
        ("origins", ["*"], ValueError),
        ("hosts", "example.com", TypeError),
        ("hosts", ["example com"], ValueError),
        ("hosts", ["example.com:x"], ValueError),
        ("hosts", ["*"], ValueError),
        ("hosts", ["a.*.example.com"], ValueError),
        ("subprotocols", "chat", TypeError),
        ("subprotocols", ["chat", "chat"], ValueError),
        ("extensions", ["permessage-deflate"], TypeError),
        ("extensions", [FakeExtension(), FakeExtension()], ValueError),
    ],
)
def test_rules_that_could_never_match(argument: str, value: object, error: type[Exception]) -> None:
    arguments: dict[str, Any] = {argument: value}
    with pytest.raises(error, match=f"^{argument}"):
        ServerPolicy(**arguments)
