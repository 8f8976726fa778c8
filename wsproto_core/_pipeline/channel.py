"""Encryption for one side of one connection (``envelope``, sections 2 and 3).

This is the only module that imports ``cryptography``, and nobody imports it who does not encrypt.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .._errors import MessageTooLarge, RemoteProtocolError
from .._types import Role
from .._violations import Violation
from .encryption import Encrypt
from .envelope import AES_256_GCM, BOUND, CIPHER, FROM_SERVER, HEAD, SESSION_ID_SIZE, VERSION
from .keys import Key
from .replay import InOrder, Window

__all__ = ["Channel"]

_KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 12
_PURPOSE: Final = b"wsproto_core pipeline 1"
#: The most that ``cryptography`` takes at once.
_MAX_SIZE: Final = 2**31 - 1


class Channel:
    """The session of this side, and what is known of the other's."""

    __slots__ = (
        "_config",
        "_context",
        "_counters",
        "_guard",
        "_opening",
        "_peer_id",
        "_role_flag",
        "_sealing",
        "_session_id",
        "peer_is_live",
    )

    def __init__(
        self, config: Encrypt, entropy: Callable[[int], bytes], *, role: Role, ordered: bool, context: bytes
    ) -> None:
        self._config = config
        self._context = context
        self._role_flag = FROM_SERVER if role is Role.SERVER else 0
        self._session_id = entropy(SESSION_ID_SIZE)
        # Not a plain number: even two threads that forget the lock must not draw the same one, for it is the nonce.
        self._counters = count()
        self._peer_id: bytes | None = None
        self._guard = InOrder() if ordered else Window()
        #: Whether the peer has sealed a message for this very session.
        self.peer_is_live: bool = False
        # The latest session key of either direction.
        self._sealing: _SessionKey | None = None
        self._opening: _SessionKey | None = None

    def encrypt(self, flags: int, payload: bytes) -> bytes:
        """An envelope with ``payload``. Raises :exc:`MessageTooLarge` for more than a cipher takes."""
        if len(payload) > _MAX_SIZE:
            raise MessageTooLarge(f"message: {len(payload)} bytes, and a cipher takes {_MAX_SIZE}")
        flags |= self._config.flag | self._role_flag | (0 if self._peer_id is None else BOUND)
        sealing = self._sealing_key()
        counter = next(self._counters)
        head = HEAD.pack(VERSION, flags, sealing.key.id, self._session_id, counter)
        return head + sealing.cipher.encrypt(_nonce(counter), payload, head + (self._peer_id or b""))

    def decrypt(self, flags: int, data: bytes) -> bytes:
        """The payload of an envelope with a cipher in its ``flags``. Nothing changes if it raises
        :exc:`RemoteProtocolError`: ``UNKNOWN_KEY``, ``BROKEN_SEAL``, ``REFLECTED_MESSAGE``, ``REPLAYED_MESSAGE`` or
        ``MESSAGE_TOO_BIG``.
        """
        if len(data) > _MAX_SIZE:
            raise RemoteProtocolError(Violation.MESSAGE_TOO_BIG, f"a cipher takes {_MAX_SIZE} bytes")
        _, _, key_id, session_id, counter = HEAD.unpack_from(data)
        self._check_sender(flags, session_id)
        opening = self._opening_key(flags, key_id, session_id)
        head = data[: HEAD.size]
        bound_to = self._session_id if flags & BOUND else b""
        try:
            payload = opening.cipher.decrypt(_nonce(counter), memoryview(data)[HEAD.size :], head + bound_to)
        except InvalidTag:
            raise RemoteProtocolError(Violation.BROKEN_SEAL, f"key {key_id}") from None
        self._guard.take(counter)
        self._peer_id = session_id
        self.peer_is_live = self.peer_is_live or bool(flags & BOUND)
        return payload

    def _check_sender(self, flags: int, session_id: bytes) -> None:
        """What can be refused without a key."""
        if flags & FROM_SERVER == self._role_flag:
            raise RemoteProtocolError(Violation.REFLECTED_MESSAGE)
        if self._peer_id is not None and session_id != self._peer_id:
            raise RemoteProtocolError(Violation.REPLAYED_MESSAGE, "it is of another session")
        if not flags & BOUND and not self._config.accepts_early:
            raise RemoteProtocolError(Violation.REPLAYED_MESSAGE, "it is early, and early messages are not accepted")

    def _sealing_key(self) -> _SessionKey:
        key = self._config.keys.sealing_key
        if self._sealing is None or self._sealing.key is not key:
            self._sealing = _SessionKey(key, self._session_id, self._config.flag, self._context)
        return self._sealing

    def _opening_key(self, flags: int, key_id: int, session_id: bytes) -> _SessionKey:
        key = self._config.keys.find(key_id)
        if key is None:
            raise RemoteProtocolError(Violation.UNKNOWN_KEY, f"key {key_id}")
        if self._opening is None or not self._opening.fits(key, session_id, flags & CIPHER):
            self._opening = _SessionKey(key, session_id, flags & CIPHER, self._context)
        return self._opening


class _SessionKey:
    """What a key of the ring becomes for one session (``envelope``, section 2)."""

    __slots__ = ("_flag", "_session_id", "cipher", "key")

    def __init__(self, key: Key, session_id: bytes, flag: int, context: bytes) -> None:
        info = _PURPOSE + bytes((flag,)) + context
        derived = HKDF(algorithm=SHA256(), length=_KEY_SIZE, salt=session_id, info=info).derive(key.secret)
        self.key = key
        self.cipher = AESGCM(derived) if flag == AES_256_GCM else ChaCha20Poly1305(derived)
        self._session_id = session_id
        self._flag = flag

    def fits(self, key: Key, session_id: bytes, flag: int) -> bool:
        """Whether it was made of these."""
        return self.key is key and self._session_id == session_id and self._flag == flag


def _nonce(counter: int) -> bytes:
    return counter.to_bytes(_NONCE_SIZE, "big")
