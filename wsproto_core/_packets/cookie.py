"""Proof that whoever wrote an address into a datagram receives what is sent there, without keeping anything for it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final

from .packet import TOKEN_SIZE

__all__ = ["CookieJar"]

_KEY_SIZE: Final = 32
#: Seconds that share a cookie; it is good for this time, and up to as long again.
_SLOT: Final = 30.0
#: What a client brings that has none yet.
_NO_COOKIE: Final = bytes(TOKEN_SIZE)


class CookieJar:
    """Makes and recognises cookies: HMAC-SHA-256 over address and time, under a key that nobody else has."""

    __slots__ = ("_key",)

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._key = entropy(_KEY_SIZE)

    def cookie(self, address: object, now: float) -> bytes:
        """The cookie for ``address``, of which the ``repr`` counts; 16 bytes."""
        return self._bake(address, int(now // _SLOT))

    def is_valid(self, cookie: bytes, address: object, now: float) -> bool:
        """Whether ``cookie`` was made for ``address`` lately, in a time that does not tell how much of it is right."""
        if cookie == _NO_COOKIE:
            return False
        slot = int(now // _SLOT)
        is_fresh = hmac.compare_digest(cookie, self._bake(address, slot))
        return is_fresh or hmac.compare_digest(cookie, self._bake(address, slot - 1))

    def _bake(self, address: object, slot: int) -> bytes:
        return hmac.digest(self._key, f"{slot} {address!r}".encode(), "sha256")[:TOKEN_SIZE]
