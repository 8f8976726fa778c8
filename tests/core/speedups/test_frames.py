"""The queue of outgoing frames: the short way and its refusals, keys, order, buffers; the same on both twins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.kit import BINARY, FIN, KEY, PING, PONG, TEXT, frame, header, length_bytes, xor
from tests.core.twins import compiled, in_python
from wsproto_core._speedups import FrameQueue
from wsproto_core.frames import Frame, parse_frames

#: Up to here buffers are joined.
JOINED: Final = 64 * 1024
POOL: Final = 256


class Entropy:
    """Keys that are never the same, and what was asked for."""

    def __init__(self) -> None:
        self._next = 0
        self.asked: list[int] = []

    def __call__(self, size: int) -> bytes:
        self.asked.append(size)
        start, self._next = self._next, self._next + size // 4
        return b"".join(map(key, range(start, self._next)))


def key(number: int) -> bytes:
    """Of that many before it, what :class:`Entropy` gives next."""
    return (number + 1).to_bytes(4, "big")


def opened(queue: type[FrameQueue], *, max_size: int = 1 << 30, max_payload: int = 1 << 30) -> FrameQueue:
    """A queue that takes messages."""
    frames = queue(max_size=max_size, max_payload=max_payload)
    frames.is_open = frames.is_direct = True
    return frames


def masking(queue: type[FrameQueue], entropy: Callable[[int], bytes] | None = None) -> FrameQueue:
    """A queue that takes messages and masks them."""
    frames = opened(queue)
    frames.mask(entropy or Entropy())
    return frames


def put(frames: FrameQueue, *payloads: bytes, first: int = FIN | BINARY) -> None:
    for payload in payloads:
        frames.put_frame(first, payload, 0, len(payload))


def read(buffers: Sequence[bytes | memoryview]) -> list[Frame]:
    return [*parse_frames(b"".join(buffers))]


def is_untouched(frames: FrameQueue) -> bool:
    return (frames.size, frames.messages, frames.bytes_taken, frames.take()) == (0, 0, 0, [])


# --- the short way ----------------------------------------------------------------------------------------------------

MESSAGES: Final = ["", "a", "é" * 9, "€😀", "x" * 125, "x" * 126, "x" * 70_000, b"", b"\xff", b"x" * 126, b"x" * 70_000]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: f"{type(message).__name__} {len(message)}")
@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
def test_a_message_becomes_a_frame_in_one_call(queue: type[FrameQueue], masked: bool, message: str | bytes) -> None:
    first, payload = (0x81, message.encode()) if isinstance(message, str) else (0x82, message)
    frames = masking(queue, lambda size: KEY * (size // 4)) if masked else opened(queue)
    expected = frame(first, payload, masked=masked)
    assert frames.put_message(message) is True
    assert (frames.messages, frames.size, frames.bytes_taken) == (1, len(expected), 0)
    assert b"".join(frames.take()) == expected
    assert (frames.messages, frames.size, frames.bytes_taken) == (1, 0, len(expected))


@pytest.mark.parametrize("message", ["a", b"a"])
@pytest.mark.parametrize("name", ["is_open", "is_direct"])
def test_it_is_closed_unless_somebody_opens_it(queue: type[FrameQueue], name: str, message: str | bytes) -> None:
    frames = queue(max_size=10, max_payload=10)
    assert (frames.is_open, frames.is_direct) == (False, False)
    assert not frames.put_message(message)
    frames.is_open = frames.is_direct = True
    setattr(frames, name, False)
    assert not frames.put_message(message)
    assert is_untouched(frames)


def test_a_frame_passes_an_empty_queue(queue: type[FrameQueue]) -> None:
    frames = opened(queue)
    assert frames.pass_frame(b"frame") is True
    assert (frames.messages, frames.size, frames.bytes_taken) == (1, 0, 5)
    assert frames.take() == []


@pytest.mark.parametrize("name", ["is_open", "is_direct"])
def test_no_frame_passes_a_closed_queue(queue: type[FrameQueue], name: str) -> None:
    frames = opened(queue)
    setattr(frames, name, False)
    assert frames.pass_frame(b"frame") is False
    assert is_untouched(frames)


def test_no_frame_passes_what_is_queued(queue: type[FrameQueue]) -> None:
    ready, ahead = opened(queue), opened(queue)
    ready.put_bytes(b"ab")
    ahead.put_ahead(0x89, b"")
    for frames in (ready, ahead):
        assert frames.pass_frame(b"frame") is False
        assert (frames.messages, frames.size, frames.bytes_taken) == (0, 2, 0)


def test_no_frame_passes_unmasked_where_frames_are_masked(queue: type[FrameQueue]) -> None:
    frames = masking(queue)
    assert frames.pass_frame(b"frame") is False
    assert is_untouched(frames)


def test_with_that_much_queued_it_is_closed(queue: type[FrameQueue]) -> None:
    frames = opened(queue, max_size=10)
    assert [frames.put_message(b"abc") for _ in range(4)] == [True, True, False, False]
    assert (frames.messages, frames.size) == (2, 10)
    frames.take()
    assert frames.put_message("abc")


@pytest.mark.parametrize(
    ("message", "is_taken"),
    [(b"x" * 20, True), (b"x" * 21, False), ("x" * 20, True), ("x" * 21, False), ("😀" * 5, True), ("€" * 6, False)],
    ids=lambda value: repr(value)[:4] + str(len(value)) if isinstance(value, str | bytes) else str(value),
)
def test_a_message_that_may_be_longer_than_a_frame_is_not_taken(
    queue: type[FrameQueue], message: str | bytes, is_taken: bool
) -> None:
    """Any character that is not ASCII counts as the longest: to know better it would have to be encoded."""
    frames = opened(queue, max_payload=20)
    assert frames.put_message(message) is is_taken
    assert is_taken or is_untouched(frames)


def test_text_that_need_not_be_copied_is_not_taken(queue: type[FrameQueue]) -> None:
    frames = opened(queue, max_payload=2 * JOINED)
    assert not frames.put_message("x" * (JOINED + 1))
    assert is_untouched(frames)
    assert frames.put_message("x" * JOINED)
    assert frames.put_message("é" * (JOINED // 2))


def test_limits_may_be_of_any_size(queue: type[FrameQueue]) -> None:
    frames = opened(queue, max_size=10**30, max_payload=10**30)
    assert frames.put_message("a")
    assert frames.put_message(bytes(10_000_000))


class Text(str):
    """Somebody's own."""


