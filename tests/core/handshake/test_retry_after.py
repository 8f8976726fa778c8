"""``Retry-After`` as seconds, without a clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core import Headers
from wsproto_core._handshake.retry_after import retry_after

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("9" * 400, float("inf")),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        ("Mon, 07 Nov 1994 08:49:37 GMT", 86_400.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),  # it is over
    ],
)
def test_what_it_says(value: str, seconds: float) -> None:
    assert retry_after(Headers({"Retry-After": value, "Date": DATE})) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "-1",
        "1.5",
        "soon",
        "١٢",  # digits, but not ASCII's
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Thu, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",
    ],
)
def test_what_says_nothing(value: str) -> None:
    assert retry_after({"retry-after": value, "date": DATE}) is None


def test_nothing_is_said_where_there_is_nothing_to_count_from() -> None:
    assert retry_after(Headers()) is None
    assert retry_after(Headers({"Retry-After": DATE})) is None
    assert retry_after(Headers({"Retry-After": DATE, "Date": "yesterday"})) is None
    assert retry_after(Headers([("Retry-After", "1"), ("Retry-After", "2")])) is None


@given(st.text())
def test_any_text_is_seconds_or_nothing(value: str) -> None:
    seconds = retry_after({"retry-after": value, "date": DATE})
    assert seconds is None or seconds >= 0
