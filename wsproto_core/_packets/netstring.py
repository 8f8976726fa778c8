"""Netstrings: ``5:hello,`` (D. J. Bernstein, 1997; https://cr.yp.to/proto/netstrings.txt)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .._config import Limits
from .._errors import RemoteProtocolError
from .._types import Message
from .._violations import Violation
from .codec import StreamCodec, StreamDecoder
from .prefixed import PrefixedDecoder

__all__ = ["Netstring"]

_ZERO: Final = 0x30
_NINE: Final = 0x39
_COLON: Final = 0x3A
_COMMA: Final = 0x2C
#: Where ``Limits.message_size`` is ``None``, a length still ends here.
_MAX_DIGITS: Final = 19
#: Larger payloads are not copied to stand beside their length.
_JOIN_SIZE: Final = 4096


@dataclass(frozen=True, slots=True)
class Netstring(StreamCodec):
    """Each message as a netstring: its length in decimal, a colon, its bytes, a comma."""

    def encode(self, payload: bytes) -> list[bytes]:
        """The netstring."""
        buffers = [b"%d:" % len(payload), payload, b","]
        return [b"".join(buffers)] if len(payload) <= _JOIN_SIZE else buffers

    def decoder(self, limits: Limits) -> StreamDecoder:
        """A decoder for one connection."""
        return _NetstringDecoder(self, limits)


class _NetstringDecoder(PrefixedDecoder):
    __slots__ = ("_digits", "_unsealed", "_value")

    def __init__(self, codec: Netstring, limits: Limits) -> None:
        super().__init__(codec, limits)
        self._digits = self._value = 0
        # A message of which only the comma is missing.
        self._unsealed: Message | None = None

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._digits > 0 or self._remaining is not None or self._unsealed is not None

    def _missing(self) -> str:
        return super()._missing() if self._unsealed is None else "only its comma had not come"

    def _complete(self, message: Message, messages: list[Message]) -> None:  # noqa: ARG002 - it waits for its comma
        self._unsealed = message

    def _prefix(self, data: bytes, position: int, messages: list[Message]) -> int:
        """Take what lies between two payloads: the comma of the one, the length of the other."""
        if self._unsealed is not None:
            if data[position] != _COMMA:
                raise RemoteProtocolError(Violation.NETSTRING_COMMA, f"byte {data[position]:#04x}")
            messages.append(self._unsealed)
            self._unsealed = None
            return position + 1
        while position < len(data):
            byte = data[position]
            position += 1
            if byte == _COLON and self._digits:
                self._remaining, self._value, self._digits = self._value, 0, 0
                break
            self._take(byte)
        return position

    def _take(self, byte: int) -> None:
        """Take one digit of a length."""
        if not _ZERO <= byte <= _NINE:
            raise RemoteProtocolError(Violation.NETSTRING_LENGTH, f"byte {byte:#04x}")
        if self._digits and not self._value:
            raise RemoteProtocolError(Violation.NETSTRING_LENGTH, "a leading zero")
        if self._digits == _MAX_DIGITS:
            raise RemoteProtocolError(Violation.NETSTRING_LENGTH, f"more than {_MAX_DIGITS} digits")
        self._digits += 1
        self._value = 10 * self._value + byte - _ZERO
        self._check_size(self._value)
