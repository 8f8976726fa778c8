"""No codec at all: bytes as they come, for protocols that find their own messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .._config import Limits
from .._speedups import complete_utf8
from .._types import Message
from .codec import StreamCodec, StreamDecoder

__all__ = ["Raw"]


@dataclass(frozen=True, slots=True)
class Raw(StreamCodec):
    """Whatever arrives is a message; where one ends, the network decides. An empty message leaves no trace.

    There are no messages to be too big: what comes at once is cut into pieces of ``Limits.message_size`` bytes. With
    ``text``, a character is handed over when all of its bytes have come, and a piece may be larger by three of them.
    """

    carries_any_bytes: ClassVar[bool] = False

    def encode(self, payload: bytes) -> list[bytes]:
        """``payload`` as it is."""
        return [payload] if payload else []

    def decoder(self, limits: Limits) -> StreamDecoder:
        """A decoder for one connection."""
        return _RawDecoder(self, limits)


class _RawDecoder(StreamDecoder):
    __slots__ = ()

    @property
    def in_message(self) -> bool:
        """Whether a character has begun and not ended."""
        return bool(self._message)

    def _decode(self, data: bytes, messages: list[Message]) -> None:
        step = self._limit or len(data) or 1
        for start in range(0, len(data), step):
            self._piece(data[start : start + step], messages)

    def _piece(self, piece: bytes, messages: list[Message]) -> None:
        if not self._text:
            messages.append(piece)
            return
        self._message += piece
        complete = complete_utf8(self._message)
        if complete:
            messages.append(str(self._message[:complete], "utf-8"))
            del self._message[:complete]
