"""Where messages are transformed, a batch ends when its room is used up, and the rest is left alone."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from wsproto_core._config import Limits
from wsproto_core._events import Event, Fragment
from wsproto_core._extensions.permessage_deflate import PerMessageDeflate
from wsproto_core._speedups import FrameDecoder
from wsproto_core._types import Opcode, Receive
from wsproto_core._violations import Violation
from wsproto_core._wire.frames import Frame


def inflating(codec: type[FrameDecoder], receive: Receive = Receive.MESSAGES, **options: Any) -> FrameDecoder:
    limits = Limits(**options)
    agreed = PerMessageDeflate().accept((), limits)
    assert agreed is not None
    return codec(masked=False, receive=receive, limits=limits, transforms=[agreed[1]])


def deflated(*messages: bytes, opcode: int = Opcode.BINARY) -> bytes:
    context = PerMessageDeflate().confirm((), Limits())
    return b"".join(bytes(Frame(opcode, context.encode(message, True), reserved=4)) for message in messages)


def rest_of(decoder: FrameDecoder, data: bytes, room: int) -> list[list[Event]]:
    """The batches that come of ``data``, each with so much room."""
    batches: list[list[Event]] = []
    while data:
        decoder.room = room
        batches.append(decoder.decode(data))
        data = data[len(data) - decoder.undecoded :]
    return batches


def test_a_batch_ends_with_the_message_that_fills_it(codec: type[FrameDecoder]) -> None:
    messages = [bytes([number]) * 1000 for number in range(5)]
    batches = rest_of(inflating(codec), deflated(*messages), 1500)
    assert batches == [messages[:2], messages[2:4], messages[4:]]


def test_what_is_behind_a_batch_is_told(codec: type[FrameDecoder]) -> None:
    decoder, data = inflating(codec), deflated(b"a" * 1000, b"b" * 1000)
    decoder.room = 1
    assert decoder.decode(data[:3]) == []
    assert decoder.undecoded == 0
    assert decoder.decode(data[3:]) == [b"a" * 1000]
    assert decoder.undecoded == len(deflated(b"a" * 1000, b"b" * 1000)) - len(deflated(b"a" * 1000))


def test_a_batch_ends_behind_a_large_message_that_is_taken_from_where_it_is(codec: type[FrameDecoder]) -> None:
    noise = Random(1).randbytes(50_000)
    decoder, data = inflating(codec), deflated(noise, noise, noise)
    decoder.room = 1
    assert decoder.decode(memoryview(data)) == [noise]
    assert decoder.undecoded == len(data) - len(deflated(noise))


def test_what_is_not_transformed_needs_no_room(codec: type[FrameDecoder]) -> None:
    decoder = inflating(codec)
    decoder.room = 1
    assert decoder.decode(bytes(Frame(Opcode.TEXT, b"plain")) * 3) == ["plain"] * 3
    assert (decoder.room, decoder.undecoded) == (1, 0)


@pytest.mark.parametrize("receive", [Receive.CHUNKS, Receive.FRAGMENTS])
def test_parts_are_transformed_piece_by_piece(codec: type[FrameDecoder], receive: Receive) -> None:
    noise = Random(1).randbytes(20_000)
    batches = rest_of(inflating(codec, receive), deflated(noise), 5000)
    events = [event for batch in batches for event in batch]
    assert (
        b"".join(event.data for event in events if isinstance(event, Fragment) and isinstance(event.data, bytes))
        == noise
    )
    sizes = [sum(len(event.data) for event in batch if isinstance(event, Fragment)) for batch in batches]
    assert (max(sizes) < 8000) is (receive is Receive.CHUNKS)


def test_a_text_in_one_short_frame_is_text(codec: type[FrameDecoder]) -> None:
    text = "é" * 100
    assert inflating(codec).decode(deflated(text.encode(), opcode=Opcode.TEXT)) == [text]


def test_a_transformed_text_that_is_none(codec: type[FrameDecoder]) -> None:
    decoder = inflating(codec)
    assert decoder.decode(deflated(b"\xff" * 100, opcode=Opcode.TEXT)) == []
    assert decoder.failure is not None
    assert decoder.failure.violation is Violation.INVALID_UTF8


@pytest.mark.parametrize("offset", [0, 1])
def test_a_message_that_inflates_up_to_the_limit(codec: type[FrameDecoder], offset: int) -> None:
    decoder = inflating(codec, message_size=1000)
    events = decoder.decode(deflated(bytes(1000 + offset)))
    assert events == ([] if offset else [bytes(1000)])
    assert (decoder.failure is not None) is bool(offset)
