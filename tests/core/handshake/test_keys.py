"""``_handshake/keys.py``: the key and the token that answers it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.handshake.fakes import KEY, TOKEN
from wsproto_core._handshake.keys import accept_token, is_valid_key, make_key


def test_example_of_the_rfc() -> None:
    assert accept_token(KEY) == TOKEN  # RFC 6455 §1.3


def test_key_is_made_of_16_bytes_of_entropy() -> None:
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return b"the sample nonce"

    assert make_key(entropy) == KEY
    assert asked == [16]


@given(st.binary(min_size=16, max_size=16))
def test_every_16_bytes_are_a_valid_key(nonce: bytes) -> None:
    assert is_valid_key(base64.b64encode(nonce).decode())


@given(st.binary(max_size=40).filter(lambda nonce: len(nonce) != 16))
def test_other_sizes_are_not(nonce: bytes) -> None:
    assert not is_valid_key(base64.b64encode(nonce).decode())


@pytest.mark.parametrize(
    "key",
    [
        "",
        KEY[:-2],  # without padding
        KEY + "\n",
        " " + KEY,
        KEY[:-3] + "R==",  # the unused bits are not zero
        KEY[:-3] + "\xe9==",
        KEY.replace("d", "-"),  # the URL-safe alphabet has it, this one does not
        KEY.replace("d", "\n", 1),
        base64.b64encode(bytes(17)).decode(),  # as long as a key, but of 17 bytes
    ],
)
def test_malformed_keys(key: str) -> None:
    assert not is_valid_key(key)


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    assert is_valid_key(text) is False
