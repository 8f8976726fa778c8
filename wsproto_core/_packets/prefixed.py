"""Codecs that tell the length first: in a field of fixed size, or as a varint."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Final, Literal

from .._config import Limits
from .._errors import MessageTooLarge, RemoteProtocolError
from .._types import Message
from .._violations import Violation
from .codec import StreamCodec, StreamDecoder

__all__ = ["LengthPrefixed", "PrefixedDecoder", "VarintPrefixed"]

#: Up to this size prefix and payload are joined; above it they stay apart, because copying would cost more.
_JOIN_SIZE: Final = 4096
_SIZES: Final = (1, 2, 4, 8)
#: LEB128: seven bits of value in a byte, the top bit says that more follow; 64 bits need ten bytes.
_MORE: Final = 0x80
_VALUE: Final = 0x7F
_MAX_VARINT_SIZE: Final = 10


@dataclass(frozen=True, slots=True)
class LengthPrefixed(StreamCodec):
    """Each message behind its length: ``size`` bytes, 1, 2, 4 (the default) or 8, in ``byteorder``, ``"big"`` or
    ``"little"``. The length counts the payload only.

    Raises :exc:`ValueError`, naming the argument.
    """

    size: Literal[1, 2, 4, 8] = 4
    byteorder: Literal["big", "little"] = "big"

    def __post_init__(self) -> None:
        if self.size not in _SIZES:
            raise ValueError(f"size must be 1, 2, 4 or 8, not {self.size!r}")
        if self.byteorder not in ("big", "little"):
            raise ValueError(f"byteorder must be 'big' or 'little', not {self.byteorder!r}")

    @property
    def max_payload(self) -> int:
        """The largest number that the length can tell."""
        return (1 << 8 * self.size) - 1

    def encode(self, payload: bytes) -> list[bytes]:
        """Length and payload. Raises :exc:`MessageTooLarge` for more bytes than the length can tell."""
        try:
            prefix = len(payload).to_bytes(self.size, self.byteorder)
        except OverflowError:
            raise MessageTooLarge(f"message: a length of {self.size} bytes cannot tell {len(payload)} bytes") from None
        return _joined(prefix, payload)

    def decoder(self, limits: Limits) -> StreamDecoder:
        """A decoder for one connection."""
        return _FixedDecoder(self, limits)


@dataclass(frozen=True, slots=True)
class VarintPrefixed(StreamCodec):
    """Each message behind its length in unsigned LEB128, as Protocol Buffers have it: one byte up to 127, two up to
    16 383. Longer spellings of the same number are refused.
    """

    def encode(self, payload: bytes) -> list[bytes]:
        """Length and payload."""
        return _joined(_varint(len(payload)), payload)

    def decoder(self, limits: Limits) -> StreamDecoder:
        """A decoder for one connection."""
        return _VarintDecoder(self, limits)


class PrefixedDecoder(StreamDecoder):
    """What all codecs do that tell the length first."""

    __slots__ = ("_remaining",)

    def __init__(self, codec: StreamCodec, limits: Limits) -> None:
        super().__init__(codec, limits)
        #: Bytes of the payload that are still to come; ``None`` while its length is not known.
        self._remaining: int | None = None

    def _decode(self, data: bytes, messages: list[Message]) -> None:
        position = 0
        while position < len(data):
            remaining = self._remaining
            if remaining is None:
                position = self._prefix(data, position, messages)
                remaining = self._remaining
            if remaining is not None:  # at the end of ``data`` as well: an empty message is complete with its length
                position = self._payload(data, position, remaining, messages)

    def _payload(self, data: bytes, position: int, remaining: int, messages: list[Message]) -> int:
        """Take what has come of a payload; return where it ends."""
        stop = min(position + remaining, len(data))
        piece = data[position:stop]
        if len(piece) < remaining:
            self._remaining = remaining - len(piece)
            self._gather(piece)
        else:
            self._remaining = None
            self._complete(self._whole(piece), messages)
        return stop

    def _complete(self, message: Message, messages: list[Message]) -> None:
        """All bytes of a payload have come."""
        messages.append(message)

    @abstractmethod
    def _prefix(self, data: bytes, position: int, messages: list[Message]) -> int:
        """Take what has come of a length, and set ``_remaining`` once it is known; return where it ends."""


class _FixedDecoder(PrefixedDecoder):
    __slots__ = ("_byteorder", "_field", "_size")

    def __init__(self, codec: LengthPrefixed, limits: Limits) -> None:
        super().__init__(codec, limits)
        self._size = codec.size
        self._byteorder: Literal["big", "little"] = codec.byteorder
        self._field = b""

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._field) or self._remaining is not None

    def _prefix(self, data: bytes, position: int, messages: list[Message]) -> int:  # noqa: ARG002 - netstrings need it
        stop = position + self._size - len(self._field)
        field = self._field + data[position:stop]
        missing = self._size - len(field)
        # The least that the length can become: what is missing may still be zero.
        self._check_size(int.from_bytes(field + bytes(missing) if self._byteorder == "big" else field, self._byteorder))
        if missing:
            self._field = field
            return len(data)
        self._field = b""
        self._remaining = int.from_bytes(field, self._byteorder)
        return stop


class _VarintDecoder(PrefixedDecoder):
    __slots__ = ("_count", "_value")

    def __init__(self, codec: VarintPrefixed, limits: Limits) -> None:
        super().__init__(codec, limits)
        self._count = self._value = 0

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._count > 0 or self._remaining is not None

    def _prefix(self, data: bytes, position: int, messages: list[Message]) -> int:  # noqa: ARG002 - netstrings need it
        while position < len(data):
            byte = data[position]
            position += 1
            self._take(byte)
            if not byte & _MORE:
                self._remaining, self._value, self._count = self._value, 0, 0
                break
        return position

    def _take(self, byte: int) -> None:
        """Take one byte of a length."""
        self._value |= (byte & _VALUE) << (7 * self._count)
        self._count += 1
        more = byte & _MORE
        if self._value >> 64 or (more and self._count == _MAX_VARINT_SIZE):
            raise RemoteProtocolError(Violation.VARINT_OVERFLOW)
        if byte == 0 and self._count > 1:
            raise RemoteProtocolError(Violation.VARINT_NOT_MINIMAL)
        # Where more follows, and nothing is spelt longer than it need be, what follows is not zero.
        self._check_size(self._value + (1 << (7 * self._count)) if more else self._value)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > _VALUE:
        encoded.append(number & _VALUE | _MORE)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _joined(prefix: bytes, payload: bytes) -> list[bytes]:
    return [prefix + payload] if len(payload) <= _JOIN_SIZE else [prefix, payload]
