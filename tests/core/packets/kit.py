"""What the tests of message-oriented peers share: every way to feed bytes, and entropy that can be told again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from wsproto_core._config import Limits
from wsproto_core._packets.codec import StreamCodec
from wsproto_core._types import Message
from wsproto_core._violations import Violation
from wsproto_fuzz.oracles import feedings

#: Not zero: a clock that starts at zero hides time that was never given.
START: Final = 1000.0
UNLIMITED: Final = Limits(message_size=None)

#: Messages, and what ended them.
Told = tuple[list[Message], Violation | None]


def entropy_of(seed: int) -> Callable[[int], bytes]:
    return Random(seed).randbytes


def feed(codec: StreamCodec, limits: Limits, pieces: Iterable[bytes], *, end: bool = False) -> Told:
    decoder = codec.decoder(limits)
    messages: list[Message] = []
    for piece in pieces:
        messages += decoder.decode(piece)
    if end:
        decoder.finish()
    return messages, None if decoder.failure is None else decoder.failure.violation


def feed_every_way(codec: StreamCodec, data: bytes, limits: Limits = UNLIMITED, *, end: bool = False) -> Told:
    """What comes of ``data``, which must be the same however it arrives."""
    told = feed(codec, limits, [data], end=end)
    for pieces in feedings(data):
        assert feed(codec, limits, pieces, end=end) == told, [len(piece) for piece in pieces]
    return told


def at_once(fact: bool) -> bool:
    """``fact`` as it is at this moment: mypy believes that what was asserted once holds for ever."""
    return fact
