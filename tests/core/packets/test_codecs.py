"""The stream codecs: what they write, that any cuts give the same, and every offence at the byte that commits it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.packets.kit import UNLIMITED, feed, feed_every_way
from wsproto_core._config import Limits
from wsproto_core._errors import LocalProtocolError
from wsproto_core._packets.codec import StreamCodec
from wsproto_core._packets.delimited import Delimited
from wsproto_core._packets.netstring import Netstring
from wsproto_core._packets.prefixed import LengthPrefixed, VarintPrefixed
from wsproto_core._packets.raw import Raw
from wsproto_core._violations import Violation
from wsproto_fuzz.strategies import STREAM_CODECS, Chunking, chunkings, stream_bytes, stream_messages

SMALL = Limits(message_size=5)

FRAMING = [codec for codec in STREAM_CODECS if not isinstance(codec, Raw)]


def bytes_of(codec: StreamCodec, payload: bytes) -> bytes:
    return b"".join(codec.encode(payload))


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "payload", "wire"),
    [
        (LengthPrefixed(1), b"abc", b"\x03abc"),
        (LengthPrefixed(2, "big"), b"abc", b"\x00\x03abc"),
        (LengthPrefixed(2, "little"), b"abc", b"\x03\x00abc"),
        (LengthPrefixed(), b"", b"\x00\x00\x00\x00"),
        (LengthPrefixed(8), b"a", b"\x00\x00\x00\x00\x00\x00\x00\x01a"),
        (LengthPrefixed(2), b"x" * 5000, b"\x13\x88" + b"x" * 5000),
        (VarintPrefixed(), b"", b"\x00"),
        (VarintPrefixed(), b"x" * 127, b"\x7f" + b"x" * 127),
        (VarintPrefixed(), b"x" * 128, b"\x80\x01" + b"x" * 128),
        (VarintPrefixed(), b"x" * 16384, b"\x80\x80\x01" + b"x" * 16384),
        (Netstring(), b"hello world!", b"12:hello world!,"),
        (Netstring(), b"", b"0:,"),
        (Netstring(), b"x" * 5000, b"5000:" + b"x" * 5000 + b","),
        (Delimited(), b"line", b"line\n"),
        (Delimited(b"\r\n"), b"line\r", b"line\r\r\n"),
        (Raw(), b"anything", b"anything"),
        (Raw(), b"", b""),
    ],
)
def test_what_is_written_and_read_back(codec: StreamCodec, payload: bytes, wire: bytes) -> None:
    assert bytes_of(codec, payload) == wire
    if wire and len(wire) < 1000 and not isinstance(codec, Raw):
        assert feed_every_way(codec, wire * 2, end=True) == ([payload, payload], None)


@pytest.mark.parametrize(
    ("codec", "payload", "words"),
    [
        (LengthPrefixed(1), b"x" * 256, "a length of 1 bytes cannot tell 256 bytes"),
        (LengthPrefixed(2), b"x" * 65536, "cannot tell 65536 bytes"),
        (Delimited(), b"two\nlines", "at byte 3"),
        (Delimited(b"\r\n"), b"a\r\nb", "at byte 1"),
        (Delimited(b"\r\n\r\n"), b"a\r\n", "at byte 1"),  # its end and the delimiter make an earlier one
    ],
)
def test_what_cannot_be_told(codec: StreamCodec, payload: bytes, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        codec.encode(payload)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: LengthPrefixed(3), ValueError, "size"),  # type: ignore[arg-type]  # the caller lies on purpose
        (lambda: LengthPrefixed(4, "middle"), ValueError, "byteorder"),  # type: ignore[arg-type]  # as above, on purpose
        (lambda: Delimited(b""), ValueError, "delimiter"),
        (lambda: Delimited("\n"), TypeError, "delimiter"),  # type: ignore[arg-type]  # as above, on purpose
    ],
)
def test_what_cannot_be_configured(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_codecs_are_values() -> None:
    assert LengthPrefixed(4, text=True) == LengthPrefixed(text=True)
    assert len({LengthPrefixed(), LengthPrefixed(2), Raw(), Raw(text=True)}) == 4


# --- any cuts give the same -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", FRAMING, ids=repr)
@given(data=st.data(), chunking=chunkings())
def test_any_cuts_give_the_messages_back(codec: StreamCodec, data: st.DataObject, chunking: Chunking) -> None:
    sent = data.draw(st.lists(stream_messages(codec), max_size=5))
    wire = b"".join(bytes_of(codec, message.encode() if isinstance(message, str) else message) for message in sent)
    assert feed(codec, UNLIMITED, chunking(wire), end=True) == (sent, None)


@pytest.mark.parametrize("codec", FRAMING, ids=repr)
@given(
    wire=stream_bytes(),
    chunking=chunkings(),
    limits=st.sampled_from([SMALL, UNLIMITED, Limits(message_size=1)]),
)
def test_any_bytes_mean_the_same_however_cut(
    codec: StreamCodec, wire: bytes, chunking: Chunking, limits: Limits
) -> None:
    whole = feed(codec, limits, [wire], end=True)
    assert feed(codec, limits, chunking(wire), end=True) == whole
    assert feed(codec, limits, [bytes([byte]) for byte in wire], end=True) == whole
    for message in whole[0]:
        size = len(message.encode() if isinstance(message, str) else message)
        assert limits.message_size is None or size <= limits.message_size


@given(wire=stream_bytes(), chunking=chunkings())
def test_raw_gives_every_byte(wire: bytes, chunking: Chunking) -> None:
    pieces = chunking(wire)
    assert feed(Raw(), UNLIMITED, pieces, end=True) == (pieces, None)
    cut_up, _ = feed(Raw(), SMALL, [wire], end=True)
    assert all(isinstance(part, bytes) and 0 < len(part) <= 5 for part in cut_up)
    assert b"".join(part for part in cut_up if isinstance(part, bytes)) == wire


def test_a_delimiter_that_comes_in_pieces_is_no_part_of_the_text() -> None:
    codec = Delimited(b"\xac\xe2\x82\xac\n", text=True)
    assert feed_every_way(codec, codec.delimiter * 3, end=True) == (["", "", ""], None)
    assert feed(codec, UNLIMITED, [b"\xac\xe2\x82", b"\xac", b"\n"], end=True) == ([""], None)


def test_raw_is_cut_at_the_limit() -> None:
    assert feed(Raw(), SMALL, [b"abcdefg", b"h"], end=True) == ([b"abcde", b"fg", b"h"], None)


def test_raw_text_keeps_characters_whole() -> None:
    assert feed(Raw(text=True), UNLIMITED, [b"a\xe2", b"\x82", b"\xacb", b""], end=True) == (["a", "€b"], None)
    assert feed(Raw(text=True), SMALL, ["€€€".encode()]) == (["€", "€€"], None)
    assert feed(Raw(text=True), UNLIMITED, [b"a\xe2"], end=True) == (["a"], Violation.TRUNCATED_MESSAGE)
    assert feed(Raw(text=True), UNLIMITED, [b"ab", b"\xff"]) == (["ab"], Violation.INVALID_UTF8)


# --- every offence at the very byte -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "limits", "wire", "violation"),
    [
        # The size, as soon as it is certain.
        (LengthPrefixed(1), SMALL, b"\x06", Violation.MESSAGE_TOO_BIG),
        (LengthPrefixed(4, "big"), SMALL, b"\x01", Violation.MESSAGE_TOO_BIG),
        (LengthPrefixed(4, "big"), SMALL, b"\x00\x00\x00\x06", Violation.MESSAGE_TOO_BIG),
        (LengthPrefixed(4, "little"), SMALL, b"\x06", Violation.MESSAGE_TOO_BIG),
        (LengthPrefixed(4, "little"), SMALL, b"\x00\x00\x00\x01", Violation.MESSAGE_TOO_BIG),
        (VarintPrefixed(), SMALL, b"\x06", Violation.MESSAGE_TOO_BIG),
        (VarintPrefixed(), SMALL, b"\x80", Violation.MESSAGE_TOO_BIG),
        (VarintPrefixed(), Limits(message_size=200), b"\x80\x02", Violation.MESSAGE_TOO_BIG),
        (Netstring(), SMALL, b"6", Violation.MESSAGE_TOO_BIG),
        (Netstring(), SMALL, b"10", Violation.MESSAGE_TOO_BIG),
        (Delimited(), SMALL, b"abcdef", Violation.MESSAGE_TOO_BIG),
        (Delimited(b"\r\n"), SMALL, b"abcdef", Violation.MESSAGE_TOO_BIG),
        (Delimited(b"\r\n"), SMALL, b"abcde\rx", Violation.MESSAGE_TOO_BIG),
        (Delimited(b"\r\n"), SMALL, b"abcde\r\r", Violation.MESSAGE_TOO_BIG),
        (Delimited(text=True), SMALL, b"abcdef", Violation.MESSAGE_TOO_BIG),
        # Lengths that are none.
        (VarintPrefixed(), UNLIMITED, b"\x80\x00", Violation.VARINT_NOT_MINIMAL),
        (VarintPrefixed(), UNLIMITED, b"\xff" * 9 + b"\x00", Violation.VARINT_NOT_MINIMAL),
        (VarintPrefixed(), UNLIMITED, b"\xff" * 9 + b"\x02", Violation.VARINT_OVERFLOW),
        (VarintPrefixed(), UNLIMITED, b"\x80" * 10, Violation.VARINT_OVERFLOW),
        (Netstring(), UNLIMITED, b":", Violation.NETSTRING_LENGTH),
        (Netstring(), UNLIMITED, b"x", Violation.NETSTRING_LENGTH),
        (Netstring(), UNLIMITED, b"1,", Violation.NETSTRING_LENGTH),
        (Netstring(), UNLIMITED, b"00", Violation.NETSTRING_LENGTH),
        (Netstring(), UNLIMITED, b"01", Violation.NETSTRING_LENGTH),
        (Netstring(), UNLIMITED, b"1" * 20, Violation.NETSTRING_LENGTH),
        (Netstring(), UNLIMITED, b"3:abcd", Violation.NETSTRING_COMMA),
        (Netstring(), UNLIMITED, b"0:0", Violation.NETSTRING_COMMA),
        # Text.
        (LengthPrefixed(1, text=True), UNLIMITED, b"\x09ab\xff", Violation.INVALID_UTF8),
        (LengthPrefixed(1, text=True), UNLIMITED, b"\x03ab\xe2", Violation.INVALID_UTF8),
        (LengthPrefixed(1, text=True), UNLIMITED, b"\x09\xed\xa0", Violation.INVALID_UTF8),
        (Netstring(text=True), UNLIMITED, b"3:ab\xe2", Violation.INVALID_UTF8),
        (Delimited(text=True), UNLIMITED, b"ab\xff", Violation.INVALID_UTF8),
        (Delimited(text=True), UNLIMITED, b"ab\xe2\n", Violation.INVALID_UTF8),
        (Delimited(b"\xff\xff", text=True), UNLIMITED, b"ab\xffc", Violation.INVALID_UTF8),
        (Delimited(text=True), SMALL, b"a\xffbcdef"[:2], Violation.INVALID_UTF8),
    ],
    ids=repr,
)
def test_offences_are_found_at_the_byte_that_commits_them(
    codec: StreamCodec, limits: Limits, wire: bytes, violation: Violation
) -> None:
    assert feed_every_way(codec, wire, limits) == ([], violation)
    assert feed(codec, limits, [wire[:-1]]) == ([], None)
    # Nothing is decoded any more.
    assert feed(codec, limits, [wire, *(bytes_of(codec, b"") for _ in range(3))], end=True) == ([], violation)


def test_what_came_before_an_offence_is_delivered() -> None:
    assert feed_every_way(Netstring(), b"2:ab,0:,3:abc;") == ([b"ab", b""], Violation.NETSTRING_COMMA)


def test_an_offence_of_text_before_the_limit_comes_before_the_limit() -> None:
    assert feed_every_way(Delimited(text=True), b"a\xffcdefgh\n", SMALL) == ([], Violation.INVALID_UTF8)
    assert feed_every_way(Delimited(b"\r\n", text=True), b"abcd\xe2\rx", Limits(message_size=6)) == (
        [],
        Violation.INVALID_UTF8,
    )
    assert feed_every_way(Delimited(text=True), b"abcdefg\xff\n", SMALL) == ([], Violation.MESSAGE_TOO_BIG)


@pytest.mark.parametrize(
    ("codec", "wire", "detail"),
    [
        (LengthPrefixed(2), b"\x00", "0 bytes of it had come"),
        (LengthPrefixed(2), b"\x00\x01", "0 bytes of it had come"),
        (LengthPrefixed(2), b"\x00\x05abc", "3 bytes of it had come"),
        (VarintPrefixed(), b"\x80", "0 bytes of it had come"),
        (VarintPrefixed(), b"\x05abc", "3 bytes of it had come"),
        (Netstring(), b"5", "0 bytes of it had come"),
        (Netstring(), b"5:abc", "3 bytes of it had come"),
        (Netstring(), b"5:abcde", "only its comma had not come"),
        (Delimited(), b"abc", "3 bytes of it had come"),
        (Delimited(b"\r\n"), b"\r", "1 bytes of it had come"),
    ],
)
def test_a_stream_ends_between_messages_only(codec: StreamCodec, wire: bytes, detail: str) -> None:
    before = bytes_of(codec, b"ok")
    assert feed_every_way(codec, before, end=True) == ([b"ok"], None)
    assert feed_every_way(codec, before + wire, end=True) == ([b"ok"], Violation.TRUNCATED_MESSAGE)
    decoder = codec.decoder(UNLIMITED)
    decoder.decode(wire)
    decoder.finish()
    assert decoder.failure is not None
    assert decoder.failure.detail == detail
    assert decoder.decode(before) == []


@pytest.mark.parametrize("codec", STREAM_CODECS, ids=repr)
def test_no_bytes_mean_nothing(codec: StreamCodec) -> None:
    assert feed(codec, SMALL, [b"", b""], end=True) == ([], None)
