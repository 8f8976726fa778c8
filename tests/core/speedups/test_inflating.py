"""How a short message is inflated, by both twins: what goes the straight way, and what is left to the transform."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.core.twins import Twin
from wsproto_core._errors import RemoteProtocolError
from wsproto_core._violations import Violation

ROOM: Final = 1000
TAIL: Final = b"\x00\x00\xff\xff"
#: Compressed bytes that are inflated at once.
SHORT: Final = 4096


def deflated(*messages: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> list[bytes]:
    """The payloads of messages that share a context, or each ends it."""
    compressor = zlib.compressobj(wbits=-15)
    return [(compressor.compress(message) + compressor.flush(flush)).removesuffix(TAIL) for message in messages]


@pytest.fixture
def make(twin: Twin) -> Callable[..., Any]:
    base: Any = twin.inflating

    class Transform(base):  # type: ignore[misc]  # the base is data here
        """Notes what is not short, or not done at once."""

        def __init__(self, *, is_restarting: bool = False) -> None:
            super().__init__(ROOM, is_restarting=is_restarting, fault=zlib.error)
            self.made = 0
            self.otherwise: list[object] = []

        def _begin_stream(self) -> Any:
            self.made += 1
            inflater = zlib.decompressobj(-15)
            self._stream: Any = inflater, inflater.decompress
            return self._stream

        def _decode_in_steps(self, data: bytes, final: bool) -> bytes:
            self.otherwise.append((bytes(data), final))
            return b"in steps"

        def _decode_on(self, inflated: bytes) -> bytes:
            self.otherwise.append((inflated, self._compressed))
            self._stream = None
            return b"on"

    return Transform


def test_messages_share_an_inflater(make: Callable[..., Any]) -> None:
    transform = make()
    messages = [b"one and two", b"one and two and three"]
    assert [transform.decode(data, True) for data in deflated(*messages)] == messages
    assert (transform.made, transform.otherwise) == (1, [])


def test_each_message_has_its_own_inflater_where_contexts_restart(make: Callable[..., Any]) -> None:
    transform = make(is_restarting=True)
    (data,) = deflated(b"again")
    assert [transform.decode(data, True), transform.decode(memoryview(data), True)] == [b"again", b"again"]
    assert (transform.made, transform.otherwise) == (2, [])


@pytest.mark.parametrize(("data", "final"), [(b"x", False), (b"", False), (b"", True), (b"x" * (SHORT + 1), True)])
def test_pieces_and_long_messages_are_inflated_in_steps(make: Callable[..., Any], data: bytes, final: bool) -> None:
    transform = make()
    assert transform.decode(data, final) == b"in steps"
    assert (transform.made, transform.otherwise) == (0, [(data, final)])


def test_the_last_piece_is_not_taken_for_a_message(make: Callable[..., Any]) -> None:
    transform = make()
    transform._compressed = 1
    assert transform.decode(b"x", True) == b"in steps"
    assert transform.otherwise == [(b"x", True)]


@pytest.mark.parametrize(
    ("message", "flush"),
    [(b"x" * ROOM, zlib.Z_SYNC_FLUSH), (b"x" * 2 * ROOM, zlib.Z_SYNC_FLUSH), (b"x", zlib.Z_FINISH)],
)
def test_much_output_and_a_last_block_are_left_to_others(make: Callable[..., Any], message: bytes, flush: int) -> None:
    transform = make()
    (data,) = deflated(message, flush=flush)
    assert transform.decode(data, True) == b"on"
    assert transform.otherwise == [(message[:ROOM], len(data))]


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (deflated(b"Hello" * 9)[0][:-1], "the message ends within a block"),
        (b"\x07", "invalid block type"),
        (b"\x00\x05\x00\xfa\xffHell", "the message ends within a block"),
        (b"\x01\x04\x00\xfb\xff", "the message ends within a block"),  # with BFINAL, and as long as what is missing
    ],
)
def test_what_is_corrupt_is_said(make: Callable[..., Any], data: bytes, detail: str) -> None:
    with pytest.raises(RemoteProtocolError, match=detail) as caught:
        make().decode(data, True)
    assert caught.value.violation is Violation.CORRUPT_COMPRESSION
