"""How much memory is set aside for bytes of a message that have only been announced."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from tests.core.kit import UNLIMITED
from tests.core.twins import Leaves
from wsproto_core._speedups import FrameDecoder
from wsproto_core._types import Receive

SIZE = 10_000
#: The header of a frame with as many bytes as there can be.
ENDLESS = b"\x82\x7f\x7f" + b"\xff" * 7
KEY = b"\x01\x02\x03\x04"


def peak(run: Callable[[], object]) -> int:
    """The most memory that was allocated at a time."""
    run()  # what is allocated once is none of it
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("is_text", [True, False])
def test_an_announcement_costs_no_more_than_some_times_what_has_come(leaves: Leaves, is_text: bool) -> None:
    def announce() -> None:
        leaves.MessageBuffer(is_text).add(b"x" * SIZE, 0, SIZE, KEY, 0, 2**62)

    assert peak(announce) < 20 * SIZE


@pytest.mark.parametrize("receive", [Receive.CHUNKS, Receive.MESSAGES])
def test_what_is_handed_over_at_once_needs_no_foresight(codec: type[FrameDecoder], receive: Receive) -> None:
    def begin() -> None:
        codec(masked=False, receive=receive, limits=UNLIMITED).decode(ENDLESS + b"x" * SIZE)

    assert peak(begin) < (12 if receive is Receive.CHUNKS else 30) * SIZE
