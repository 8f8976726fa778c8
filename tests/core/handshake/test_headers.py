"""``_handshake/headers.py``: grammars, in both directions."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core._events import BasicCredentials, BearerCredentials
from wsproto_core._handshake.headers import (
    Credentials,
    ExtensionHeader,
    authorization,
    credentials_from,
    format_extensions,
    has_option,
    is_token,
    options,
    parse_extensions,
    parse_subprotocols,
)
from wsproto_core._headers import Headers

TCHAR = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
tokens = st.text(TCHAR, min_size=1, max_size=12)
latin1 = st.text(st.characters(max_codepoint=255))
odd_lists = st.lists(st.text(st.sampled_from(' \t,;="\\ax\xff')) | latin1, max_size=4)
parameters = st.lists(st.tuples(tokens, st.none() | tokens), max_size=3).map(tuple)
extension_headers = st.lists(st.tuples(tokens, parameters), max_size=4).map(tuple)


@given(latin1)
def test_token_is_a_run_of_token_characters(text: str) -> None:
    assert is_token(text) == (text != "" and set(text) <= set(TCHAR))


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        ([""], []),
        (["Upgrade"], ["upgrade"]),
        (["keep-alive, Upgrade"], ["keep-alive", "upgrade"]),
        (["keep-alive", "UPGRADE"], ["keep-alive", "upgrade"]),
        ([" ,,\tkeep-alive\t,, "], ["keep-alive"]),
    ],
)
def test_options(lines: list[str], expected: list[str]) -> None:
    assert options(lines) == expected


def test_has_option_wants_a_whole_element() -> None:
    assert has_option(["keep-alive", "foo, UpGrade"], "upgrade")
    assert not has_option(["upgrade-insecure-requests, up grade"], "upgrade")


# --- subprotocols -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ()),
        (["chat"], ("chat",)),
        (["chat,superchat"], ("chat", "superchat")),
        (["chat , superchat", "", "v12.stomp"], ("chat", "superchat", "v12.stomp")),
        (["Chat, chat"], ("Chat", "chat")),
    ],
)
def test_subprotocols(lines: list[str], expected: tuple[str, ...]) -> None:
    assert parse_subprotocols(lines) == expected


@pytest.mark.parametrize(
    "lines", [[""], [", ,"], ["a b"], ['"chat"'], ["caf\xe9"], ["chat, chat"], ["chat", "chat"], ["a;b"], ["a\x00"]]
)
def test_malformed_subprotocols(lines: list[str]) -> None:
    with pytest.raises(ValueError, match=r"subprotocol|empty"):
        parse_subprotocols(lines)


@given(st.lists(tokens, min_size=1, unique=True), st.integers(0))
def test_subprotocols_over_lines_are_one_list(names: list[str], seed: int) -> None:
    at = seed % (len(names) + 1)
    lines = [", ".join(names[:at]), ",".join(names[at:])]
    assert parse_subprotocols(lines) == tuple(names)


@given(odd_lists)
def test_odd_subprotocols_are_parsed_or_refused(lines: list[str]) -> None:
    try:
        names = parse_subprotocols(lines)
    except ValueError:
        return
    assert all(map(is_token, names))
    assert bool(names) == bool(lines)


# --- extensions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ()),
        (["foo"], (("foo", ()),)),
        (["foo, bar; baz=2"], (("foo", ()), ("bar", (("baz", "2"),)))),  # RFC 6455 §9.1
        (["a", "", "b"], (("a", ()), ("b", ()))),
        ([",, a\t;\tx ; y = 1 ,, b , "], (("a", (("x", None), ("y", "1"))), ("b", ()))),
        (['a; x="10"'], (("a", (("x", "10"),)),)),
        (['a; x="1\\0"; y'], (("a", (("x", "10"), ("y", None))),)),
        (["a; x; x=1"], (("a", (("x", None), ("x", "1"))),)),
    ],
)
def test_extensions(lines: list[str], expected: tuple[ExtensionHeader, ...]) -> None:
    assert parse_extensions(lines) == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        " , ",
        ";",
        "a;",
        "a; ",
        "a;;b",
        "a; x=",
        "a; =1",
        "a b",
        "a; x y",
        "a; x=1 2",
        'a; x=""',
        'a; x="',
        'a; x="1',
        'a; x="1\\"',
        'a; x="1 2"',
        'a; x="1,2"',
        'a; x="1"2',
        '"a"',
        "a; x=(1)",
        "caf\xe9",
        "a\n",
        'a; x="\n"',
    ],
)
def test_malformed_extensions(line: str) -> None:
    with pytest.raises(ValueError, match=r"expected|empty"):
        parse_extensions([line])


def test_a_quoted_string_does_not_run_into_the_next_line() -> None:
    with pytest.raises(ValueError, match="position 5"):
        parse_extensions(['a; x="1', '2"'])


@given(extension_headers)
def test_extensions_survive_the_round_trip(elements: tuple[ExtensionHeader, ...]) -> None:
    assert parse_extensions([format_extensions(elements)] if elements else []) == elements


@given(odd_lists)
def test_odd_extensions_are_parsed_or_refused(lines: list[str]) -> None:
    try:
        elements = parse_extensions(lines)
    except ValueError:
        return
    assert parse_extensions([format_extensions(elements)] if elements else []) == elements


@pytest.mark.parametrize(
    "line",
    [
        "," * 60_000,
        "a" + " " * 60_000 + "\x00",
        'a; x="' + "\\" * 60_001,
        'a; x="' + "a" * 60_000,
        "a; x" + "; x" * 20_000 + "=",
        "=" * 60_000,
    ],
)
def test_long_hostile_lines_are_refused(line: str) -> None:
    # Quadratic time would run into the suite's timeout here.
    with pytest.raises(ValueError, match=r"expected|empty"):
        parse_extensions([line] * 20)


@pytest.mark.parametrize(
    "element", [("a b", ()), ("", ()), ("a", (("x y", None),)), ("a", (("x", ""),)), ("a", (("x", "\r\n"),))]
)
def test_only_tokens_are_written(element: ExtensionHeader) -> None:
    with pytest.raises(ValueError, match="not a token"):
        format_extensions([element])


# --- credentials ------------------------------------------------------------------------------------------------------


def basic(text: str | bytes, scheme: str = "Basic") -> Headers:
    encoded = base64.b64encode(text.encode() if isinstance(text, str) else text).decode()
    return Headers([("Authorization", f"{scheme} {encoded}")])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (Headers(), None),
        (basic("Aladdin:open sesame"), BasicCredentials("Aladdin", "open sesame")),  # RFC 7617 §2
        (basic("test:123\xa3"), BasicCredentials("test", "123\xa3")),  # RFC 7617 §2.1
        (basic("a:b:c"), BasicCredentials("a", "b:c")),
        (basic(":"), BasicCredentials("", "")),
        (basic("a:b", "bAsIc"), BasicCredentials("a", "b")),
        (basic("no colon"), None),
        (basic("a:b\n"), None),
        (basic("a\x7f:b"), None),
        (basic(b"a:\xff"), None),
        (Headers([("Authorization", "Basic Og")]), None),
        (Headers([("Authorization", "Basic O=g=")]), None),
        (Headers([("Authorization", "Basic \xe9")]), None),
        (Headers([("Authorization", "Basic")]), None),
        (Headers([("Authorization", "")]), None),
        (Headers([("Authorization", "Bearer mF_9.B5f-4.1JqM")]), BearerCredentials("mF_9.B5f-4.1JqM")),  # RFC 6750 §2.1
        (Headers([("Authorization", "bearer   abc==")]), BearerCredentials("abc==")),
        (Headers([("Authorization", "Bearer a b")]), None),
        (Headers([("Authorization", "Bearer =")]), None),
        (Headers([("Authorization", "Bearer")]), None),
        (Headers([("Authorization", 'Digest username="a"')]), None),
        (Headers([("Authorization", "Bearer a"), ("authorization", "Bearer a")]), None),
    ],
)
def test_credentials(headers: Headers, expected: Credentials | None) -> None:
    assert credentials_from(headers.all("authorization")) == expected


@given(latin1 | st.builds("{} {}".format, st.sampled_from(["Basic", "Bearer"]), latin1))
def test_odd_credentials_are_read_or_ignored(text: str) -> None:
    try:
        headers = Headers([("Authorization", text)])
    except ValueError:
        return
    found = credentials_from(headers.all("authorization"))
    assert found is None or credentials_from([authorization(found)]) == found


printable = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]))


@given(st.builds(BasicCredentials, printable.map(lambda text: text.replace(":", "")), printable))
def test_basic_credentials_survive_the_round_trip(credentials: BasicCredentials) -> None:
    assert credentials_from([authorization(credentials)]) == credentials


def test_bearer_credentials_survive_the_round_trip() -> None:
    assert authorization(BearerCredentials("abc.def")) == "Bearer abc.def"


@pytest.mark.parametrize(
    "credentials",
    [
        BasicCredentials("us:er", "secret"),
        BasicCredentials("user", "secret\n"),
        BasicCredentials("us\x00er", "secret"),
        BasicCredentials("user", "secret\ud800"),
        BearerCredentials("secret\r\n"),
        BearerCredentials("secret secret"),
        BearerCredentials(""),
    ],
)
def test_impossible_credentials_are_refused_without_showing_them(credentials: Credentials) -> None:
    with pytest.raises(ValueError, match="credentials") as caught:
        authorization(credentials)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
