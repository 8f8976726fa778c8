"""The outbox on its own, with the sender of a server: its frames show their payloads."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from wsproto_core import Opcode, PreparedMessage
from wsproto_core._driver.flow import ControlRate, Outbox
from wsproto_core._protocol.sending import Sender
from wsproto_core._types import Buffer
from wsproto_core.frames import Frame, parse_frames

FRAGMENT = 1000


def make_outbox(
    high: int = 10_000, fragment_size: int = FRAGMENT, *, masked: bool = False, takes_messages: bool = True
) -> Outbox:
    outbox = Outbox(high, fragment_size)
    open_it(outbox, masked=masked, takes_messages=takes_messages)
    return outbox


def open_it(outbox: Outbox, *, masked: bool = False, takes_messages: bool = True) -> None:
    outbox.frames.is_open = True
    outbox.open(Sender(outbox.frames, bytes if masked else None), takes_messages=takes_messages)


def put(outbox: Outbox, *payloads: bytes, urgent: bool = False) -> None:
    for payload in payloads:
        outbox.put_message(Opcode.BINARY, payload, None, urgent)


def frames(buffers: Sequence[bytes | memoryview]) -> list[Frame]:
    return list(parse_frames(b"".join(buffers)))


def all_frames(outbox: Outbox) -> list[Frame]:
    found: list[Frame] = []
    while buffers := outbox.take():
        found += frames(buffers)
    return found


def letters(found: list[Frame]) -> str:
    """The first byte of every payload."""
    return "".join(chr(frame.payload[0]) for frame in found)


def test_nothing_in_nothing_out() -> None:
    outbox = make_outbox()
    assert outbox.take() == []
    assert not outbox
    assert outbox.size == 0


def test_what_was_put_leaves_in_order_and_in_one_buffer() -> None:
    outbox = make_outbox()
    put(outbox, b"a", b"b")
    outbox.put_bytes(b"raw")
    assert outbox.take() == [b"\x82\x01a\x82\x01braw"]
    assert outbox.take() == []


def test_the_size_is_in_bytes_and_goes_down_as_they_are_taken() -> None:
    outbox = make_outbox()
    put(outbox, bytes(FRAGMENT), bytes(400_000), b"z")
    assert outbox.size == FRAGMENT + 4 + 400_000 + 1
    first = sum(map(len, outbox.take()))
    assert 256 * 1024 <= first < 256 * 1024 + FRAGMENT + 4
    assert outbox.size == pytest.approx(400_000 + FRAGMENT - first, abs=4 * 300)
    outbox.take()
    assert outbox.size == 0


def test_there_is_room_below_the_mark() -> None:
    outbox = make_outbox(high=10)
    put(outbox, bytes(7))
    assert outbox.size == 9
    assert outbox.has_room
    outbox.put_bytes(b"!")
    assert not outbox.has_room


def test_what_waits_takes_room_as_well() -> None:
    outbox, room = make_outbox(high=2 * FRAGMENT), []
    for payload in (bytes(2 * FRAGMENT - 1), b"!"):
        put(outbox, payload)
        room.append(outbox.has_room)
    assert room == [True, False]
    assert outbox


def test_a_large_message_leaves_as_fragments_cut_when_their_turn_comes() -> None:
    outbox = make_outbox()
    put(outbox, b"a" * (2 * FRAGMENT + 1))
    found = all_frames(outbox)
    assert [(f.opcode, f.final, len(f.payload)) for f in found] == [(2, False, 1000), (0, False, 1000), (0, True, 1)]


def test_control_frames_overtake_what_has_not_left() -> None:
    outbox = make_outbox(high=10**9)
    put(outbox, b"a" * 600_000)
    outbox.take()
    outbox.put_control(Opcode.PING, b"now")
    first = frames(outbox.take())
    assert first[0] == Frame(Opcode.PING, b"now")


def test_urgent_messages_go_before_those_that_have_not_begun_but_not_into_the_one_that_has() -> None:
    outbox = make_outbox(high=10**9)
    put(outbox, b"a" * 300_000, b"b" * 300_000, b"c")
    outbox.take()
    put(outbox, b"u" * 2000, b"v", urgent=True)
    found = all_frames(outbox)
    starts = [frame for frame in found if frame.opcode == Opcode.BINARY]
    assert letters(starts) == "uvbc"
    assert letters(found).strip("a").startswith("uuvb")


def test_control_frames_overtake_ready_messages_in_their_own_order() -> None:
    outbox = make_outbox()
    put(outbox, b"a", b"b")
    outbox.put_control(Opcode.PING, b"1")
    outbox.put_control(Opcode.PONG, b"2")
    assert letters(frames(outbox.take())) == "12ab"
    put(outbox, b"c")
    outbox.put_control(Opcode.PING, b"3")
    assert letters(frames(outbox.take())) == "3c"


def test_nothing_overtakes_the_end_of_the_handshake() -> None:
    outbox = Outbox(10_000, FRAGMENT)
    outbox.put_bytes(b"HTTP")
    open_it(outbox)
    outbox.put_control(Opcode.PING, b"")
    assert outbox.take() == [b"HTTP\x89\x00"]


def test_messages_beyond_one_batch_are_not_framed_so_that_urgent_ones_overtake_them() -> None:
    outbox = make_outbox(high=10**9)
    put(outbox, *[b"a" * 1000] * 300, b"b")
    outbox.put_prepared(PreparedMessage(b"c"))
    put(outbox, b"u", urgent=True)
    before, _, after = letters(all_frames(outbox)).partition("u")
    assert set(before) == {"a"}
    assert 260 < len(before) < 270
    assert after.endswith("abc")


def test_an_urgent_message_waits_for_the_end_of_one_sent_in_parts() -> None:
    outbox = make_outbox(high=10**9)
    outbox.put_part(Opcode.BINARY, b"a" * 300_000, False, None)
    outbox.take()
    outbox.put_part(Opcode.BINARY, b"b", True, None)
    put(outbox, b"u", urgent=True)
    assert letters(all_frames(outbox)).strip("a") == "bu"


def test_urgent_with_nothing_before_it() -> None:
    outbox = make_outbox()
    put(outbox, b"u", urgent=True)
    assert letters(all_frames(outbox)) == "u"


def test_the_close_frame_is_last() -> None:
    outbox = make_outbox(high=10**9)
    put(outbox, b"a" * 300_000)
    outbox.put_close(b"\x03\xe8")
    outbox.put_control(Opcode.PONG, b"p")
    found = all_frames(outbox)
    assert [frame.opcode for frame in found[:2]] == [Opcode.PONG, Opcode.BINARY]
    assert found[-1] == Frame(Opcode.CLOSE, b"\x03\xe8")
    assert outbox.size == 0


def test_the_close_frame_leaves_at_once_when_nothing_waits() -> None:
    outbox = make_outbox()
    outbox.put_close(b"")
    assert outbox.take() == [b"\x88\x00"]


# --- the short way ------------------------------------------------------------------------------------------------


def test_a_message_can_go_the_short_way_and_keeps_its_place() -> None:
    outbox = make_outbox()
    put(outbox, b"a")
    assert outbox.frames.put_message(b"b")
    put(outbox, b"c")
    outbox.put_control(Opcode.PING, b"1")
    assert letters(frames(outbox.take())) == "1abc"


@pytest.mark.parametrize("takes_messages", [True, False])
def test_whether_there_is_a_short_way_is_said_when_it_opens(takes_messages: bool) -> None:
    outbox = Outbox(10_000, FRAGMENT)
    assert not outbox.frames.put_message("too early")
    open_it(outbox, takes_messages=takes_messages)
    assert outbox.frames.put_message("a") is takes_messages
    put(outbox, bytes(2 * FRAGMENT))
    outbox.take()
    assert outbox.frames.put_message("b") is takes_messages


@pytest.mark.parametrize(
    "message", ["x" * (FRAGMENT + 1), bytes(FRAGMENT + 1), bytearray(b"a")], ids=["text", "binary", "mutable"]
)
def test_no_fragment_and_no_other_type_goes_the_short_way(message: str | Buffer) -> None:
    outbox = make_outbox()
    assert not outbox.frames.put_message(message)
    assert not outbox


def test_nothing_overtakes_by_the_short_way_what_waits() -> None:
    outbox = make_outbox(high=10**9)
    put(outbox, b"a" * 600_000)
    for _ in range(2):
        assert not outbox.frames.put_message("b")
        outbox.take()
    assert not outbox.frames.put_message("b"), "the rest still waits"
    outbox.take()
    assert outbox.frames.put_message("b")
    put(outbox, b"c", urgent=True)
    assert letters(all_frames(outbox)) == "bc"


def test_nothing_comes_by_the_short_way_between_the_parts_of_a_message() -> None:
    outbox = make_outbox()
    for final in (False, False, True):
        outbox.put_part(Opcode.TEXT, b"a", final, None)
        assert not outbox.frames.put_message("b")
        outbox.take()
        assert outbox.frames.put_message("b") is final
    assert letters(all_frames(outbox)) == "b"


@pytest.mark.parametrize(("high", "most"), [(10, 10), (12, 15), (10**9, 256 * 1024 + 1)])
def test_beyond_a_batch_or_the_mark_there_is_no_short_way(high: int, most: int) -> None:
    """Beyond a batch messages are not framed yet, so that urgent ones overtake them."""
    outbox = make_outbox(high=high)
    while outbox.frames.put_message(b"abc"):
        assert outbox.size <= most
    assert outbox.size == most
    outbox.take()
    assert outbox.frames.put_message(b"abc")


# --- pongs --------------------------------------------------------------------------------------------------------


def test_without_room_only_the_latest_ping_is_answered() -> None:
    outbox = make_outbox(high=3)
    put(outbox, b"x")
    counted = [outbox.put_pong(b"%d" % number) for number in range(5)]
    assert counted == [True, False, False, False, False]
    assert outbox.size == 3
    assert [frame.payload for frame in frames(outbox.take())] == [b"4", b"x"]
    assert outbox.take() == []


def test_with_room_every_ping_is_answered() -> None:
    outbox = make_outbox()
    assert [outbox.put_pong(b"%d" % number) for number in range(3)] == [True, True, True]
    assert [frame.payload for frame in all_frames(outbox)] == [b"0", b"1", b"2"]


def test_an_owed_pong_overtakes_a_long_transfer() -> None:
    outbox = make_outbox(high=300_000)
    put(outbox, b"a" * 600_000)
    outbox.put_pong(b"p")
    assert frames(outbox.take())[0].opcode == Opcode.PONG


@pytest.mark.parametrize("waiting", [b"x", b"x" * 5000])
def test_nothing_follows_the_close_frame_not_even_an_owed_pong(waiting: bytes) -> None:
    outbox = make_outbox(high=3)
    put(outbox, waiting)
    outbox.put_pong(b"p")
    outbox.put_close(b"")
    found = all_frames(outbox)
    assert sorted(frame.opcode for frame in found if frame.opcode > 2) == [Opcode.CLOSE, Opcode.PONG]
    assert found[-1].opcode == Opcode.CLOSE


def test_discarding_drops_everything() -> None:
    outbox = make_outbox(high=3)
    put(outbox, b"x", b"y" * 5000)
    outbox.put_pong(b"p")
    outbox.discard()
    assert outbox.size == 0
    assert not outbox
    assert outbox.take() == []


# --- copies and system calls --------------------------------------------------------------------------------------


def test_a_large_payload_is_handed_over_without_a_copy() -> None:
    outbox = make_outbox(10**9, 10**9)
    payload = bytes(100_000)
    put(outbox, b"small", b"small too", payload, b"behind")
    buffers = outbox.take()
    assert len(buffers) == 3
    assert buffers[1] is payload


def test_a_large_buffer_at_the_start() -> None:
    outbox = make_outbox()
    large = bytes(100_000)
    outbox.put_bytes(large)
    put(outbox, b"a", b"b")
    buffers = outbox.take()
    assert buffers[0] is large
    assert buffers[1:] == [b"\x82\x01a\x82\x01b"]


def test_small_buffers_are_joined_up_to_64_kib() -> None:
    outbox = make_outbox(10**9, 10**9)
    put(outbox, *[bytes(4000)] * 50)
    buffers = outbox.take()
    assert [len(buffer) <= 64 * 1024 for buffer in buffers] == [True] * 4
    assert sum(map(len, buffers)) == 50 * 4004


def test_a_batch_ends_so_that_the_rest_can_still_be_overtaken() -> None:
    outbox = make_outbox(high=10**9)
    put(outbox, bytes(1_000_000))
    sizes = []
    while buffers := outbox.take():
        sizes.append(sum(map(len, buffers)))
    assert len(sizes) == 4
    assert max(sizes) < 256 * 1024 + FRAGMENT + 4


# --- prepared messages --------------------------------------------------------------------------------------------


def test_a_prepared_message_is_sent_as_it_is() -> None:
    outbox = make_outbox()
    message = PreparedMessage("news")
    outbox.put_prepared(message)
    (buffer,) = outbox.take()
    assert buffer is message.frame


def test_a_prepared_message_keeps_its_place() -> None:
    outbox = make_outbox()
    put(outbox, b"a" * (FRAGMENT + 1))
    outbox.put_prepared(PreparedMessage(b"b"))
    assert letters(all_frames(outbox)) == "aab"


def test_a_client_masks_even_a_prepared_message() -> None:
    outbox = make_outbox(masked=True)
    outbox.put_prepared(PreparedMessage(b"b"))
    (frame,) = all_frames(outbox)
    assert frame.mask is not None
    assert frame.payload == b"b"


def test_an_empty_part_between_others() -> None:
    outbox = make_outbox()
    for payload, final in ((b"a", False), (b"", False), (b"", True)):
        outbox.put_part(Opcode.TEXT, payload, final, None)
    assert [(frame.payload, frame.final) for frame in all_frames(outbox)] == [(b"a", False), (b"", True)]
    assert not outbox


# --- how fast control frames may come -----------------------------------------------------------------------------


def test_no_rate_is_no_limit() -> None:
    rate = ControlRate(None, 0.0)
    rate.spend(10**6, 0.0)
    assert rate.allowance(0.0) is None
    assert not rate.is_spent


def test_a_burst_then_as_many_as_time_allows() -> None:
    rate = ControlRate(10, 100.0)
    assert rate.allowance(100.0) == 10
    rate.spend(10, 100.0)
    assert [rate.allowance(now) for now in (100.0, 100.5, 101.0, 500.0)] == [0, 5, 10, 10]


def test_an_unused_allowance_does_not_grow() -> None:
    rate = ControlRate(10, 0.0)
    assert rate.allowance(1000.0) == 10
    rate.spend(4, 1000.0)
    assert rate.allowance(1000.1) == 7


def test_it_is_spent_until_there_is_a_whole_burst_again() -> None:
    """Only so long somebody has to ask."""
    rate, told = ControlRate(10, 100.0), []
    for count, now in ((0, 200.0), (1, 300.0), (10, 400.0)):
        rate.spend(count, now)
        told.append([rate.is_spent, *((rate.allowance(now + later), rate.is_spent) for later in (0.0625, 0.25, 9.0))])
    assert told == [
        [False, (10, False), (10, False), (10, False)],
        [True, (9, True), (10, False), (10, False)],
        [True, (0, True), (2, True), (10, False)],
    ]
