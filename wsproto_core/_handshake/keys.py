"""``Sec-WebSocket-Key`` and the token that answers it (RFC 6455 §4.1, §4.2.2).

What lives here: three functions of a key. Which header holds it, and how often, is for ``server`` and ``client``.
"""

from __future__ import annotations

import hashlib
import re
from binascii import b2a_base64
from collections.abc import Callable
from typing import Final

__all__ = ["accept_token", "is_valid_key", "make_key"]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_NONCE_SIZE: Final = 16
#: The last character that counts holds two bits of the nonce, and the others of it are zero.
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")


def make_key(entropy: Callable[[int], bytes]) -> str:
    """A new key: 16 bytes from ``entropy`` in base64 (RFC 6455 §4.1)."""
    return b2a_base64(entropy(_NONCE_SIZE), newline=False).decode("ascii")


def accept_token(key: str) -> str:
    """What ``Sec-WebSocket-Accept`` must say to a key (RFC 6455 §4.2.2). The key is ASCII."""
    # The protocol prescribes SHA-1, and nothing secret rests on it (RFC 6455 §10.8).
    digest = hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return b2a_base64(digest, newline=False).decode("ascii")


def is_valid_key(key: str) -> bool:
    """Whether ``key`` is base64, in its one canonical spelling, of exactly 16 bytes."""
    return _KEY.fullmatch(key) is not None