class Bytes(bytes):
    """Somebody's own."""


STRANGE: Final[list[Any]] = [None, 5, ["a"], bytearray(b"a"), memoryview(b"a"), Text("a"), Bytes(b"a"), object()]


@pytest.mark.parametrize("message", STRANGE, ids=lambda message: type(message).__name__)
def test_nothing_else_goes_the_short_way(queue: type[FrameQueue], message: Any) -> None:
    """Nor is it judged here: who takes it up afterwards has the words."""
    frames = opened(queue)
    assert frames.put_message(message) is False
    assert is_untouched(frames)


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "a" * 99 + "\udc80" + "b" * 9], ids=len)
@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
def test_text_that_is_not_unicode_is_not_taken(queue: type[FrameQueue], masked: bool, text: str) -> None:
    frames = masking(queue) if masked else opened(queue)
    assert frames.put_message(text) is False
    assert is_untouched(frames)
    assert frames.put_message("before")
    assert not frames.put_message(text)
    assert frames.put_message("behind")
    assert (frames.messages, frames.size) == (2, 2 * (12 if masked else 8))
    assert [sent.payload for sent in read(frames.take())] == [b"before", b"behind"]


def test_whoever_else_sends_messages_counts_them_here(queue: type[FrameQueue]) -> None:
    frames = opened(queue)
    frames.messages += 3
    frames.put_message("a")
    put(frames, b"b")
    assert frames.messages == 4


# --- keys (RFC 6455 §5.3) ---------------------------------------------------------------------------------------------


