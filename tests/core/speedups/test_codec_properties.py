"""The frame loop under random peers, random chunking, and another implementation's eyes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.kit import (
    BINARY,
    CONTINUATION,
    FIN,
    PING,
    TEXT,
    TIGHT,
    UNLIMITED,
    Outcome,
    Rot13,
    deflate,
    feed,
    frame,
    joined,
)
from wsproto_core._config import Limits
from wsproto_core._events import Event, Fragment, Ping, Pong
from wsproto_core._extensions.base import MessageTransform
from wsproto_core._protocol.states import INCOMING, Frames, Position
from wsproto_core._speedups import FrameDecoder
from wsproto_core._types import Receive
from wsproto_core._violations import Violation
from wsproto_core._wire.close_payload import decode_close_payload
from wsproto_fuzz.oracles import Reading, same_however_cut
from wsproto_fuzz.oracles.websockets_reader import read_with_websockets
from wsproto_fuzz.strategies import (
    Chunking,
    DeflateTerms,
    chunkings,
    close_payloads,
    conversations,
    hostile_bytes,
    invalid_close_payloads,
)

# --- what is sent is what is received ---------------------------------------------------------------------------------


@given(data=st.data(), receive=st.sampled_from(Receive))
def test_every_message_arrives_however_it_is_cut(
    codec: type[FrameDecoder], masked: bool, data: st.DataObject, receive: Receive
) -> None:
    talk = data.draw(conversations(masked=masked, terms=DeflateTerms(), max_size=1000))
    decoder = codec(masked=masked, receive=receive, limits=UNLIMITED, transforms=[deflate()])
    outcome = feed(decoder, talk.pieces())
    expected = [event if receive is Receive.MESSAGES else whole(event) for event in talk.told]
    assert joined_around_controls(outcome.events) == expected
    assert outcome.violation is None
    assert (outcome.close_payload is not None) is (talk.goodbye is not None)
    assert outcome.controls == sum(isinstance(event, Ping | Pong) for event in expected) + (talk.goodbye is not None)


def whole(event: Event) -> Event:
    return Fragment(event, True) if isinstance(event, str | bytes) else event


def joined_around_controls(events: list[Event]) -> list[Event]:
    """As ``joined``, also where control frames stand between: they come first then."""
    result: list[Event] = []
    parts: list[Event] = []
    for event in events:
        if isinstance(event, Fragment):
            parts = joined([*parts, event])
            if not event.final:
                continue
            result += parts
            parts = []
        else:
            result.append(event)
    return result + parts


# --- hostile bytes ----------------------------------------------------------------------------------------------------

TRANSFORMS: Final[list[Callable[[], list[MessageTransform]]]] = [list, lambda: [Rot13()]]


@settings(max_examples=300)
@given(
    data=st.data(),
    chunking=chunkings(),
    receive=st.sampled_from([Receive.MESSAGES, Receive.FRAGMENTS]),
    limits=st.sampled_from([UNLIMITED, TIGHT]),
    transforms=st.sampled_from(TRANSFORMS),
)
def test_chunking_changes_neither_events_nor_verdict(
    codec: type[FrameDecoder],
    masked: bool,
    data: st.DataObject,
    chunking: Chunking,
    receive: Receive,
    limits: Limits,
    transforms: Callable[[], list[MessageTransform]],
) -> None:
    def outcome(pieces: list[bytes]) -> Outcome:
        return feed(codec(masked=masked, receive=receive, limits=limits, transforms=transforms()), pieces)

    hostile = data.draw(hostile_bytes(masked=masked))
    same_however_cut(outcome, hostile, [chunking(hostile), single_bytes(hostile)])


def single_bytes(data: bytes) -> list[bytes]:
    return Chunking(size=1)(data)


@given(data=st.data(), chunking=chunkings())
def test_chunks_differ_only_in_how_much_of_the_offending_frame_was_seen(
    codec: type[FrameDecoder], masked: bool, data: st.DataObject, chunking: Chunking
) -> None:
    hostile = data.draw(hostile_bytes(masked=masked))
    whole, pieces, single = (
        feed(codec(masked=masked, receive=Receive.CHUNKS, limits=TIGHT), arrival)
        for arrival in ([hostile], chunking(hostile), single_bytes(hostile))
    )
    assert (whole.violation, whole.close_payload) == (pieces.violation, pieces.close_payload)
    assert (whole.violation, whole.close_payload) == (single.violation, single.close_payload)
    shown = [flat(outcome.events) for outcome in (whole, pieces, single)]
    assert shown[1][: len(shown[0])] == shown[0]
    assert shown[2][: len(shown[1])] == shown[1]
    if whole.violation is None:
        assert shown[0] == shown[1] == shown[2]


def flat(events: list[Event]) -> list[object]:
    """Events with every part of a message taken apart into characters or bytes."""
    result: list[object] = []
    for event in events:
        result += [*event.data, *(["end"] if event.final else [])] if isinstance(event, Fragment) else [event]
    return result


@settings(max_examples=300)
@given(data=st.data(), chunking=chunkings(), receive=st.sampled_from(Receive))
def test_nothing_raises_and_after_the_end_nothing_comes(
    codec: type[FrameDecoder], masked: bool, data: st.DataObject, chunking: Chunking, receive: Receive
) -> None:
    hostile = data.draw(hostile_bytes(masked=masked))
    decoder = codec(masked=masked, receive=receive, limits=TIGHT, transforms=[deflate(TIGHT)])
    ended = False
    for piece in chunking(hostile):
        events = decoder.decode(piece)
        assert not (ended and events)
        assert decoder.controls - (decoder.close_payload is not None and not ended) == sum(
            isinstance(event, Ping | Pong) for event in events
        )
        ended = decoder.failure is not None or decoder.close_payload is not None
        assert decoder.failure is None or decoder.close_payload is None


# --- the table of the peer's frames (RFC 6455 §5.4) -------------------------------------------------------------------

FIRST_BYTE: Final = {
    Frames.TEXT: TEXT,
    Frames.WHOLE_TEXT: FIN | TEXT,
    Frames.BINARY: BINARY,
    Frames.WHOLE_BINARY: FIN | BINARY,
    Frames.CONTINUATION: CONTINUATION,
    Frames.LAST_CONTINUATION: FIN | CONTINUATION,
    Frames.CONTROL: FIN | PING,
}


@settings(max_examples=300)
@given(kinds=st.lists(st.sampled_from(Frames), max_size=12), chunking=chunkings())
def test_the_frame_loop_obeys_the_table(
    codec: type[FrameDecoder], masked: bool, kinds: list[Frames], chunking: Chunking
) -> None:
    """It fails exactly where ``INCOMING`` has no entry, and stands where the table says."""
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED)
    position = Position.BETWEEN_MESSAGES
    for kind in kinds:
        feed(decoder, chunking(frame(FIRST_BYTE[kind], b"a", masked=masked)))
        if kind not in INCOMING[position]:
            assert decoder.failure is not None
            continuation = kind in (Frames.CONTINUATION, Frames.LAST_CONTINUATION)
            offence = Violation.UNEXPECTED_CONTINUATION if continuation else Violation.MESSAGE_INTERRUPTED
            assert decoder.failure.violation is offence
            return
        assert decoder.failure is None
        position = INCOMING[position][kind]
        assert decoder.in_message is (position is not Position.BETWEEN_MESSAGES)
    decoder.decode(frame(FIN | CONTINUATION, b"z", masked=masked))
    assert (decoder.failure is None) is (Frames.LAST_CONTINUATION in INCOMING[position])


@given(kinds=st.lists(st.sampled_from([Frames.TEXT, Frames.BINARY, Frames.CONTINUATION, Frames.CONTROL]), min_size=1))
def test_the_position_is_text_or_binary_as_the_message_began(
    codec: type[FrameDecoder], masked: bool, kinds: list[Frames]
) -> None:
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED)
    position = Position.BETWEEN_MESSAGES
    for kind in kinds:
        if kind in INCOMING[position]:
            decoder.decode(frame(FIRST_BYTE[kind], masked=masked))
            position = INCOMING[position][kind]
    expected: dict[Position, list[Event]] = {Position.IN_TEXT: ["z"], Position.IN_BINARY: [b"z"]}
    assert decoder.decode(frame(FIN | CONTINUATION, b"z", masked=masked)) == expected.get(position, [])


# --- an oracle --------------------------------------------------------------------------------------------------------

#: Frames in any order, with complete payloads and the shortest lengths. What the RFC leaves open is left out: a close
#: frame in a message.
COMPLETE: Final = st.lists(
    st.tuples(
        st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A])
        | st.integers(0, 255).filter(lambda first: first & 15 != 8),
        st.integers(0, 40).map("é".__mul__).map(str.encode) | st.just(b"x" * 125) | st.just(b"x" * 126),
        st.integers(0, 30).map(bool),
    ),
    max_size=10,
)


@settings(max_examples=300)
@given(parts=COMPLETE, chunking=chunkings())
def test_it_agrees_with_websockets(
    codec: type[FrameDecoder], masked: bool, parts: list[tuple[int, bytes, bool]], chunking: Chunking
) -> None:
    data = b"".join(frame(first, payload, masked=masked is right) for first, payload, right in parts)
    outcome = feed(codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED), chunking(data))
    assert reading_of(outcome) == read_with_websockets([data], masked=masked)


@settings(max_examples=300)
@given(payload=close_payloads() | invalid_close_payloads(), chunking=chunkings())
def test_it_agrees_with_websockets_on_close_frames(
    codec: type[FrameDecoder], masked: bool, payload: bytes, chunking: Chunking
) -> None:
    data = frame(0x88, payload, masked=masked)
    outcome = feed(codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED), chunking(data))
    assert reading_of(outcome) == read_with_websockets([data], masked=masked)


def reading_of(outcome: Outcome) -> Reading:
    """The outcome in words that another library's answers translate into."""
    told = tuple(event for event in outcome.events if isinstance(event, str | bytes | Ping | Pong))
    goodbye = None if outcome.close_payload is None else decode_close_payload(outcome.close_payload)
    failure = None if outcome.violation is None else outcome.violation.close_code
    return Reading(told, goodbye, failure)
