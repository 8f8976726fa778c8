"""What the strategies promise: texts, frames, chunkings, compression, conversations."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.kit import find
from wsproto_core import Violation, is_wire_code
from wsproto_core.frames import Frame, Opcode, parse_frames
from wsproto_fuzz.oracles import Reading, read_with_engine
from wsproto_fuzz.strategies import (
    CORRUPT_DEFLATE,
    BrokenText,
    Chunking,
    Conversation,
    DeflateTerms,
    Goodbye,
    SentMessage,
    Speaker,
    SplitText,
    broken_texts,
    chunkings,
    close_codes,
    close_payloads,
    control_frames,
    conversations,
    data_frames,
    deflate_streams,
    deflate_terms,
    frames,
    hostile_bytes,
    invalid_close_codes,
    invalid_close_payloads,
    near_frames,
    payloads,
    sent_messages,
    speakers,
    split_texts,
    texts,
)

TERMS = st.none() | deflate_terms()


# --- chunkings --------------------------------------------------------------------------------------------------------


@given(data=st.binary(max_size=300), chunking=chunkings())
def test_a_chunking_loses_nothing_and_reads_nothing_empty(data: bytes, chunking: Chunking) -> None:
    pieces = chunking(data)
    assert b"".join(pieces) == data
    assert all(pieces)


@pytest.mark.parametrize(
    ("chunking", "pieces"),
    [
        (Chunking(), [b"abcdef"]),
        (Chunking(size=1), [b"a", b"b", b"c", b"d", b"e", b"f"]),
        (Chunking(size=4), [b"abcd", b"ef"]),
        (Chunking((4, 2)), [b"ab", b"cd", b"ef"]),
        (Chunking((0, 2, 2, 9)), [b"ab", b"cdef"]),  # 9 % 7 is 2
    ],
    ids=repr,
)
def test_a_chunking_cuts_where_it_says(chunking: Chunking, pieces: list[bytes]) -> None:
    assert chunking(b"abcdef") == pieces
    assert chunking(b"") == []


# --- text -------------------------------------------------------------------------------------------------------------


@given(text=texts())
def test_a_text_can_be_sent(text: str) -> None:
    assert text.encode().decode() == text


@given(broken=broken_texts())
def test_a_broken_text_breaks_at_the_byte_that_it_names(broken: BrokenText) -> None:
    data, certain_at = broken.data, broken.certain_at
    if certain_at is None:
        assert can_become_text(data)
        assert not is_text(data)
    else:
        assert can_become_text(data[:certain_at])
        assert not can_become_text(data[: certain_at + 1])


#: Continuation bytes on both sides of every rule about them.
CONTINUATIONS = [b"\x80", b"\x8f", b"\x90", b"\x9f", b"\xa0", b"\xbf"]


def can_become_text(data: bytes) -> bool:
    """Whether any continuation makes it UTF-8, found out by trying. (CPython's decoder takes ``ED A0`` at first.)"""
    return any(is_text(data + b"".join(rest)) for size in range(4) for rest in product(CONTINUATIONS, repeat=size))


@given(split=split_texts())
def test_a_split_text_is_cut_within_a_character(split: SplitText) -> None:
    assert b"".join(split.pieces).decode() == split.text
    assert any(not is_text(piece) for piece in split.pieces)


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


# --- frames -----------------------------------------------------------------------------------------------------------


@given(payload=payloads())
def test_payloads_have_sizes_at_which_something_changes(payload: bytes) -> None:
    assert len(payload) <= 100 or len(payload) in (125, 126, 127, 65_535, 65_536)


@given(data=st.data(), masked=st.booleans())
def test_frames_are_as_their_side_sends_them(data: st.DataObject, masked: bool) -> None:
    frame = data.draw(frames(masked=masked) | control_frames(masked=masked) | data_frames(masked=masked))
    assert (frame.mask is not None) is masked
    assert list(parse_frames(bytes(frame))) == [frame]
    assert read_with_engine([bytes(frame)], masked=masked).failure is None


@given(data=st.data(), masked=st.booleans())
def test_hostile_bytes_make_the_engine_neither_raise_nor_hang(data: st.DataObject, masked: bool) -> None:
    near, hostile = data.draw(near_frames(masked=masked)), data.draw(hostile_bytes(masked=masked))
    read_with_engine([near, hostile], masked=masked)


@pytest.mark.parametrize(
    "is_wanted",
    [
        lambda reading: reading.told,
        lambda reading: reading.goodbye,
        lambda reading: reading.violation is Violation.UNMASKED_FRAME,
        lambda reading: reading.violation is Violation.RESERVED_OPCODE,
        lambda reading: reading.violation is Violation.NON_MINIMAL_LENGTH,
    ],
    ids=["told", "goodbye", "unmasked", "opcode", "length"],
)
def test_near_frames_are_right_wrong_and_lying(is_wanted: Callable[[Reading], bool]) -> None:
    find(near_frames(masked=True), lambda data: is_wanted(read_with_engine([data], masked=True)))


# --- close frames -----------------------------------------------------------------------------------------------------


@given(valid=close_codes(), invalid=invalid_close_codes())
def test_close_codes(valid: int, invalid: int) -> None:
    assert is_wire_code(valid)
    assert not is_wire_code(invalid)


@given(valid=close_payloads(), invalid=invalid_close_payloads())
def test_close_payloads(valid: bytes, invalid: bytes) -> None:
    assert read_with_engine([bytes(Frame(Opcode.CLOSE, valid))], masked=False).goodbye is not None
    assert len(invalid) <= 125
    assert read_with_engine([bytes(Frame(Opcode.CLOSE, invalid))], masked=False).failure in (1002, 1007)


# --- permessage-deflate -----------------------------------------------------------------------------------------------


@given(data=st.data(), terms=deflate_terms(), client=st.booleans())
def test_a_deflate_stream_inflates_by_one_context_or_by_many(
    data: st.DataObject, terms: DeflateTerms, client: bool
) -> None:
    bits = terms.client_max_window_bits if client else terms.server_max_window_bits
    restarts = terms.client_no_context_takeover if client else terms.server_no_context_takeover
    inflater = zlib.decompressobj(-bits)
    for payload, wire in data.draw(deflate_streams(terms, client=client)):
        assert wire
        inflated = b""
        rest = wire + b"\x00\x00\xff\xff"
        while rest:  # a last block ends the stream of zlib, and not the one of the connection
            inflated += inflater.decompress(rest)
            rest = inflater.unused_data
            inflater = zlib.decompressobj(-bits) if inflater.eof else inflater
        assert inflated == payload
        inflater = zlib.decompressobj(-bits) if restarts else inflater


def test_some_deflate_streams_need_the_context() -> None:
    terms = DeflateTerms()

    def needs_context(stream: list[tuple[bytes, bytes]]) -> bool:
        try:
            return any(zlib.decompressobj(-15).decompress(wire) != payload for payload, wire in stream)
        except zlib.error:
            return True

    found = find(deflate_streams(terms, client=True), needs_context)
    assert len(found) == 2


@given(tail=st.binary(max_size=5))
def test_corrupt_deflate_is_corrupt_whatever_follows(tail: bytes) -> None:
    for corrupt in CORRUPT_DEFLATE:
        with pytest.raises(zlib.error):
            zlib.decompressobj(-15).decompress(corrupt + tail + b"\x00\x00\xff\xff")


def test_terms_in_a_header() -> None:
    assert DeflateTerms().header == "permessage-deflate"
    terms = DeflateTerms(client_no_context_takeover=True, server_max_window_bits=9)
    assert terms.header == "permessage-deflate; client_no_context_takeover; server_max_window_bits=9"
    assert terms.extension.server_max_window_bits == 9


# --- messages and conversations ---------------------------------------------------------------------------------------


@given(sent=sent_messages(), speaker=speakers(masked=True))
def test_a_message_is_its_fragments_with_controls_between_them(sent: SentMessage, speaker: Speaker) -> None:
    said = list(parse_frames(speaker.encode([sent])))
    data = [frame for frame in said if frame.opcode < 8]
    assert len(data) == len(sent.cuts) + 1
    assert [frame.final for frame in data] == [False] * len(sent.cuts) + [True]
    assert [frame.opcode for frame in data[1:]] == [Opcode.CONTINUATION] * len(sent.cuts)
    assert [frame.payload for frame in said if frame.opcode >= 8] == [control.payload for control in sent.controls]
    assert {frame.mask for frame in said} <= set(speaker.keys)
    assert said[-1].opcode < 8


@given(data=st.data(), masked=st.booleans(), terms=TERMS, offending=st.booleans())
def test_a_receiver_is_told_what_the_conversation_knows(
    data: st.DataObject, masked: bool, terms: DeflateTerms | None, offending: bool
) -> None:
    talk = data.draw(conversations(masked=masked, terms=terms, offending=offending))
    extensions = [] if terms is None else [terms.extension]
    reading = read_with_engine(talk.pieces(), masked=masked, extensions=extensions)
    assert reading.told[: len(talk.told)] == talk.told
    assert reading.violation is talk.violation
    if talk.violation is None:
        assert reading.told == talk.told
        assert reading.goodbye == (None if talk.goodbye is None else (talk.goodbye.code or 1005, talk.goodbye.reason))


def test_a_conversation_reads_as_a_transcript() -> None:
    talk = Conversation(
        (SentMessage("hé", (1,)), Goodbye(1001, "bye")), Speaker((b"\x00\x00\x00\x00",)), Chunking(size=8)
    )
    assert str(talk).splitlines() == [
        "   0.000 -> TEXT more masked 1 byte 'h'  [01 81 00 00 00 00 68]",
        "   0.000 -> CONTINUATION fin masked 2 bytes 'é'  [80 82 00 00 00 00 c3 a9]",
        "   0.000 -> CLOSE fin masked 1001 'bye'  [88 85 00 00 00 00 03 e9 62 79 65]",
        "It arrives in reads of [8, 8, 8, 2] bytes.",
    ]
    assert str(Conversation()) == "Nothing is said."