def test_every_frame_has_a_key_of_its_own_in_the_order_of_entropy(queue: type[FrameQueue]) -> None:
    frames = masking(queue)
    for _ in range(100):
        frames.put_message("a")
        frames.put_message(b"b")
        put(frames, b"c")
        frames.put_frame(0x00, b"-d-", 1, 2)
        frames.put_message("\ud800")  # its key is thrown away
    sent = [one.mask for one in read(frames.take())]
    assert sent == [key(number) for number in range(500) if number % 5 < 4]
    frames.put_ahead(FIN | PING, b"e")
    assert read(frames.take())[0].mask == key(500)


def test_entropy_is_asked_for_64_keys_when_they_are_needed(queue: type[FrameQueue]) -> None:
    entropy = Entropy()
    frames = masking(queue, entropy)
    assert entropy.asked == []
    asked = []
    for _ in range(129):
        frames.put_message("a")
        asked.append(len(entropy.asked))
    assert asked == [1] * 64 + [2] * 64 + [3]
    assert set(entropy.asked) == {POOL}


def test_keys_stay_used_whatever_becomes_of_their_frames(queue: type[FrameQueue]) -> None:
    frames = masking(queue)
    frames.put_message("a")
    frames.discard()
    frames.put_message("b")
    frames.take()
    frames.put_message("c")
    assert [sent.mask for sent in read(frames.take())] == [key(2)]


def test_without_entropy_nothing_is_sent_and_no_key_twice(queue: type[FrameQueue]) -> None:
    entropy, has_failed = Entropy(), False

    def failing(size: int) -> bytes:
        if entropy.asked and not has_failed:
            raise OSError("no entropy")
        return entropy(size)

    frames = masking(queue, failing)
    for _ in range(64):
        frames.put_message("a")
    size = frames.size
    for _ in range(3):
        with pytest.raises(OSError, match="no entropy"):
            frames.put_message("b")
        with pytest.raises(OSError, match="no entropy"):
            frames.put_ahead(FIN | PING, b"")
    assert (frames.size, frames.messages) == (size, 64)
    has_failed = True
    frames.put_message("c")
    assert [sent.mask for sent in read(frames.take())] == [*map(key, range(65))]


@pytest.mark.parametrize("pool", [b"", b"abc", KEY, bytes(POOL - 1), bytes(POOL + 1)], ids=len)
def test_entropy_of_another_size_is_refused(queue: type[FrameQueue], pool: bytes) -> None:
    """An empty key would mean no masking at all."""
    frames = masking(queue, lambda _: pool)
    for message in ("a", b"b"):
        with pytest.raises(ValueError, match=f"^entropy must yield 256 bytes when asked for them, not {len(pool)}$"):
            frames.put_message(message)
    assert is_untouched(frames)


# --- order ------------------------------------------------------------------------------------------------------------


def letters(buffers: Sequence[bytes | memoryview]) -> str:
    """The first byte of every payload."""
    return "".join(chr(sent.payload[0]) for sent in read(buffers))


@pytest.mark.parametrize("size", [1, 100, JOINED, JOINED + 1, 100_000])
def test_frames_leave_in_order_and_those_ahead_before_all(queue: type[FrameQueue], size: int) -> None:
    frames = opened(queue)
    frames.put_message("a" * size)
    frames.put_ahead(FIN | PING, b"1")
    frames.put_bytes(frame(0x82, b"b" * size, masked=False))
    frames.put_message(b"c" * size)
    frames.put_bytes(frame(0x82, b"d", masked=False))
    frames.put_ahead(FIN | PONG, b"2")
    frames.put_frame(FIN | TEXT, b"-e-", 1, 2)
    assert letters(frames.take()) == "12abcde"
    frames.put_message("f")
    frames.put_ahead(FIN | PING, b"3")
    assert letters(frames.take()) == "3f"


