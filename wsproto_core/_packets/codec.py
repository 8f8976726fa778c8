"""Messages in a stream of bytes: what a codec is, and what holds for all of them.

A :class:`StreamCodec` is what two sides have agreed on: immutable, free of any connection's state, shared by
connections. For each connection it makes a :class:`StreamDecoder`. The sections that violations refer to:

1. **Length-prefixed** (``prefixed``): 1, 2, 4 or 8 bytes of length, in either byte order, then as many bytes.
2. **Varint-prefixed** (``prefixed``): the length in unsigned LEB128, seven bits a byte, the least significant first, in
   the fewest bytes, of 64 bits at most; then as many bytes.
3. **Netstring** (``netstring``): the length in decimal without leading zeros, a colon, as many bytes, a comma.
4. **Delimited** (``delimited``): bytes up to the first delimiter, which belongs to no message.
5. **Raw** (``raw``): no messages; whatever has come.
6. **The end.** A stream may end between two messages only.

For all but raw, the cuts between reads change nothing: not the messages, not the offence, not the byte that commits it.
A message is refused (``MESSAGE_TOO_BIG``) at the first byte that makes it certain to be larger than
``Limits.message_size``, and memory is taken for bytes that have come, never for those announced. With ``text``, every
message is UTF-8 (RFC 3629), judged as its bytes come.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from .._config import Limits
from .._errors import RemoteProtocolError
from .._speedups import complete_utf8
from .._types import Message
from .._violations import Violation

__all__ = ["StreamCodec", "StreamDecoder"]


@dataclass(frozen=True, slots=True)
class StreamCodec(ABC):
    """How messages stand in a stream of bytes; see the module's docstring. Subclasses are safe to share."""

    #: Whether every message comes out as the one message that went in, whatever bytes it consists of.
    carries_any_bytes: ClassVar[bool] = True

    _: KW_ONLY
    #: Whether messages are text: received as ``str``, and held to UTF-8 both ways. Otherwise ``bytes`` are received;
    #: a ``str`` may be sent in either case.
    text: bool = False

    @property
    def max_payload(self) -> int | None:
        """Bytes of the largest message that :meth:`encode` takes; ``None`` for any number."""
        return None

    @abstractmethod
    def encode(self, payload: bytes) -> list[bytes]:
        """The message ``payload`` as the buffers to write. Raises :exc:`LocalProtocolError` where it cannot be told."""

    @abstractmethod
    def decoder(self, limits: Limits) -> StreamDecoder:
        """A decoder for one connection; of ``limits`` it keeps ``message_size``."""


class StreamDecoder(ABC):
    """Turns received bytes into messages, and finds the first offence. Time is linear in the bytes, however cut."""

    __slots__ = ("_limit", "_message", "_text", "_valid", "failure")

    def __init__(self, codec: StreamCodec, limits: Limits) -> None:
        #: The offence, if there was one: nothing is decoded any more.
        self.failure: RemoteProtocolError | None = None
        self._limit = limits.message_size
        self._text = codec.text
        # What has come of the message that is arriving, and how much of it is known to be UTF-8.
        self._message: bytearray = bytearray()
        self._valid = 0

    def decode(self, data: bytes) -> list[Message]:
        """The messages that ``data`` completes; look at ``failure`` afterwards. Raises nothing."""
        messages: list[Message] = []
        if self.failure is not None:
            return messages
        try:
            self._decode(data, messages)
        except RemoteProtocolError as offence:
            self._fail(offence.violation, offence.detail)
        except UnicodeDecodeError as error:
            self._fail(Violation.INVALID_UTF8, error.reason)
        return messages

    def finish(self) -> None:
        """The stream has ended: a message that is not complete is an offence, ``TRUNCATED_MESSAGE``."""
        if self.failure is None and self.in_message:
            self._fail(Violation.TRUNCATED_MESSAGE, self._missing())

    @property
    @abstractmethod
    def in_message(self) -> bool:
        """Whether a message has begun and not ended."""

    @abstractmethod
    def _decode(self, data: bytes, messages: list[Message]) -> None:
        """Add what ``data`` completes to ``messages``. Raises at the byte that commits an offence."""

    def _missing(self) -> str:
        return f"{len(self._message)} bytes of it had come"

    def _check_size(self, size: int) -> None:
        """Refuse a message that has ``size`` bytes, or more."""
        if self._limit is not None and size > self._limit:
            raise RemoteProtocolError(Violation.MESSAGE_TOO_BIG, f"at least {size} bytes, limit {self._limit}")

    def _gather(self, piece: bytes) -> None:
        """Keep a part of a message."""
        self._message += piece
        self._check_text(len(self._message))

    def _check_text(self, end: int) -> None:
        """Judge what has come of a text, up to ``end``."""
        if self._text:
            self._valid += complete_utf8(self._message[self._valid : end])

    def _whole(self, piece: bytes) -> Message:
        """The message that ``piece`` completes."""
        gathered: bytes | bytearray = piece
        if self._message:
            self._message += piece
            gathered, self._message = self._message, bytearray()
            self._valid = 0
        return str(gathered, "utf-8") if self._text else bytes(gathered)

    def _fail(self, violation: Violation, detail: str) -> None:
        # A new one: what was raised holds this call's frames, and so the bytes of the read.
        self.failure = RemoteProtocolError(violation, detail)
        self._message = bytearray()
