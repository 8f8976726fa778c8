"""The table of offences. That each one is found is proved where it is found."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from wsproto_core._codes import is_wire_code
from wsproto_core._violations import Violation


@pytest.mark.parametrize("violation", Violation, ids=lambda row: row.name)
def test_every_row_is_complete(violation: Violation) -> None:
    assert re.fullmatch(r"(RFC \d+|stream codecs|PROXY protocol|pipeline) §\d+(\.\d+)*", violation.section)
    assert violation.words
    assert not violation.words.endswith(".")
    assert str(violation) == f"{violation.words} ({violation.section})"


@pytest.mark.parametrize("violation", Violation, ids=lambda row: row.name)
def test_the_answer_is_a_close_code_that_may_be_sent_or_an_http_status_or_none(violation: Violation) -> None:
    if violation.http_status is not None:
        assert HTTPStatus(violation.http_status) >= 400
        assert violation.close_code == 1006
    else:
        assert violation.close_code == violation.answer
        assert is_wire_code(violation.answer) or violation.answer == 1006


@pytest.mark.parametrize(
    ("violation", "code"),
    [
        (Violation.RESERVED_OPCODE, 1002),
        (Violation.INVALID_UTF8, 1007),
        (Violation.CLOSE_REASON_INVALID_UTF8, 1007),
        (Violation.CORRUPT_COMPRESSION, 1007),
        (Violation.MESSAGE_TOO_BIG, 1009),
        (Violation.INFLATE_RATIO, 1009),
        (Violation.CONTROL_FLOOD, 1008),
        (Violation.BAD_ACCEPT, 1006),
    ],
)
def test_close_codes(violation: Violation, code: int) -> None:
    assert violation.close_code == code
    assert violation.http_status is None


@pytest.mark.parametrize(
    ("violation", "status"),
    [(Violation.BAD_REQUEST, 400), (Violation.UNSUPPORTED_VERSION, 426), (Violation.HEADERS_TOO_BIG, 431)],
)
def test_http_statuses(violation: Violation, status: int) -> None:
    assert violation.http_status == status


def test_no_two_rows_say_the_same() -> None:
    assert len({violation.words for violation in Violation}) == len(Violation)