@pytest.mark.parametrize("size", [1, 100_000])
def test_what_is_kept_ahead_is_overtaken_by_nothing(queue: type[FrameQueue], size: int) -> None:
    frames = opened(queue)
    frames.put_bytes(b"HTTP" * size)
    frames.put_bytes(b"/1.1")
    frames.keep_ahead()
    frames.put_message("a")
    frames.put_ahead(FIN | PING, b"1")
    assert frames.size == 4 * size + 4 + 3 + 3
    assert b"".join(frames.take()) == b"HTTP" * size + b"/1.1\x89\x011\x81\x01a"
    frames.keep_ahead()
    frames.put_message("b")
    frames.put_ahead(FIN | PING, b"2")
    assert letters(frames.take()) == "2b"


# --- buffers ----------------------------------------------------------------------------------------------------------


def test_nothing_in_nothing_out(queue: type[FrameQueue]) -> None:
    frames = opened(queue)
    frames.put_bytes(b"")
    frames.keep_ahead()
    assert is_untouched(frames)


def test_what_is_little_leaves_in_one_buffer(queue: type[FrameQueue]) -> None:
    frames = opened(queue)
    prepared = frame(0x81, b"prepared", masked=False)
    frames.put_bytes(prepared)
    frames.put_message("a")
    frames.put_bytes(prepared)
    frames.put_ahead(FIN | PING, b"b")
    assert frames.take() == [b"\x89\x01b" + prepared + b"\x81\x01a" + prepared]


