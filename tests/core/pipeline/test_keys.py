"""Key rings, and connections that follow their rotation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.pipeline.kit import CIPHERS, KEY, OTHER_KEY, connect, refusal
from wsproto_core import Encrypt, KeyRing, Pipeline, Violation


def test_the_only_key_is_the_current_one() -> None:
    keys = KeyRing({7: KEY})
    assert (keys.ids, keys.current) == ((7,), 7)


def test_ids_are_sorted() -> None:
    assert KeyRing({3: KEY, 1: OTHER_KEY}, current=3).ids == (1, 3)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_a_rotation_loses_nothing(cipher: Any) -> None:
    """Two machines, a ring each, in the middle of a conversation."""
    mine, yours = KeyRing({1: KEY}), KeyRing({1: KEY})
    ends = connect(Pipeline(encrypt=Encrypt(mine, cipher)), Pipeline(encrypt=Encrypt(yours, cipher)))
    ends.server.open(ends.client.seal("before"))
    mine.add(2, OTHER_KEY)
    yours.add(2, OTHER_KEY)
    on_the_way = ends.server.seal("sealed with the old key")
    yours.use(2)
    assert ends.client.open(on_the_way) == "sealed with the old key"
    sealed = ends.server.seal("sealed with the new one")
    assert int.from_bytes(sealed[2:6], "big") == 2
    assert ends.client.open(sealed) == "sealed with the new one"
    assert ends.server.open(ends.client.seal("still the old one")) == "still the old one"
    mine.use(2)
    mine.remove(1)
    yours.remove(1)
    assert ends.server.open(ends.client.seal("after")) == "after"
    assert ends.client.open(ends.server.seal("after")) == "after"


def test_a_removed_key_opens_nothing_even_in_a_running_connection() -> None:
    mine, yours = KeyRing({1: KEY}), KeyRing({1: KEY, 2: OTHER_KEY}, current=2)
    ends = connect(Pipeline(encrypt=Encrypt(mine)), Pipeline(encrypt=Encrypt(yours)))
    ends.server.open(ends.client.seal("before"))
    yours.remove(1)
    assert refusal(ends.server, ends.client.seal("after")) is Violation.UNKNOWN_KEY


def test_a_number_can_be_given_to_another_key() -> None:
    """A connection that knew the old one does not go on with it."""
    keys = KeyRing({1: KEY, 2: OTHER_KEY}, current=1)
    ends = connect(Pipeline(encrypt=Encrypt(KeyRing({1: KEY}))), Pipeline(encrypt=Encrypt(keys)))
    ends.server.open(ends.client.seal("before"))
    keys.use(2)
    keys.remove(1)
    keys.add(1, bytes(32))
    assert refusal(ends.server, ends.client.seal("after")) is Violation.BROKEN_SEAL


def test_no_key_shows() -> None:
    keys = KeyRing({1: b"K" * 32, 2: b"Q" * 32}, current=2)
    pipeline = Pipeline(encrypt=Encrypt(keys))
    assert repr(keys) == "KeyRing(ids=(1, 2), current=2)"
    shown = f"{pipeline!r} {keys.sealing_key!r} {keys.find(1)!r} {connect(pipeline).client!r} {keys}"
    assert "KKK" not in shown
    assert "QQQ" not in shown


@pytest.mark.parametrize(
    "secret", ["S" * 32, b"S" * 31, bytearray(b"S" * 32), 12345], ids=["str", "short", "mutable", "int"]
)
def test_a_wrong_key_is_not_shown_either(secret: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="key 5 must be") as caught:
        KeyRing({5: secret})
    assert "SSS" not in str(caught.value)
    assert "12345" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "current", "error", "words"),
    [
        ({}, None, ValueError, "keys must hold one key at least"),
        ({1: KEY, 2: KEY}, None, ValueError, "current must name one of the keys"),
        ({1: KEY}, 2, ValueError, r"current 2 is not the number of a key; there are \(1,\)"),
        ({-1: KEY}, None, ValueError, "key_id must be from 0 to 4294967295, not -1"),
        ({2**32: KEY}, None, ValueError, "key_id must be from 0 to 4294967295, not 4294967296"),
        ({"1": KEY}, None, TypeError, "key_id must be an integer, not str"),
        ({True: KEY}, None, TypeError, "key_id must be an integer, not bool"),
    ],
)
def test_wrong_rings(keys: Any, current: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        KeyRing(keys, current=current)


def test_wrong_steps_change_nothing() -> None:
    keys = KeyRing({1: KEY})
    with pytest.raises(ValueError, match="key_id 1 is taken already"):
        keys.add(1, OTHER_KEY)
    with pytest.raises(ValueError, match="must be of 32 bytes, not 3"):
        keys.add(2, b"abc")
    with pytest.raises(ValueError, match="key_id 2 is not the number of a key"):
        keys.use(2)
    with pytest.raises(ValueError, match="key_id 2 is not the number of a key"):
        keys.remove(2)
    with pytest.raises(ValueError, match="key_id 1 is the key to seal with"):
        keys.remove(1)
    assert (keys.ids, keys.current, keys.sealing_key.secret) == ((1,), 1, KEY)
