"""Close payloads (RFC 6455 §5.5.1). How wrong ones are refused is in ``speedups/test_codec_offences.py``."""

from __future__ import annotations

import pytest

from wsproto_core._codes import CloseCode
from wsproto_core._errors import LocalProtocolError
from wsproto_core._wire.close_payload import decode_close_payload, encode_close_payload

ROWS = [
    (b"", 1005, ""),
    (b"\x03\xe8", 1000, ""),
    (b"\x03\xe9bye", 1001, "bye"),
    (b"\x13\x87" + "Tschüß €😀".encode(), 4999, "Tschüß €😀"),
    (b"\x0b\xb8" + b"x" * 123, 3000, "x" * 123),
]


@pytest.mark.parametrize(("payload", "code", "reason"), ROWS)
def test_decode(payload: bytes, code: int, reason: str) -> None:
    assert decode_close_payload(payload) == (code, reason)


@pytest.mark.parametrize(("payload", "code", "reason"), ROWS)
def test_encode(payload: bytes, code: int, reason: str) -> None:
    assert encode_close_payload(code, reason) == payload


def test_the_reason_may_be_left_out() -> None:
    assert encode_close_payload(CloseCode.GOING_AWAY) == b"\x03\xe9"


@pytest.mark.parametrize(
    ("argument", "code", "reason"),
    [
        ("reason", 1005, "a reason without a code"),
        ("reason", 1000, "x" * 124),
        ("reason", 1000, "é" * 62),
        ("reason", 1000, "\ud800"),
        *[("code", code, "") for code in (-1, 0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65536)],
    ],
)
def test_what_must_not_be_sent_is_the_callers_error(argument: str, code: int, reason: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{argument}: "):
        encode_close_payload(code, reason)
