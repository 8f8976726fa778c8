"""The tables of offences: the engine reports exactly the violation that each row names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsproto_core import ProxiedAddress, RemoteProtocolError, Violation, read_proxy_header
from wsproto_fuzz.oracles import read_with_engine
from wsproto_fuzz.strategies import (
    FRAMING_OFFENCES,
    REQUEST_OFFENCES,
    RESPONSE_OFFENCES,
    STREAM_OFFENCES,
    Chunking,
    DeflateTerms,
    Offence,
    ProxyHeader,
    Speaker,
    StreamOffence,
    bad_proxy_headers,
    chunkings,
    connect_answers,
    offences,
    proxy_headers,
    socks5_answers,
    stream_bytes,
    stream_codecs,
    stream_messages,
    stream_offences,
)

#: What no table has: time, what comes before the handshake, and what takes keys.
ELSEWHERE = {
    Violation.HANDSHAKE_TIMEOUT,
    Violation.BAD_PROXY_HEADER,
    Violation.NOT_SEALED,
    Violation.UNKNOWN_KEY,
    Violation.BROKEN_SEAL,
    Violation.REFLECTED_MESSAGE,
    Violation.REPLAYED_MESSAGE,
    Violation.UNREADABLE_PAYLOAD,
}

ROWS = [
    pytest.param(violation, masked, id=f"{violation.name}-{'masked' if masked else 'unmasked'}")
    for violation, row in FRAMING_OFFENCES.items()
    for masked in (True, False)
    if row.masked in (None, masked)
]


def test_every_violation_is_in_a_table() -> None:
    tables = [FRAMING_OFFENCES, REQUEST_OFFENCES, RESPONSE_OFFENCES, STREAM_OFFENCES]
    assert {violation for table in tables for violation in table} | ELSEWHERE == set(Violation)


def wire_of(offence: Offence, *, masked: bool) -> bytes:
    return Speaker((b"\x01\x02\x03\x04",) if masked else ()).encode([offence])


def violation_of(offence: Offence, chunking: Chunking, *, masked: bool, compressed: bool) -> Violation | None:
    extensions = [DeflateTerms().extension] if compressed else []
    pieces = chunking(wire_of(offence, masked=masked))
    return read_with_engine(pieces, masked=masked, extensions=extensions, limits=offence.limits).violation


@pytest.mark.parametrize(("violation", "masked"), ROWS)
def test_the_engine_reports_this_violation_and_no_other(violation: Violation, masked: bool) -> None:
    row = FRAMING_OFFENCES[violation]
    is_large = violation is Violation.INFLATE_RATIO  # 17 MiB each

    @settings(max_examples=3 if is_large else 50)
    @given(offence=row.offences(violation), chunking=chunkings(), compressed=st.booleans())
    def check(offence: Offence, chunking: Chunking, compressed: bool) -> None:
        compressed = compressed if offence.compressed is None else offence.compressed
        assert offence.violation is violation
        assert violation_of(offence, chunking, masked=masked, compressed=compressed) is violation

    check()


@settings(max_examples=300)
@given(data=st.data(), masked=st.booleans(), compressed=st.booleans())
def test_offences_need_no_special_limits(data: st.DataObject, masked: bool, compressed: bool) -> None:
    offence = data.draw(offences(masked=masked, compressed=compressed))
    assert violation_of(offence, Chunking(), masked=masked, compressed=compressed) is offence.violation


def test_an_offence_shows_its_bytes() -> None:
    assert repr(Offence(Violation.RESERVED_OPCODE, (b"\x83\x00",))) == "Offence(RESERVED_OPCODE: 83 00)"
    assert repr(Offence(Violation.INVALID_UTF8, (bytes(100),))).endswith("00 … 00 00 00 00 00 00 00 00)")


# --- message-oriented TCP ---------------------------------------------------------------------------------------------


@given(offence=stream_offences(), chunking=chunkings())
def test_a_codec_reports_this_violation_and_no_other(offence: StreamOffence, chunking: Chunking) -> None:
    decoder = offence.codec.decoder(offence.limits)
    for piece in chunking(offence.data):
        assert decoder.failure is None
        decoder.decode(piece)
    if offence.ends:
        assert decoder.failure is None
        decoder.finish()
    assert decoder.failure is not None
    assert decoder.failure.violation is offence.violation


@given(data=st.data(), noise=stream_bytes())
def test_a_stream_message_can_be_carried(data: st.DataObject, noise: bytes) -> None:
    codec = data.draw(stream_codecs(framing=True))
    message = data.draw(stream_messages(codec))
    wire = b"".join(codec.encode(message.encode() if isinstance(message, str) else message))
    offence = StreamOffence(Violation.MESSAGE_TOO_BIG, codec, wire)
    decoder = codec.decoder(offence.limits)
    assert decoder.decode(wire) == [message]
    decoder.decode(noise)  # raises nothing


# --- proxies ----------------------------------------------------------------------------------------------------------


def read(data: bytes) -> tuple[ProxiedAddress | None, ProxiedAddress | None, tuple[tuple[int, bytes], ...], bytes]:
    """What a header tells, and what is left behind it."""
    conversation = read_proxy_header()
    try:
        size = next(conversation)
        while True:
            piece, data = data[:size], data[size:]
            size = conversation.send(piece)
    except StopIteration as done:
        told = done.value
        return told.source, told.destination, told.tlvs, data


@given(header=proxy_headers())
def test_a_proxy_header_tells_what_it_says_it_tells(header: ProxyHeader) -> None:
    assert read(header.data + b"GET /") == (header.source, header.destination, header.tlvs, b"GET /")


@given(data=bad_proxy_headers())
def test_a_bad_proxy_header_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read(data)
    assert caught.value.violation is Violation.BAD_PROXY_HEADER


@given(socks=socks5_answers(), http=connect_answers())
def test_answers_of_proxies_are_bytes(socks: bytes, http: bytes) -> None:
    assert len(socks) >= 5
    assert b"\r\n" in http
