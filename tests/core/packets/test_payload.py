"""What the application hands over, for every kind of peer."""

from __future__ import annotations

import pytest

from wsproto_core._errors import LocalProtocolError
from wsproto_core._packets.payload import check_goodbye, encode_payload


def test_payloads() -> None:
    assert encode_payload("€", text=False) == encode_payload("€", text=True) == "€".encode()
    assert encode_payload(memoryview(b"\xff"), text=False) == b"\xff"
    with pytest.raises(LocalProtocolError, match="not UTF-8 at byte 2"):
        encode_payload(b"ab\xe2", text=True)
    with pytest.raises(TypeError, match="message"):
        encode_payload(None, text=True)  # type: ignore[arg-type]  # the caller lies on purpose


def test_goodbyes() -> None:
    assert check_goodbye(1000, "bye") == b"\x03\xe8bye"
    assert check_goodbye(1005, "") == b""
    for code, reason in ((1006, ""), (1005, "why"), (1000, "x" * 124)):
        with pytest.raises(LocalProtocolError):
            check_goodbye(code, reason)
