"""What encryption needs to know, without the library that does it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final, Literal

from .envelope import AES_256_GCM, CHACHA20_POLY1305
from .keys import KeyRing

__all__ = ["Encrypt"]

_FLAGS: Final = MappingProxyType({"aes-256-gcm": AES_256_GCM, "chacha20-poly1305": CHACHA20_POLY1305})


@dataclass(frozen=True, slots=True)
class Encrypt:
    """How to encrypt messages: with keys that both ends have, and nobody else. It needs ``wsproto-core[crypto]``.

    ``cipher`` is the one to seal with; what is sealed with the other is opened as well. AES is the faster one on
    processors with instructions for it, ChaCha20 is made for others (RFC 8439 §1). Raises :exc:`ImportError` if
    ``cryptography`` is not there, :exc:`ValueError` or :exc:`TypeError`, naming the argument.

    It protects what messages say, between programs that share a key: from proxies and brokers that TLS ends at, for
    instance. It hides neither their number, time and length, nor that a connection ends early. Whoever gets hold of a
    key can read what was recorded under it. TLS does more, and both go together.
    """

    keys: KeyRing
    cipher: Literal["aes-256-gcm", "chacha20-poly1305"] = "aes-256-gcm"
    _: KW_ONLY
    #: Whether to open messages that were sealed before their sender had opened one of ours. Someone who has recorded
    #: such messages can play them to a new connection. Without them nothing of that is possible, but one end of a
    #: connection has to accept them, and the other to speak first: say False where commands are obeyed.
    accepts_early: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.keys, KeyRing):  # pyright: ignore[reportUnnecessaryIsInstance]  # not all callers check types
            raise TypeError(f"keys must be a KeyRing, not {type(self.keys).__name__}")
        if self.cipher not in _FLAGS:
            raise ValueError(f'cipher must be "aes-256-gcm" or "chacha20-poly1305", not {self.cipher!r}')
        if not isinstance(self.accepts_early, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  # not all callers check types
            raise TypeError(f"accepts_early must be True or False, not {self.accepts_early!r}")
        try:
            import_module("cryptography")
        except ImportError:
            words = 'encryption needs the package "cryptography": pip install "wsproto-core[crypto]"'
            raise ImportError(words, name="cryptography") from None

    @property
    def flag(self) -> int:
        """What tells the cipher in an envelope."""
        return _FLAGS[self.cipher]
