"""The differential oracle: for any bytes, in any chunks, both twins do the same, down to the byte that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.kit import KEY, TIGHT, UNLIMITED, Rot13, Tripled, deflate, frame, length_bytes
from tests.core.kit import header as header_of
from tests.core.twins import Twin, compiled, in_python
from tools.check_leaks import TOLERATED, left_behind, receive_messages, send_messages
from wsproto_core._config import Limits
from wsproto_core._extensions.base import MessageTransform
from wsproto_core._types import Receive
from wsproto_fuzz.oracles import agree
from wsproto_fuzz.strategies import Chunking, chunkings, hostile_bytes

LIMITS: Final = st.sampled_from(
    [UNLIMITED, Limits(), TIGHT, Limits(message_size=125), Limits(frame_size=126), Limits(message_size=1 << 80)]
)
TRANSFORMS: Final[list[Callable[[], list[MessageTransform]]]] = [
    list,
    lambda: [Rot13()],
    lambda: [deflate(TIGHT)],
    lambda: [deflate(), Tripled(), Rot13()],
]
#: Every length whose header or whose limit is another than its neighbour's.
SIZES: Final = st.sampled_from([0, 1, 7, 8, 9, 125, 126, 127, 1000, 65_535, 65_536, 70_000])
FIRST_BYTES: Final = st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x41, 0xC1, 0x89])
CONTENTS: Final = st.sampled_from([b"a", "ä€😀a".encode(), b"ab\xc3", b"\xff", b"\xed\xa0\x80"])


@pytest.fixture(scope="module")
def native() -> Twin:
    return compiled()


@st.composite
def large_frames(draw: st.DrawFn, masked: bool) -> bytes:
    size, content = draw(SIZES), draw(CONTENTS)
    return frame(draw(FIRST_BYTES), (content * (size // len(content) + 1))[:size], masked=masked)


def compare(
    native: Twin,
    masked: bool,
    receive: Receive,
    limits: Limits,
    transforms: Callable[[], list[MessageTransform]],
    allowance: int | None,
    pieces: list[bytes],
) -> None:
    decoders = [
        codec(masked=masked, receive=receive, limits=limits, transforms=transforms())
        for codec in (in_python().codec, native.codec)
    ]
    for decoder in decoders:
        decoder.control_allowance = allowance
    agree(decoders, pieces)


@settings(max_examples=500)
@given(
    data=st.data(),
    chunking=chunkings(),
    receive=st.sampled_from(Receive),
    limits=LIMITS,
    transforms=st.sampled_from(TRANSFORMS),
    allowance=st.none() | st.integers(0, 3),
)
def test_hostile_bytes(
    native: Twin,
    masked: bool,
    data: st.DataObject,
    chunking: Chunking,
    receive: Receive,
    limits: Limits,
    transforms: Callable[[], list[MessageTransform]],
    allowance: int | None,
) -> None:
    pieces = chunking(data.draw(hostile_bytes(masked=masked)))
    compare(native, masked, receive, limits, transforms, allowance, pieces)


@settings(max_examples=200)
@given(
    data=st.data(),
    chunking=chunkings(),
    receive=st.sampled_from(Receive),
    limits=LIMITS,
    transforms=st.sampled_from(TRANSFORMS[:2]),
)
def test_frames_of_every_size(
    native: Twin,
    masked: bool,
    data: st.DataObject,
    chunking: Chunking,
    receive: Receive,
    limits: Limits,
    transforms: Callable[[], list[MessageTransform]],
) -> None:
    wire = b"".join(data.draw(st.lists(large_frames(masked), max_size=4)))
    compare(native, masked, receive, limits, transforms, None, chunking(wire))


LENGTHS: Final = [
    length
    for edge in (
        0,
        1,
        2,
        125,
        126,
        127,
        0xFF,
        0x100,
        0xFFFF,
        0x10000,
        1 << 31,
        1 << 32,
        1 << 56,
        (1 << 63) - 1,
        1 << 63,
    )
    for length in {length_bytes(edge), b"\x7e" + (edge & 0xFFFF).to_bytes(2, "big"), b"\x7f" + edge.to_bytes(8, "big")}
]


@pytest.mark.parametrize("before", [b"", b"\x01"], ids=["alone", "within a message"])
def test_every_length_in_every_encoding(native: Twin, masked: bool, receive: Receive, before: bytes) -> None:
    """No size that a peer may declare overflows, on top of what has come or alone."""
    for length in LENGTHS:
        for first in (0x82, 0x80, 0x01, 0x88, 0x89):
            wire = frame(0x01, b"abc", masked=masked) if before else b""
            wire += header_of(first, length, KEY if masked else None) + b"x" * 130
            for limits in (UNLIMITED, TIGHT, Limits()):
                compare(native, masked, receive, limits, list, None, [wire[i : i + 1] for i in range(len(wire))])
                compare(native, masked, receive, limits, list, None, [wire])


def test_nothing_is_left_behind(native: Twin) -> None:
    """A short form of ``make leaks``: one reference too many is a few hundred bytes in every round."""
    assert left_behind(lambda: receive_messages(native.codec, native.frames, 5_000)) <= TOLERATED
    assert left_behind(lambda: send_messages(native.frames, 5_000)) <= TOLERATED
