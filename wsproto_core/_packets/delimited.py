"""Messages that end in a delimiter: lines, or whatever ends in some bytes that no message holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .._config import Limits
from .._errors import LocalProtocolError
from .._speedups import complete_utf8
from .._types import Message
from .codec import StreamCodec, StreamDecoder

__all__ = ["Delimited"]


@dataclass(frozen=True, slots=True)
class Delimited(StreamCodec):
    r"""Each message followed by ``delimiter``, one byte or more; a newline by default.

    Nothing is stripped: with the default, a line that ends in CRLF keeps its CR. The last message needs its delimiter
    like every other. Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument.
    """

    carries_any_bytes: ClassVar[bool] = False

    delimiter: bytes = b"\n"

    def __post_init__(self) -> None:
        if not isinstance(self.delimiter, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]  # not all callers check types
            raise TypeError(f"delimiter must be bytes, not {self.delimiter!r}")
        if not self.delimiter:
            raise ValueError("delimiter must not be empty")

    def encode(self, payload: bytes) -> list[bytes]:
        """Payload and delimiter. Raises :exc:`LocalProtocolError` where the receiver would find a delimiter earlier:
        inside the payload, or across its end.
        """
        encoded = payload + self.delimiter
        position = encoded.find(self.delimiter)
        if position < len(payload):
            raise LocalProtocolError(f"message: the delimiter {self.delimiter!r} stands in it, at byte {position}")
        return [encoded]

    def decoder(self, limits: Limits) -> StreamDecoder:
        """A decoder for one connection."""
        return _DelimitedDecoder(self, limits)


class _DelimitedDecoder(StreamDecoder):
    __slots__ = ("_delimiter",)

    def __init__(self, codec: Delimited, limits: Limits) -> None:
        super().__init__(codec, limits)
        self._delimiter = codec.delimiter

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._message)

    def _decode(self, data: bytes, messages: list[Message]) -> None:
        position = self._end_first(data, messages) if self._message else 0
        while (end := data.find(self._delimiter, position)) >= 0:
            self._check(end - position, data, position)
            messages.append(self._whole(data[position:end]))
            position = end + len(self._delimiter)
        if position < len(data):
            self._keep(data, position)

    def _end_first(self, data: bytes, messages: list[Message]) -> int:
        """End the message that has begun, if ``data`` does; return where the next one begins in ``data``."""
        before = len(self._message)
        overlap = min(before, len(self._delimiter) - 1)
        # The delimiter may have begun in the earlier bytes.
        size = (self._message[before - overlap :] + data[: len(self._delimiter) - 1]).find(self._delimiter)
        size += before - overlap if size >= 0 else 0
        if size < 0:
            end = data.find(self._delimiter)
            if end < 0:
                return 0
            size = before + end
        self._check(size, data, 0)
        del self._message[size:]
        messages.append(self._whole(data[: max(0, size - before)]))
        return size + len(self._delimiter) - before

    def _keep(self, data: bytes, position: int) -> None:
        """Keep what has come of the next message, and judge it before memory is taken."""
        longest = len(self._delimiter) - 1
        tail = self._message[max(0, len(self._message) - longest) :] + data[max(position, len(data) - longest) :]
        # What may be the beginning of a delimiter is not yet a part of the message.
        certain = len(self._message) + len(data) - position - self._begun(tail)
        self._check(certain, data, position)
        self._message += data[position:]
        self._check_text(certain)

    def _begun(self, tail: bytes | bytearray) -> int:
        """How many bytes at the end of ``tail`` may begin a delimiter, at most."""
        sizes = range(min(len(self._delimiter) - 1, len(tail)), 0, -1)
        return next((size for size in sizes if self._delimiter.startswith(tail[-size:])), 0)

    def _check(self, size: int, data: bytes, position: int) -> None:
        """Hold a message of ``size`` bytes or more to the limit: what was gathered, and ``data`` from ``position``."""
        if self._text and self._limit is not None and size > self._limit:
            # What is no text before the limit came first, however the bytes were cut.
            room = max(0, self._limit - len(self._message))
            complete_utf8(self._message[self._valid : self._limit] + data[position : position + room])
        self._check_size(size)
