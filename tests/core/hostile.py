"""What a random, hostile peer sends, and how it arrives: strategies for the frame loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st

from tests.core.kit import KEY, Rot13, deflated, header, length_bytes, xor
from wsproto_core._config import Limits
from wsproto_core._extensions.base import MessageTransform
from wsproto_core._types import Receive

CUTS: Final = st.lists(st.integers(0, 10_000), max_size=8)
MODES: Final = st.sampled_from(Receive)

FIRST_BYTES: Final = st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0xC1, 0x41]) | st.integers(0, 255)
PAYLOADS: Final = (
    st.binary(max_size=200)
    | st.text(max_size=50).map(str.encode)
    | st.binary(max_size=100).map(deflated)
    | st.integers(999, 5001).map(lambda code: code.to_bytes(2, "big"))
)
LENGTHS: Final = st.none() | st.binary(min_size=1, max_size=9)


@st.composite
def near_frames(draw: st.DrawFn, masked: bool) -> bytes:
    """A frame that is mostly right."""
    first, payload, length = draw(FIRST_BYTES), draw(PAYLOADS), draw(st.none() | LENGTHS)
    key = KEY if masked is (draw(st.integers(0, 30)) > 0) else None
    if length is None:
        length = length_bytes(len(payload))
    return header(first, length, key) + (payload if key is None else xor(payload, key))


HOSTILE: Final = {
    masked: st.binary(max_size=100) | st.lists(near_frames(masked), max_size=8).map(b"".join)
    for masked in (True, False)
}
TRANSFORMS: Final[list[Callable[[], list[MessageTransform]]]] = [list, lambda: [Rot13()]]
TIGHT: Final = Limits(message_size=150, frame_size=120, max_fragments=3)
