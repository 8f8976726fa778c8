"""The frame loop with peers that keep the rules: messages, control frames, receive modes, transforms, limits."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.kit import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    UNLIMITED,
    Braces,
    Outcome,
    Rot13,
    Tripled,
    deflate,
    deflated,
    feed,
    feed_every_way,
    fragments,
    frame,
    frames,
    joined,
)
from wsproto_core._config import Limits
from wsproto_core._events import Event, Fragment, Ping, Pong
from wsproto_core._extensions.base import MessageTransform
from wsproto_core._speedups import FrameDecoder
from wsproto_core._types import Receive
from wsproto_core._violations import Violation
from wsproto_fuzz.oracles import feedings

Part = tuple[int, bytes]
Transforms = Callable[[], list[MessageTransform]]

EMOJI = "aé€😀z"


def whole(codec: type[FrameDecoder], masked: bool, parts: Sequence[Part], transforms: Transforms = list) -> Outcome:
    """What a decoder of whole messages makes of ``parts``, however they arrive."""

    def make() -> FrameDecoder:
        return codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED, transforms=transforms())

    return feed_every_way(make, frames(parts, masked=masked))


# --- messages and control frames --------------------------------------------------------------------------------------

MESSAGES: list[tuple[str, list[Part], list[Event]]] = [
    ("text", [(0x81, b"Hello")], ["Hello"]),
    ("binary", [(0x82, b"\x00\xff")], [b"\x00\xff"]),
    ("empty text", [(0x81, b"")], [""]),
    ("empty binary", [(0x82, b"")], [b""]),
    ("125 bytes", [(0x82, b"x" * 125)], [b"x" * 125]),
    ("126 bytes", [(0x82, b"x" * 126)], [b"x" * 126]),
    ("65535 bytes", [(0x81, b"x" * 65535)], ["x" * 65535]),
    ("65536 bytes", [(0x81, b"x" * 65536)], ["x" * 65536]),
    ("two in a row", [(0x81, b"a"), (0x82, b"b")], ["a", b"b"]),
    ("fragments §5.4", [(0x01, b"Hel"), (0x80, b"lo")], ["Hello"]),
    ("empty fragments §5.4", [(0x02, b""), (0x00, b""), (0x80, b"")], [b""]),
    ("empty text fragments §5.4", [(0x01, b""), (0x00, "é".encode()), (0x80, b"")], ["é"]),
    ("ping §5.5.2", [(0x89, b"Hello")], [Ping(b"Hello")]),
    ("pong §5.5.3", [(0x8A, b"x" * 125)], [Pong(b"x" * 125)]),
    ("empty ping §5.5", [(0x89, b""), (0x8A, b"")], [Ping(), Pong()]),
    (
        "control frames between fragments §5.4",
        [(0x01, b"\xe2"), (0x89, b"\xff"), (0x00, b"\x82"), (0x8A, b""), (0x80, b"\xac")],
        [Ping(b"\xff"), Pong(), "€"],
    ),
    ("binary need not be UTF-8 §5.6", [(0x02, b"\xff"), (0x80, b"\xc0")], [b"\xff\xc0"]),
    ("a message after a fragmented one", [(0x01, b"a"), (0x80, b"b"), (0x81, b"c")], ["ab", "c"]),
]


@pytest.mark.parametrize(("parts", "events"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES])
def test_messages(codec: type[FrameDecoder], masked: bool, parts: list[Part], events: list[Event]) -> None:
    outcome = whole(codec, masked, parts)
    controls = sum(isinstance(event, Ping | Pong) for event in events)
    assert outcome == Outcome(events, controls, None, None)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x03\xe8", b"\x0f\xa0" + "Tschüß €😀".encode(), b"\x0b\xb8" + b"x" * 123],
    ids=["no code §7.1.5", "code", "reason", "longest §5.5"],
)
@pytest.mark.parametrize("before", [[], [(0x81, b"a")], [(0x01, b"a")]], ids=["alone", "after", "within a message"])
def test_a_close_frame_ends_it(codec: type[FrameDecoder], masked: bool, before: list[Part], payload: bytes) -> None:
    parts = [*before, (0x88, payload), (0x81, b"late"), (0x89, b"late"), (0x88, b"")]
    whole_messages: list[Event] = ["a"] if before[:1] == [(0x81, b"a")] else []
    assert whole(codec, masked, parts) == Outcome(whole_messages, 1, None, payload)


def test_at_first_there_is_nothing_to_tell(codec: type[FrameDecoder], masked: bool, receive: Receive) -> None:
    decoder = codec(masked=masked, receive=receive, limits=UNLIMITED)
    assert (decoder.controls, decoder.control_allowance, decoder.in_message) == (0, None, False)
    assert (decoder.failure, decoder.close_payload) == (None, None)


def test_controls_are_counted_for_each_batch(codec: type[FrameDecoder], masked: bool) -> None:
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED)
    ping, text = frame(0x89, masked=masked), frame(0x81, masked=masked)
    counts: list[int] = []
    for data in (ping * 3 + text, text, ping[:1], ping[1:] + frame(0x88, masked=masked), ping):
        decoder.decode(data)
        counts.append(decoder.controls)
    assert counts == [3, 0, 0, 2, 0]


def test_nothing_comes_of_nothing(codec: type[FrameDecoder], masked: bool, receive: Receive) -> None:
    decoder = codec(masked=masked, receive=receive, limits=UNLIMITED)
    data = frame(0x81, b"ab", masked=masked)
    pieces = [piece for index in range(len(data)) for piece in (b"", data[index : index + 1], b"")]
    assert joined(feed(decoder, pieces).events) in (["ab"], [Fragment("ab", True)])


def test_in_message_lasts_from_the_first_header_to_the_last_byte(
    codec: type[FrameDecoder], masked: bool, receive: Receive
) -> None:
    decoder = codec(masked=masked, receive=receive, limits=UNLIMITED)
    first, ping, last = (frame(*part, masked=masked) for part in [(0x01, b"a"), (0x89, b""), (0x80, b"b")])
    seen: list[bool] = []
    for data in (b"", first[:-1], first[-1:], ping, last[:-1], last[-1:], ping, frame(0x82, masked=masked)):
        decoder.decode(data)
        seen.append(decoder.in_message)
    assert seen == [False, True, True, True, True, False, False, False]


# --- receive modes ----------------------------------------------------------------------------------------------------


def pieces_of(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    edges = [0]
    for size in sizes:
        edges.append(edges[-1] + size)
    return [data[start:stop] for start, stop in pairwise([*edges, len(data)])]


PAYLOAD = EMOJI.encode()
FRAGMENTATIONS = [
    [],
    *([cut] for cut in range(len(PAYLOAD) + 1)),
    [1] * (len(PAYLOAD) - 1),
    [0, 4, 0, 3],
]


@pytest.mark.parametrize("text", [True, False], ids=["text", "binary"])
@pytest.mark.parametrize("sizes", FRAGMENTATIONS, ids=str)
def test_parts_add_up_to_the_message(
    codec: type[FrameDecoder], masked: bool, receive: Receive, text: bool, sizes: list[int]
) -> None:
    message = EMOJI if text else PAYLOAD
    parts = fragments(TEXT if text else BINARY, pieces_of(PAYLOAD, sizes))
    with_pings = [part for pair in zip(parts, [(0x89, b"")] * len(parts), strict=True) for part in pair]
    for data in (frames(parts, masked=masked), frames(with_pings, masked=masked)):
        for arrival in feedings(data * 2):
            outcome = feed(codec(masked=masked, receive=receive, limits=UNLIMITED), arrival)
            events = [event for event in outcome.events if not isinstance(event, Ping)]
            assert joined(events) == ([message] * 2 if receive is Receive.MESSAGES else [Fragment(message, True)] * 2)
            assert all(event.data or event.final for event in events if isinstance(event, Fragment))
            assert outcome.violation is None


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(0x81, b"")], [Fragment("", True)]),
        (
            [(0x01, b"ab"), (0x00, b"c"), (0x80, b"d")],
            [Fragment("ab", False), Fragment("c", False), Fragment("d", True)],
        ),
        ([(0x02, b"ab"), (0x00, b""), (0x80, b"")], [Fragment(b"ab", False), Fragment(b"", True)]),
        ([(0x01, b"a\xe2"), (0x00, b"\x82"), (0x80, b"\xac")], [Fragment("a", False), Fragment("€", True)]),
        ([(0x01, b"\xe2\x82"), (0x80, b"\xacb")], [Fragment("€b", True)]),
    ],
    ids=["whole", "three frames", "empty ones", "split character", "no character yet"],
)
def test_fragments_come_one_for_each_frame(
    codec: type[FrameDecoder], masked: bool, parts: list[Part], expected: list[Event]
) -> None:
    outcome = feed_every_way(
        lambda: codec(masked=masked, receive=Receive.FRAGMENTS, limits=UNLIMITED), frames(parts, masked=masked)
    )
    assert outcome.events == expected


def test_chunks_come_before_the_frame_is_complete(codec: type[FrameDecoder], masked: bool) -> None:
    decoder = codec(masked=masked, receive=Receive.CHUNKS, limits=UNLIMITED)
    text = frame(0x81, "ab€c".encode(), masked=masked)
    start = len(text) - 6
    arrival = [text[:start], *(text[index : index + 1] for index in range(start, len(text)))]
    assert [decoder.decode(piece) for piece in arrival] == [
        [],
        [Fragment("a", False)],
        [Fragment("b", False)],
        [],
        [],
        [Fragment("€", False)],
        [Fragment("c", True)],
    ]


# --- transforms (RFC 6455 §9) -----------------------------------------------------------------------------------------

HELLO = bytes.fromhex("f248cdc9c90700")  # RFC 7692 §7.2.3.1

TRANSFORMED: list[tuple[str, Transforms, list[Part], list[Event]]] = [
    ("without reserved bits every message", lambda: [Rot13()], [(0x82, b"\x0e\x0f"), (0x81, b"vv")], [b"\1\2", "ii"]),
    ("without reserved bits, control frames not", lambda: [Rot13()], [(0x89, b"v"), (0x81, b"v")], [Ping(b"v"), "i"]),
    ("without reserved bits, fragments", lambda: [Rot13()], [(0x01, b"u"), (0x89, b""), (0x80, b"v")], [Ping(), "hi"]),
    ("marked messages only", lambda: [Braces()], [(0xA1, b"{a}"), (0x81, b"{a}")], ["a", "{a}"]),
    ("held back until the end", lambda: [Braces()], [(0x21, b"{a"), (0x00, b"b"), (0x80, b"}")], ["ab"]),
    ("last one encoded, first one decoded", lambda: [Braces(), Rot13()], [(0xA1, b"\x88n\x8a")], ["a"]),
    ("two marks", lambda: [Braces(), Tripled()], [(0xB1, b"{"), (0x91, b"a"), (0x81, b"a")][1:], ["aaa", "a"]),
    ("permessage-deflate RFC 7692 §7.2.3.1", lambda: [deflate()], [(0xC1, HELLO)], ["Hello"]),
    ("uncompressed among compressed RFC 7692 §6", lambda: [deflate()], [(0x81, b"a"), (0xC1, HELLO)], ["a", "Hello"]),
    (
        "shared window RFC 7692 §7.2.3.2",
        lambda: [deflate()],
        [(0xC1, HELLO), (0xC1, bytes.fromhex("f200110000"))],
        ["Hello", "Hello"],
    ),
    (
        "control frames between compressed fragments",
        lambda: [deflate()],
        [(0x41, HELLO[:3]), (0x89, b"\xff"), (0x80, HELLO[3:]), (0x8A, b""), (0x81, b"z")],
        [Ping(b"\xff"), "Hello", Pong(), "z"],
    ),
    ("empty last fragment", lambda: [deflate()], [(0x42, HELLO), (0x00, b""), (0x80, b"")], [b"Hello"]),
    ("compressed nothing RFC 7692 §7.2.3.6", lambda: [deflate()], [(0xC1, b"\x00"), (0xC2, b"\x00")], ["", b""]),
    ("two extensions, both marks", lambda: [Braces(), deflate()], [(0xE1, deflated(b"{a}"))], ["a"]),
    ("two extensions, either mark", lambda: [Braces(), deflate()], [(0xC1, HELLO), (0xA1, b"{b}")], ["Hello", "b"]),
]


@pytest.mark.parametrize(
    ("transforms", "parts", "events"), [row[1:] for row in TRANSFORMED], ids=[row[0] for row in TRANSFORMED]
)
def test_transforms(
    codec: type[FrameDecoder], masked: bool, transforms: Transforms, parts: list[Part], events: list[Event]
) -> None:
    outcome = whole(codec, masked, parts, transforms)
    assert (outcome.events, outcome.violation) == (events, None)


@pytest.mark.parametrize("level", [0, 1, 9], ids="level {}".format)
@pytest.mark.parametrize("text", [True, False], ids=["text", "binary"])
def test_compressed_messages_cut_anywhere_with_control_frames_between(
    codec: type[FrameDecoder], masked: bool, receive: Receive, text: bool, level: int
) -> None:
    message = EMOJI * 5
    payload = deflated(message.encode(), level)
    opcode = TEXT if text else BINARY
    expected = message if text else message.encode()
    for cut in range(len(payload) + 1):
        parts = [(RSV1 | opcode, payload[:cut]), (FIN | PING, b""), (FIN | CONTINUATION, payload[cut:])]
        data = frames(parts, masked=masked)
        for arrival in ([data], [data[index : index + 1] for index in range(len(data))]):
            decoder = codec(masked=masked, receive=receive, limits=UNLIMITED, transforms=[deflate()])
            events = [event for event in feed(decoder, arrival).events if not isinstance(event, Ping)]
            assert joined(events) == [expected if receive is Receive.MESSAGES else Fragment(expected, True)]


def test_how_large_a_transformed_message_is_known_to_be(codec: type[FrameDecoder], masked: bool) -> None:
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED, transforms=[deflate()])
    compressed = frame(0x41, HELLO, masked=masked)
    said = []
    for piece in (compressed[:-5], compressed[-5:], frame(0x80, b"", masked=masked), frame(0x01, b"hi", masked=masked)):
        decoder.decode(piece)
        said.append(decoder.transformed_size > 0)
    assert said == [True, True, False, False]
    assert decoder.in_message  # which is not transformed


# --- limits -----------------------------------------------------------------------------------------------------------


def size_rows() -> list[tuple[Limits, list[Part], list[Part], Violation]]:
    """Limits, frames that are exactly at them, the same and one byte or frame more, and how that is called."""
    rows: list[tuple[Limits, list[Part], list[Part], Violation]] = []
    for size in (1, 125, 126, 65535, 65536):
        exact, more = b"x" * size, b"x" * (size + 1)
        one_frame = [(FIN | TEXT, exact)], [(FIN | TEXT, more)]
        many = fragments(TEXT, [exact[:1], b"", exact[1:]]), fragments(TEXT, [exact[:1], b"", exact])
        too_big = Violation.MESSAGE_TOO_BIG
        rows += [(Limits(message_size=size), *frames, too_big) for frames in (one_frame, many)]
        rows.append((Limits(frame_size=size), *one_frame, Violation.FRAME_TOO_BIG))
        fragmented = fragments(TEXT, [exact] * 3), fragments(TEXT, [b"", exact, more])
        rows.append((Limits(frame_size=size), *fragmented, Violation.FRAME_TOO_BIG))
    for count in (1, 2, 5):
        enough, too_many = fragments(TEXT, [b"x"] * count), fragments(TEXT, [b"x"] * (count + 1))
        rows.append((Limits(max_fragments=count), enough, too_many, Violation.TOO_MANY_FRAGMENTS))
    return rows


def row_id(value: object) -> str:
    """Short words for a row: the limits that are not the default ones, the number of frames, the name."""
    if isinstance(value, Limits):
        chosen = ((item.name, getattr(value, item.name)) for item in fields(value))
        return ",".join(f"{name}={size}" for name, size in chosen if size != getattr(Limits(), name))
    return value.name if isinstance(value, Violation) else f"{len(value)}" if isinstance(value, list) else ""


@pytest.mark.parametrize(("limits", "exact", "more", "violation"), size_rows(), ids=row_id)
def test_exactly_at_the_limit_passes_and_one_more_is_refused(
    codec: type[FrameDecoder], masked: bool, limits: Limits, exact: list[Part], more: list[Part], violation: Violation
) -> None:
    for arrival in feedings(frames(exact * 2, masked=masked)):
        outcome = feed(codec(masked=masked, receive=Receive.MESSAGES, limits=limits), arrival)
        assert outcome.events == ["".join(payload.decode() for _, payload in exact)] * 2
        assert outcome.violation is None
    for arrival in feedings(frames(more, masked=masked)):
        outcome = feed(codec(masked=masked, receive=Receive.MESSAGES, limits=limits), arrival)
        assert (outcome.events, outcome.violation) == ([], violation)


@pytest.mark.parametrize(
    ("transform", "first", "encoded", "size"),
    [
        (deflate, RSV1, deflated(b"x" * 1000), 1000),
        (Tripled, RSV3, b"x" * 30, 90),
        (Braces, RSV2, b"{" + b"x" * 50 + b"}", 50),
    ],
    ids=["permessage-deflate", "growing", "shrinking"],
)
def test_the_size_of_a_transformed_message_counts_when_transformed_back(
    codec: type[FrameDecoder],
    masked: bool,
    transform: Callable[[], MessageTransform],
    first: int,
    encoded: bytes,
    size: int,
) -> None:
    data = frame(FIN | first | BINARY, encoded, masked=masked)
    for limit, violation in ((size, None), (size - 1, Violation.MESSAGE_TOO_BIG)):
        limits = Limits(message_size=limit)
        outcome = feed_every_way(
            lambda limits=limits: codec(  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                masked=masked, receive=Receive.MESSAGES, limits=limits, transforms=[transform()]
            ),
            data,
        )
        assert outcome.violation is violation
        assert outcome.events == ([b"x" * size] if violation is None else [])


@pytest.mark.parametrize("limits", [Limits(message_size=5), Limits(frame_size=5)], ids=["message", "frame"])
def test_limits_of_messages_are_not_those_of_control_frames(
    codec: type[FrameDecoder], masked: bool, limits: Limits
) -> None:
    parts = [(0x01, b"abc"), (FIN | PING, b"x" * 125), (FIN | PONG, b"x" * 125), (0x80, b"de"), (FIN | CLOSE, b"")]
    outcome = feed_every_way(
        lambda: codec(masked=masked, receive=Receive.MESSAGES, limits=limits), frames(parts, masked=masked)
    )
    assert outcome == Outcome([Ping(b"x" * 125), Pong(b"x" * 125), "abcde"], 3, None, b"")


def test_no_limit_is_no_limit(codec: type[FrameDecoder], masked: bool) -> None:
    limits = Limits(message_size=None, frame_size=None, max_fragments=None, control_frame_rate=None)
    parts = fragments(BINARY, [b"x" * 70_000] * 40)
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=limits)
    assert decoder.decode(frames(parts, masked=masked)) == [b"x" * 2_800_000]


@pytest.mark.parametrize("allowance", [0, 1, 3])
def test_the_control_allowance_is_what_one_batch_may_hold(
    codec: type[FrameDecoder], masked: bool, allowance: int
) -> None:
    ping, text = frame(0x89, masked=masked), frame(0x81, b"a", masked=masked)
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED)
    for _ in range(2):
        decoder.control_allowance = allowance
        assert decoder.decode(text + ping * allowance + text) == ["a", *[Ping()] * allowance, "a"]
        assert decoder.controls == allowance
    assert decoder.decode(text + ping * (allowance + 1) + text) == ["a", *[Ping()] * allowance]
    assert decoder.failure is not None
    assert decoder.failure.violation is Violation.CONTROL_FLOOD
    assert decoder.controls == allowance, "one event for each that is counted"


# --- where the bytes are ----------------------------------------------------------------------------------------------


class Scratch:
    """Where reads go, one after the other."""

    def __init__(self) -> None:
        self._memory = memoryview(bytearray(1 << 18))
        self._used = 0

    def __call__(self, piece: bytes) -> memoryview:
        self._memory[: self._used] = b"\xaa" * self._used
        self._used = len(piece)
        self._memory[: self._used] = piece
        return self._memory[: self._used]


LARGE: Final = 0x4000
SOME_FRAMES: Final = st.lists(
    st.tuples(
        st.sampled_from(
            [FIN | TEXT, FIN | BINARY, TEXT, BINARY, CONTINUATION, FIN | CONTINUATION, FIN | PING, 0xC2, 0x83]
        ),
        st.sampled_from([0, 5, 125, 126, LARGE - 1, LARGE, LARGE + 99, 65_535, 65_536, 90_000]),
    ),
    max_size=5,
)


@settings(max_examples=50)
@given(parts=SOME_FRAMES, sizes=st.lists(st.integers(1, 15) | st.integers(LARGE - 3, 1 << 18), max_size=5))
@pytest.mark.parametrize("transforms", [list, lambda: [Rot13()]], ids=["as they are", "transformed"])
def test_it_makes_no_difference_where_the_bytes_are(
    codec: type[FrameDecoder],
    masked: bool,
    receive: Receive,
    transforms: Transforms,
    parts: list[tuple[int, int]],
    sizes: list[int],
) -> None:
    """Nor what becomes of that place afterwards."""
    wire = b"".join(frame(first, b"a" * size, masked=masked) for first, size in parts)
    outcomes = []
    for place in (bytes, Scratch()):
        decoder = codec(masked=masked, receive=receive, limits=Limits(message_size=200_000), transforms=transforms())
        events: list[Event] = []
        position = 0
        for size in [*sizes, LARGE] * 30:
            events += decoder.decode(place(wire[position : position + size]))
            position += size
        failure = decoder.failure
        outcomes.append((events, failure and (failure.violation, failure.detail), decoder.in_message))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "look",
    [memoryview, lambda data: memoryview(array("H", data)), lambda data: memoryview(bytes(2 * len(data)))[::2]],
    ids=["bytes", "integers", "strided"],
)
def test_a_view_may_be_of_anything(codec: type[FrameDecoder], look: Callable[[bytes], memoryview]) -> None:
    data = frame(FIN | BINARY, bytes(70_000), masked=False)
    view = look(data)
    decoders = [codec(masked=False, receive=Receive.MESSAGES, limits=UNLIMITED) for _ in range(2)]
    assert decoders[0].decode(view) == decoders[1].decode(bytes(view))
    assert str(decoders[0].failure) == str(decoders[1].failure)


@pytest.mark.parametrize("data", ["text", "x" * 70_000, None, 5])
def test_nothing_else_is_data(codec: type[FrameDecoder], data: Any) -> None:
    with pytest.raises(TypeError):
        codec(masked=False, receive=Receive.MESSAGES, limits=UNLIMITED).decode(data)
