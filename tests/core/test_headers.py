"""Header fields as a multi-dictionary (RFC 9110 §5)."""

from __future__ import annotations

import pytest

from wsproto_core._headers import Headers, HeadersLike

SAMPLE = Headers([("Host", "a"), ("X-Tag", "1"), ("x-tag", "2"), ("Empty", "")])


@pytest.mark.parametrize("name", ["X-Tag", "x-tag", "X-TAG"])
def test_case_does_not_matter(name: str) -> None:
    assert SAMPLE[name] == "1, 2"
    assert SAMPLE.all(name) == ["1", "2"]
    assert name in SAMPLE


def test_what_is_not_there() -> None:
    assert SAMPLE.all("missing") == []
    assert SAMPLE.get("missing") is None
    assert "missing" not in SAMPLE
    with pytest.raises(KeyError, match="Missing"):
        SAMPLE["Missing"]


def test_a_mapping_of_folded_names_and_joined_values() -> None:
    assert dict(SAMPLE) == {"host": "a", "x-tag": "1, 2", "empty": ""}
    assert list(SAMPLE) == ["host", "x-tag", "empty"]
    assert len(SAMPLE) == 3


def test_lines_are_as_given() -> None:
    assert SAMPLE.lines() == (("Host", "a"), ("X-Tag", "1"), ("x-tag", "2"), ("Empty", ""))


@pytest.mark.parametrize(
    "fields",
    [{"A": "1", "B": "2"}, [("A", "1"), ("B", "2")], Headers({"A": "1", "B": "2"})],
    ids=["dict", "list", "own"],
)
def test_made_of(fields: HeadersLike) -> None:
    assert Headers(fields).lines() == (("A", "1"), ("B", "2"))


def test_nothing() -> None:
    assert len(Headers()) == 0
    assert Headers().lines() == ()


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (Headers({"A": "1"}), Headers({"a": "1"}), True),
        (Headers({"A": "1"}), Headers({"A": "2"}), False),
        (Headers([("A", "1"), ("B", "2")]), Headers([("B", "2"), ("A", "1")]), False),
        (Headers([("A", "1"), ("A", "2")]), Headers([("A", "1, 2")]), False),
        (Headers({"A": "1"}), {"a": "1"}, False),
    ],
    ids=["case of names", "values", "order", "lines", "another type"],
)
def test_equality(one: Headers, other: object, equal: bool) -> None:
    assert (one == other) is equal
    assert not equal or hash(one) == hash(other)


@pytest.mark.parametrize("value", ["plain", "tab\tinside", "Latin-1 é \xff", "", "  padded\t"], ids=repr)
def test_values_lose_the_space_around_them_and_nothing_else(value: str) -> None:
    """RFC 9110 §5.5."""
    assert Headers({"A": value})["A"] == value.strip(" \t")


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\nb", "a\rb", "a\0b", "\x7f", "\x1f", "€"], ids=ascii)
def test_a_value_cannot_break_out_of_its_line(value: str) -> None:
    with pytest.raises(ValueError, match=r"the value of header 'A' .*RFC 9110 §5\.5"):
        Headers({"A": value})


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\n", "é", "a\r\nb", "(a)", "a\0"], ids=ascii)
def test_a_name_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not a token \(RFC 9110 §5\.6\.2\)"):
        Headers([(name, "value")])


def test_every_character_of_a_token_is_a_name() -> None:
    name = "!#$%&'*+-.^_`|~09azAZ"
    assert Headers({name: "1"})[name] == "1"


def test_repr_shows_no_secret() -> None:
    secrets = {name: "s3cr3t" for name in ("Authorization", "proxy-authorization", "Cookie", "SET-COOKIE")}
    shown = repr(Headers({"Host": "here", **secrets}))
    assert "s3cr3t" not in shown
    assert shown.startswith("Headers([('Host', 'here'), ('Authorization', '<hidden>')")
