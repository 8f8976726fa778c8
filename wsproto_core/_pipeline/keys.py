"""The keys that both ends have, and how they are exchanged for new ones while connections run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Key", "KeyRing"]

_KEY_SIZE: Final = 32
_MAX_ID: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A key of a ring, and its number. Two are the same only if they are one object."""

    id: int
    secret: bytes = field(repr=False)


class KeyRing:
    """Shared keys of 32 random bytes each, by number (0 to 2**32 - 1): one to seal with, all of them to open with.

    ``current`` is the number of the one to seal with; it may be left out if there is only one. Connections look at the
    ring for every message, so they follow a rotation, which takes three steps so that no message is lost between
    machines::

        ring.add(2, os.urandom(32))     # everywhere first: accepted from now on
        ring.use(2)                     # then, one by one: sealed with from now on
        ring.remove(1)                  # and once nobody uses it any more

    Each step takes effect at once, so any number of threads may read the ring while one changes it. Neither ``repr``
    nor an error shows a key. Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument.
    """

    __slots__ = ("_keys", "_sealing_key")

    def __init__(self, keys: Mapping[int, bytes], *, current: int | None = None) -> None:
        if not keys:
            raise ValueError("keys must hold one key at least")
        if current is None and len(keys) > 1:
            raise ValueError("current must name one of the keys, as there are several")
        # Replaced as a whole, never changed: a reader in another thread sees the one or the other.
        self._keys: Mapping[int, Key] = {key_id: _checked(key_id, secret) for key_id, secret in keys.items()}
        self._sealing_key = self._existing("current", next(iter(keys)) if current is None else current)

    @property
    def ids(self) -> tuple[int, ...]:
        """The numbers of all keys, in ascending order."""
        return tuple(sorted(self._keys))

    @property
    def current(self) -> int:
        """The number of the key to seal with."""
        return self._sealing_key.id

    def add(self, key_id: int, key: bytes) -> None:
        """Accept what is sealed with ``key``."""
        if key_id in self._keys:
            raise ValueError(f"key_id {key_id!r} is taken already")
        self._keys = {**self._keys, key_id: _checked(key_id, key)}

    def use(self, key_id: int) -> None:
        """Seal with that key from the next message on."""
        self._sealing_key = self._existing("key_id", key_id)

    def remove(self, key_id: int) -> None:
        """Accept what is sealed with that key no longer. It must not be the one to seal with."""
        if self._existing("key_id", key_id) is self._sealing_key:
            raise ValueError(f"key_id {key_id!r} is the key to seal with: use() another one first")
        self._keys = {number: key for number, key in self._keys.items() if number != key_id}

    def __repr__(self) -> str:
        return f"KeyRing(ids={self.ids}, current={self.current})"

    # --- for channels -------------------------------------------------------------------------------------------------

    @property
    def sealing_key(self) -> Key:
        """The key to seal with."""
        return self._sealing_key

    def find(self, key_id: int) -> Key | None:
        """The key of that number."""
        return self._keys.get(key_id)

    def _existing(self, name: str, key_id: int) -> Key:
        key = self._keys.get(key_id)
        if key is None:
            raise ValueError(f"{name} {key_id!r} is not the number of a key; there are {self.ids}")
        return key


def _checked(key_id: object, secret: object) -> Key:
    """A key. Raises without showing what may be one."""
    if not isinstance(key_id, int) or isinstance(key_id, bool):
        raise TypeError(f"key_id must be an integer, not {type(key_id).__name__}")
    if not 0 <= key_id <= _MAX_ID:
        raise ValueError(f"key_id must be from 0 to {_MAX_ID}, not {key_id}")
    if not isinstance(secret, bytes):
        raise TypeError(f"key {key_id} must be bytes, not {type(secret).__name__}")
    if len(secret) != _KEY_SIZE:
        raise ValueError(f"key {key_id} must be of {_KEY_SIZE} bytes, not {len(secret)}")
    return Key(key_id, secret)
