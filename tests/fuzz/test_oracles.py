"""Oracles: that they find what does not agree, and that our engine agrees with everybody."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wsproto_core import Limits, Ping, Receive, Violation
from wsproto_core.testing import frame_decoders
from wsproto_fuzz.oracles import Disagreement, Reading, agree, feedings, read_with_engine, same_however_cut
from wsproto_fuzz.oracles.websockets_reader import read_with_websockets
from wsproto_fuzz.oracles.wsproto_reader import read_with_wsproto
from wsproto_fuzz.strategies import (
    Chunking,
    Conversation,
    DeflateTerms,
    Offence,
    SentMessage,
    chunkings,
    conversations,
    deflate_terms,
    hostile_bytes,
    offences,
    speakers,
)

TERMS = st.none() | deflate_terms()
LIMITS = st.sampled_from(
    [Limits(), Limits(message_size=150, frame_size=120, max_fragments=3), Limits(message_size=None)]
)


#: Close codes that were registered after RFC 6455: wsproto refuses one or the other, whatever stands behind it.
REGISTERED_LATER = {1012, 1013, 1014}
#: Lengths that are written in more bytes than they need, or in 64 bits of which the first is set.
WEBSOCKETS_LETS_PASS = {Violation.NON_MINIMAL_LENGTH, Violation.LENGTH_OVERFLOW}


# --- chunkings --------------------------------------------------------------------------------------------------------


def test_feedings() -> None:
    assert list(feedings(b"abc")) == [[b"abc"], [b"a", b"b", b"c"], [b"a", b"bc"], [b"ab", b"c"]]
    assert len(list(feedings(bytes(1000)))) == 22


def test_what_depends_on_chunks_is_found() -> None:
    assert same_however_cut(b"".join, b"abc") == b"abc"
    with pytest.raises(Disagreement, match=r"pieces of \[1, 2\] bytes"):
        same_however_cut(lambda pieces: pieces[0] == b"a" and len(pieces) == 2, b"abc")
    with pytest.raises(Disagreement, match=r"\[2, 1\]"):
        same_however_cut(len, b"abc", [Chunking((2,))(b"abc")])


@given(data=st.data(), masked=st.booleans(), limits=LIMITS)
def test_our_engine_understands_hostile_bytes_alike(data: st.DataObject, masked: bool, limits: Limits) -> None:
    hostile = data.draw(hostile_bytes(masked=masked))
    same_however_cut(lambda pieces: read_with_engine(pieces, masked=masked, limits=limits), hostile)


# --- twins ------------------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(
    data=st.data(),
    masked=st.booleans(),
    terms=TERMS,
    chunking=chunkings(),
    receive=st.sampled_from(Receive),
    limits=LIMITS,
    allowance=st.none() | st.integers(0, 3),
)
def test_the_twins_agree(
    data: st.DataObject,
    masked: bool,
    terms: DeflateTerms | None,
    chunking: Chunking,
    receive: Receive,
    limits: Limits,
    allowance: int | None,
) -> None:
    wire = data.draw(
        hostile_bytes(masked=masked) | conversations(masked=masked, terms=terms, offending=True).map(bytes)
    )
    decoders = [
        decoder(
            masked=masked,
            receive=receive,
            limits=limits,
            transforms=[] if terms is None else [terms.extension.confirm(terms.parameters, limits)],
        )
        for decoder in frame_decoders().values()
    ]
    for decoder in decoders:
        decoder.control_allowance = allowance
    agree(decoders, chunking(wire))


def test_there_are_two_twins() -> None:
    """`make twin` has built the second one; without it, the oracle would agree with itself."""
    assert [*frame_decoders()] == ["python", "compiled"]


def test_twins_that_differ_are_found() -> None:
    decoder = frame_decoders()["python"]
    right, wrong = (decoder(masked=masked, receive=Receive.MESSAGES, limits=Limits()) for masked in (False, True))
    with pytest.raises(Disagreement, match=r"read 1 \(2 bytes\)"):
        agree([right, wrong], [b"", b"\x89\x00"])


# --- other libraries --------------------------------------------------------------------------------------------------


def read_with_ours(pieces: Sequence[bytes], *, masked: bool, terms: DeflateTerms | None) -> Reading:
    return read_with_engine(pieces, masked=masked, extensions=[] if terms is None else [terms.extension])


def is_goodbye_of_later(offence: Offence) -> bool:
    """Whether it stands behind a close code that wsproto may refuse."""
    if offence.violation is not Violation.CLOSE_REASON_INVALID_UTF8:
        return False
    (frame,) = offence.frames
    return int.from_bytes(bytes(frame)[2:4], "big") in REGISTERED_LATER


def deflations_of(talk: Conversation) -> list[SentMessage]:
    return [item for item in talk.operations if isinstance(item, SentMessage) and item.deflation is not None]


@settings(max_examples=200)
@given(data=st.data(), masked=st.booleans(), terms=TERMS)
def test_websockets_understands_the_same(data: st.DataObject, masked: bool, terms: DeflateTerms | None) -> None:
    talk = data.draw(conversations(masked=masked, terms=terms))
    # It inflates nothing behind a last block.
    assume(not any(item.deflation is not None and item.deflation.is_final for item in deflations_of(talk)))
    theirs = read_with_websockets(talk.pieces(), masked=masked, terms=terms)
    assert read_with_ours(talk.pieces(), masked=masked, terms=terms) == theirs
    assert theirs.told == talk.told


@settings(max_examples=200)
@given(data=st.data(), masked=st.booleans(), terms=TERMS)
def test_wsproto_understands_the_same(data: st.DataObject, masked: bool, terms: DeflateTerms | None) -> None:
    talk = data.draw(conversations(masked=masked, terms=terms))
    # As for websockets; and it takes a control frame for the end of a compressed message that it stands in.
    assume(not any(item.deflation is not None and item.deflation.is_final for item in deflations_of(talk)))
    assume(not any(item.controls for item in deflations_of(talk)))
    assume(talk.goodbye is None or talk.goodbye.code not in REGISTERED_LATER)
    theirs = read_with_wsproto(talk.pieces(), masked=masked, terms=terms)
    assert read_with_ours(talk.pieces(), masked=masked, terms=terms) == theirs
    assert theirs.told == talk.told


@settings(max_examples=300)
@given(data=st.data(), masked=st.booleans(), terms=TERMS, chunking=chunkings())
def test_all_three_refuse_the_same_with_the_same_code(
    data: st.DataObject, masked: bool, terms: DeflateTerms | None, chunking: Chunking
) -> None:
    offence = data.draw(offences(masked=masked, compressed=terms is not None))
    assume(not is_goodbye_of_later(offence))
    pieces = chunking(data.draw(speakers(masked=masked, terms=terms)).encode([offence]))
    ours = read_with_ours(pieces, masked=masked, terms=terms)
    assert ours.violation is offence.violation
    assert read_with_wsproto(pieces, masked=masked, terms=terms).failure == ours.failure
    if offence.violation not in WEBSOCKETS_LETS_PASS:
        failure = read_with_websockets(pieces, masked=masked, terms=terms).failure
        # RFC 7692 names no code for what cannot be inflated.
        assert failure in ({1002, 1007} if offence.violation is Violation.CORRUPT_COMPRESSION else {ours.failure})


def test_readings_are_compared_by_what_was_told() -> None:
    assert Reading(("a",)) == Reading(("a",), violation=Violation.INVALID_UTF8)
    assert Reading(("a",)) != Reading((b"a",))
    assert Reading((Ping(),)) != Reading()
    assert Reading() != "Reading()"
    assert len({Reading(failure=1002), Reading(failure=1002, violation=Violation.RESERVED_BITS)}) == 1


def test_the_engine_tells_all_there_is() -> None:
    assert read_with_engine([b"\x89\x00\x8a\x01a\x81\x01b\x88\x00"], masked=False) == Reading(
        (Ping(b""), *read_with_engine([b"\x8a\x01a"], masked=False).told, "b"), (1005, "")
    )
    assert read_with_engine([b"\x83\x00"], masked=False).failure == 1002