def test_buffers_are_joined_up_to_64_kib(queue: type[FrameQueue]) -> None:
    for size, count in ((1, 90_000), (100, 2000), (4000, 50), (JOINED // 2, 7), (JOINED, 3)):
        frames, plain = opened(queue), frame(0x82, b"x" * size, masked=False)
        for _ in range(count):
            frames.put_message(b"x" * size)
        sizes = [*map(len, frames.take())]
        assert sum(sizes) == len(plain) * count
        assert all(JOINED - size <= one <= JOINED + len(plain) - size for one in sizes[:-1]), size


@pytest.mark.parametrize("spare", [0, 1])
def test_exactly_64_kib_are_one_buffer(queue: type[FrameQueue], spare: int) -> None:
    frames = opened(queue)
    for half in (JOINED // 2, JOINED // 2 + spare):
        frames.put_bytes(bytes(half))
    assert len(frames.take()) == 1 + spare
    frames.put_bytes(bytes(JOINED))
    for half in (JOINED // 2, JOINED // 2 + spare):
        frames.put_bytes(bytes(half))
    assert len(frames.take()) == 2 + spare
    frames.put_bytes(bytes(JOINED))
    for half in (JOINED // 2, JOINED // 2 - 4 + spare):  # and a header before it
        put(frames, bytes(half))
    assert len(frames.take()) == 2 + spare


def test_no_buffer_is_empty(queue: type[FrameQueue]) -> None:
    frames = opened(queue)
    for data in (b"", bytes(JOINED), b"", bytes(JOINED + 1), b"", b""):
        frames.put_bytes(data)
    assert frames.take() == [bytes(JOINED), bytes(JOINED + 1)]


def test_a_large_payload_that_is_not_masked_is_not_copied(queue: type[FrameQueue]) -> None:
    frames, payload = opened(queue), bytes(JOINED + 1)
    frames.put_message("a")
    frames.put_message(payload)
    frames.put_message("b")
    before, large, behind = frames.take()
    assert large is payload
    assert (before, behind) == (b"\x81\x01a" + header(0x82, length_bytes(JOINED + 1), None), b"\x81\x01b")
    put(frames, payload, first=TEXT)
    assert frames.take()[1] is payload


@pytest.mark.parametrize("kind", [bytes, memoryview])
@pytest.mark.parametrize(("start", "stop"), [(1, JOINED + 2), (0, JOINED + 1)], ids=["its end", "its beginning"])
def test_a_large_part_is_not_copied(
    queue: type[FrameQueue], kind: Callable[[bytes], bytes | memoryview], start: int, stop: int
) -> None:
    frames, payload = opened(queue), bytes(JOINED + 2)
    frames.put_frame(0x02, kind(payload), start, stop)
    head, part = frames.take()
    assert isinstance(part, memoryview)
    assert part.obj is payload
    assert read([head, part]) == [Frame(BINARY, payload[start:stop], final=False)]
    assert (frames.size, frames.bytes_taken) == (0, len(head) + stop - start)


@pytest.mark.parametrize(
    ("size", "start", "stop", "is_masked"),
    [
        (JOINED, 0, JOINED, False),
        (JOINED + 2, 1, JOINED + 1, False),
        (JOINED + 1, 0, JOINED + 1, True),
    ],
    ids=["small enough", "a part that is small enough", "masked"],
)
def test_any_other_payload_is_copied(
    queue: type[FrameQueue], size: int, start: int, stop: int, is_masked: bool
) -> None:
    frames, payload = masking(queue) if is_masked else opened(queue), bytes(size)
    frames.put_frame(0x02, payload, start, stop)
    (taken,) = frames.take()
    assert read([taken]) == [Frame(BINARY, bytes(stop - start), final=False, mask=key(0) if is_masked else None)]


@pytest.mark.parametrize("size", [1, JOINED, JOINED + 1])
def test_bytes_alone_are_handed_over_as_they_are(queue: type[FrameQueue], size: int) -> None:
    frames, data = opened(queue), bytes(size)
    for _ in range(2):
        frames.put_bytes(data)
        (taken,) = frames.take()
        assert taken is data
    frames.put_message("a")
    frames.put_bytes(data)
    assert (frames.take()[-1] is data) is (size > JOINED)


def test_what_was_taken_is_not_written_to(queue: type[FrameQueue]) -> None:
    frames = opened(queue)
    frames.put_message("a")
    taken = frames.take()
    frames.put_message("b" * 70_000)
    frames.put_ahead(FIN | PING, b"c")
    frames.discard()
    frames.put_message("d")
    assert (taken, frames.take()) == ([b"\x81\x01a"], [b"\x81\x01d"])


@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
def test_discarding_drops_everything(queue: type[FrameQueue], masked: bool) -> None:
    frames = masking(queue) if masked else opened(queue)
    frames.put_message("a")
    frames.take()
    taken = frames.bytes_taken
    frames.put_bytes(b"b")
    put(frames, bytes(100_000), b"c")
    frames.put_ahead(FIN | PING, b"d")
    frames.discard()
    assert (frames.size, frames.bytes_taken, frames.messages, frames.take()) == (0, taken, 1, [])
    frames.put_message("e")
    assert letters(frames.take()) == "e"


# --- both twins, and a naive queue ------------------------------------------------------------------------------------

SIZES: Final = st.sampled_from([0, 1, 7, 125, 126, 1000, 16_384, 30_000, JOINED - 4, JOINED, JOINED + 1, 70_000])
CONTENTS: Final = st.sampled_from(["a", "é", "€", "😀", "größer €😀"])
PAYLOADS: Final = st.builds(lambda size, char: (char.encode() * size)[:size], SIZES, CONTENTS) | st.binary(max_size=50)
TEXTS: Final = (
    st.builds(lambda size, char: (char * size)[:size], SIZES, CONTENTS)
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "a" * 70 + "\udfff"])
)
MESSAGE: Final = TEXTS | PAYLOADS | st.sampled_from(STRANGE)
OPERATIONS: Final = st.one_of(
    st.tuples(st.just("put_message"), MESSAGE),
    st.tuples(st.just("put_message"), MESSAGE),
    st.tuples(st.just("put_frame"), PAYLOADS, st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("put_bytes"), PAYLOADS),
    st.tuples(st.just("pass_frame"), st.binary(max_size=20)),
    st.tuples(st.just("put_ahead"), st.binary(max_size=125)),
    st.tuples(st.just("keep_ahead")),
    st.tuples(st.just("take")),
    st.tuples(st.just("discard")),
    st.tuples(st.just("is_direct"), st.booleans()),
)
LIMITS: Final = st.sampled_from([1, 100, JOINED, 1 << 17, 1 << 40])


class Naive:
    """The queue as its docstrings have it: two strings of bytes."""

    def __init__(self, max_size: int, max_payload: int, masked: bool) -> None:
        self.is_direct = True
        self.messages = self.bytes_taken = 0
        self._max_size = max_size
        self._max_payload = max_payload
        self._keys: Iterator[bytes] | None = map(key, range(10_000)) if masked else None
        self._ahead = self._rest = b""

    @property
    def size(self) -> int:
        return len(self._ahead) + len(self._rest)

    def put_message(self, message: Any) -> bool:
        if not self.is_direct or self.size >= self._max_size or type(message) not in (str, bytes):
            return False
        if not self._surely_fits(message):
            return False
        try:
            payload = message.encode() if isinstance(message, str) else message
        except UnicodeEncodeError:
            next(self._keys or iter([b""]))  # thrown away
            return False
        self._rest += self._frame(0x81 if isinstance(message, str) else 0x82, payload)
        self.messages += 1
        return True

    def _surely_fits(self, message: str | bytes) -> bool:
        if isinstance(message, str) and not (message.isascii() and len(message) <= JOINED):
            return 4 * len(message) <= self._max_payload
        return len(message) <= self._max_payload

    def pass_frame(self, frame: bytes) -> bool:
        if not self.is_direct or self.size or self._keys is not None:
            return False
        self.messages += 1
        self.bytes_taken += len(frame)
        return True

    def put_frame(self, first: int, payload: bytes, start: int, stop: int) -> None:
        self._rest += self._frame(first, payload[start:stop])

    def put_bytes(self, data: bytes) -> None:
        self._rest += data

    def put_ahead(self, first: int, payload: bytes) -> None:
        self._ahead += self._frame(first, payload)

    def keep_ahead(self) -> None:
        self._ahead, self._rest = self._ahead + self._rest, b""

    def take(self) -> list[bytes]:
        taken = self._ahead + self._rest
        self.bytes_taken += len(taken)
        self.discard()
        return [taken]

    def discard(self) -> None:
        self._ahead = self._rest = b""

    def _frame(self, first: int, payload: bytes) -> bytes:
        if self._keys is None:
            return header(first, length_bytes(len(payload)), None) + payload
        fresh = next(self._keys)
        return header(first, length_bytes(len(payload)), fresh) + xor(payload, fresh)


def do(frames: Any, operation: tuple[Any, ...]) -> Any:
    name, *arguments = operation
    if name == "is_direct":
        (frames.is_direct,) = arguments
        return None
    if name == "put_frame":
        payload, skip, leave = arguments
        start = min(skip, len(payload))
        arguments = [0x02, payload, start, max(start, len(payload) - leave)]
    if name == "put_ahead":
        arguments = [0x89, *arguments]
    return getattr(frames, name)(*arguments)


def facts(frames: Any) -> tuple[object, ...]:
    return frames.is_direct, frames.messages, frames.size, frames.bytes_taken


@settings(max_examples=300)
@given(operations=st.lists(OPERATIONS, max_size=15), max_size=LIMITS, max_payload=LIMITS, masked=st.booleans())
def test_both_twins_do_what_a_naive_queue_does(
    operations: list[tuple[Any, ...]], max_size: int, max_payload: int, masked: bool
) -> None:
    """The same returned, the same sizes, the same bytes; and of the twins the same buffers."""
    naive = Naive(max_size, max_payload, masked)
    entropies = Entropy(), Entropy()
    twins = [opened(twin.frames, max_size=max_size, max_payload=max_payload) for twin in (in_python(), compiled())]
    for frames, entropy in zip(twins, entropies, strict=True):
        if masked:
            frames.mask(entropy)
    for operation in [*operations, ("take",)]:
        expected = do(naive, operation)
        python, native = (do(frames, operation) for frames in twins)
        assert python == native
        if isinstance(python, list):
            assert b"" not in python
            python, expected = b"".join(python), b"".join(expected)
        assert python == expected
        assert facts(twins[0]) == facts(twins[1]) == facts(naive)
    assert entropies[0].asked == entropies[1].asked
