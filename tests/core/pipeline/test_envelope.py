"""Sealed messages byte by byte, opened and made without the code under test."""

from __future__ import annotations

import hmac
import struct
import zlib
from typing import Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from tests.core.pipeline.kit import KEY, connect, encrypting, entropy, refusal, ring
from wsproto_core import Compress, Encrypt, Limits, Pipeline, Role, Violation

TEXT, ZLIB, ZSTD, AES, CHACHA, SERVER, BOUND = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40
PLAIN: Final = Pipeline(Compress())


def session_key(session_id: bytes, cipher: int, context: bytes = b"", key: bytes = KEY) -> bytes:
    """HKDF-SHA-256 for 32 bytes (RFC 5869 §2)."""
    extracted = hmac.digest(session_id, key, "sha256")
    return hmac.digest(extracted, b"wsproto_core pipeline 1" + bytes([cipher]) + context + b"\x01", "sha256")


def head(flags: int, session_id: bytes, counter: int = 0, key_id: int = 1) -> bytes:
    return b"\x01" + bytes([flags]) + struct.pack("!I", key_id) + session_id + struct.pack("!Q", counter)


@pytest.mark.parametrize(
    ("message", "envelope"),
    [
        ("", b"\x01\x01"),
        (b"", b"\x01\x00"),
        ("é", b"\x01\x01\xc3\xa9"),
        (bytearray(b"ab"), b"\x01\x00ab"),
        (memoryview(b"ab"), b"\x01\x00ab"),
        ("x" * 1000, b"\x01\x03" + zlib.compress(b"x" * 1000, 6, wbits=-15)),
    ],
)
def test_not_encrypted(message: str | bytes, envelope: bytes) -> None:
    ends = connect(PLAIN)
    assert ends.client.seal(message) == envelope
    assert ends.server.open(envelope) == message


def test_an_envelope_made_by_the_library_opens_by_hand() -> None:
    pipeline = Pipeline(Compress(), Encrypt(ring()))
    ends = connect(pipeline, contexts=(b"ctx", b"ctx"))
    first = ends.client.seal("x" * 1000)
    session_id = entropy(0)(16)
    assert first[:30] == head(TEXT | ZLIB | AES, session_id)
    cipher = AESGCM(session_key(session_id, AES, b"ctx"))
    assert zlib.decompress(cipher.decrypt(bytes(12), first[30:], first[:30]), -15) == b"x" * 1000
    ends.server.open(first)

    answer = ends.server.seal(b"answer")
    random = entropy(0)
    own_id, server_id = random(16), random(16)
    assert answer[:30] == head(AES | SERVER | BOUND, server_id)
    cipher = AESGCM(session_key(server_id, AES, b"ctx"))
    assert cipher.decrypt(bytes(12), answer[30:], answer[:30] + own_id) == b"answer"
    ends.client.open(answer)

    second = ends.client.seal(b"")
    assert second[:30] == head(AES | BOUND, own_id, counter=1)
    assert len(second) == 30 + 16


def test_envelopes_made_by_hand_open() -> None:
    """Either cipher, whatever this side seals with; and none of it depends on what the library seals."""
    session = encrypting().session(entropy(0), role=Role.SERVER, limits=Limits(), ordered=True)
    own_id, session_id = entropy(0)(16), bytes(range(16))
    first = head(TEXT | CHACHA, session_id)
    first += ChaCha20Poly1305(session_key(session_id, CHACHA)).encrypt(bytes(12), b"hello", first)
    assert session.open(first) == "hello"
    second = head(AES | BOUND, session_id, counter=1)
    second += AESGCM(session_key(session_id, AES)).encrypt(bytes(11) + b"\x01", b"\x00\xff", second + own_id)
    assert session.open(second) == b"\x00\xff"
    assert session.peer_is_live


@pytest.mark.parametrize(
    "data",
    [
        "text",
        b"",
        b"\x01",
        b"\x00\x00",
        b"\x02\x00",
        b"hello",
        b"\x01\x80",
        b"\x01\x06",  # two compressions
        b"\x01\x20",  # roles are for encrypted messages
        b"\x01\x40",
        b"\x01\x18" + bytes(100),  # two ciphers
        b"\x01\x08" + bytes(43),  # no room for the tag
    ],
)
def test_what_is_not_sealed(data: str | bytes) -> None:
    for pipeline in (PLAIN, encrypting()):
        assert refusal(connect(pipeline).server, data) is Violation.NOT_SEALED


def test_encryption_cannot_be_left_out_nor_guessed() -> None:
    plain, encrypted = connect(PLAIN), connect(encrypting())
    assert refusal(encrypted.server, plain.client.seal("hi")) is Violation.NOT_SEALED
    assert refusal(plain.server, encrypted.client.seal("hi")) is Violation.NOT_SEALED


@pytest.mark.parametrize(
    ("violation", "code"),
    [
        (Violation.NOT_SEALED, 1008),
        (Violation.UNKNOWN_KEY, 1008),
        (Violation.BROKEN_SEAL, 1008),
        (Violation.REFLECTED_MESSAGE, 1008),
        (Violation.REPLAYED_MESSAGE, 1008),
        (Violation.UNREADABLE_PAYLOAD, 1007),
    ],
)
def test_close_codes(violation: Violation, code: int) -> None:
    assert violation.close_code == code
