"""Close codes (RFC 6455 §7.4, IANA's WebSocket Close Code Number Registry)."""

from __future__ import annotations

import pytest

from wsproto_core._codes import CloseCode, describe_close_code, is_wire_code

REGISTERED = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}


def test_what_may_cross_the_wire() -> None:
    """RFC 6455 §7.4.1, §7.4.2: registered and not reserved, or in the ranges for libraries and private use."""
    assert {code for code in range(-1, 0x10001) if is_wire_code(code)} == REGISTERED | set(range(3000, 5000))


def test_the_other_registered_codes_are_only_reported() -> None:
    assert set(CloseCode) - REGISTERED == {1005, 1006, 1015}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1000, "1000 (normal closure)"),
        (CloseCode.GOING_AWAY, "1001 (going away)"),
        (1006, "1006 (no close frame received)"),
        (3000, "3000 (registered by a library or framework)"),
        (3999, "3999 (registered by a library or framework)"),
        (4000, "4000 (private use)"),
        (4999, "4999 (private use)"),
        (2999, "2999 (unassigned)"),
        (5000, "5000 (unassigned)"),
        (1004, "1004 (unassigned)"),
    ],
)
def test_codes_in_words(code: int, words: str) -> None:
    assert describe_close_code(code) == words


@pytest.mark.parametrize("code", CloseCode)
def test_every_registered_code_has_words_of_its_own(code: CloseCode) -> None:
    assert describe_close_code(code) not in {describe_close_code(other) for other in CloseCode if other is not code}
    assert "unassigned" not in describe_close_code(code)
