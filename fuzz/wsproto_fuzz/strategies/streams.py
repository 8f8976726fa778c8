"""Messages over bare TCP: the codecs of ``wsproto_core``, what they carry, and what breaks their rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hypothesis import strategies as st

from wsproto_core import (
    Delimited,
    LengthPrefixed,
    Limits,
    LocalProtocolError,
    Message,
    Netstring,
    Raw,
    StreamCodec,
    VarintPrefixed,
    Violation,
)

from .text import texts

__all__ = [
    "STREAM_CODECS",
    "STREAM_OFFENCES",
    "StreamOffence",
    "stream_bytes",
    "stream_codecs",
    "stream_messages",
    "stream_offences",
]

_UNLIMITED: Final = Limits(message_size=None)
_SMALL: Final = Limits(message_size=5)

#: Every kind of codec with every option, and delimiters that begin like themselves or cut characters in half.
STREAM_CODECS: Final[tuple[StreamCodec, ...]] = (
    *(
        LengthPrefixed(size, order, text=text)
        for size in (1, 2, 4, 8)
        for order in ("big", "little")
        for text in (False, True)
    ),
    *(kind(text=text) for kind in (VarintPrefixed, Netstring) for text in (False, True)),
    *(Delimited(end, text=text) for end in (b"\n", b"\r\n", b"aab") for text in (False, True)),
    Delimited(b"\xac\xe2\x82\xac\n", text=True),
    Raw(),
    Raw(text=True),
)


@dataclass(frozen=True, slots=True)
class StreamOffence:
    """Bytes that break one rule of a codec."""

    violation: Violation
    codec: StreamCodec
    data: bytes
    limits: Limits = _UNLIMITED
    #: Whether it is the end of the stream behind them that breaks it.
    ends: bool = False


def stream_codecs(*, framing: bool = False) -> st.SearchStrategy[StreamCodec]:
    """Codecs; only those whose messages keep their borders, with ``framing``."""
    return st.sampled_from([codec for codec in STREAM_CODECS if not (framing and isinstance(codec, Raw))])


def stream_messages(codec: StreamCodec) -> st.SearchStrategy[Message]:
    """Messages that ``codec`` can carry, as they are received: ``str`` by a codec of text, and ``bytes`` otherwise."""
    contents: st.SearchStrategy[Message] = texts(max_size=20) if codec.text else st.binary(max_size=40)
    return contents.filter(lambda message: _fits(codec, message))


def stream_bytes() -> st.SearchStrategy[bytes]:
    """What a hostile peer sends: anything, and the bytes that mean something to one codec or another."""
    parts = [
        b"\x00",
        b"\x01",
        b"\x03",
        b"\x80",
        b"\xff",
        b"aab",
        b"aa",
        b"\xe2\x82\xac",
        b"\n",
        b"\r",
        b"2:",
        b"0",
        b",",
    ]
    return st.lists(st.sampled_from(parts), max_size=12).map(b"".join) | st.binary(max_size=60)


def stream_offences() -> st.SearchStrategy[StreamOffence]:
    """Offences against any codec."""
    return st.sampled_from([offence for row in STREAM_OFFENCES.values() for offence in row])


def _fits(codec: StreamCodec, message: Message) -> bool:
    try:
        codec.encode(message.encode() if isinstance(message, str) else message)
    except LocalProtocolError:
        return False
    return True


def _row(
    violation: Violation, *cases: tuple[StreamCodec, bytes], limits: Limits = _UNLIMITED
) -> tuple[StreamOffence, ...]:
    ends = violation is Violation.TRUNCATED_MESSAGE
    return tuple(StreamOffence(violation, codec, data, limits, ends) for codec, data in cases)


#: Each violation of a codec, with the shortest bytes that commit it.
STREAM_OFFENCES: Final[Mapping[Violation, tuple[StreamOffence, ...]]] = MappingProxyType(
    {
        violation: _row(violation, *cases, limits=limits)
        for violation, limits, cases in (
            (
                Violation.VARINT_NOT_MINIMAL,
                _UNLIMITED,
                ((VarintPrefixed(), b"\x80\x00"), (VarintPrefixed(), b"\xff" * 9 + b"\x00")),
            ),
            (
                Violation.VARINT_OVERFLOW,
                _UNLIMITED,
                ((VarintPrefixed(), b"\xff" * 9 + b"\x02"), (VarintPrefixed(), b"\x80" * 10)),
            ),
            (
                Violation.NETSTRING_LENGTH,
                _UNLIMITED,
                tuple((Netstring(), data) for data in (b":", b"x", b"1,", b"00", b"01", b"-", b"1" * 20)),
            ),
            (Violation.NETSTRING_COMMA, _UNLIMITED, ((Netstring(), b"3:abcd"), (Netstring(), b"0:0"))),
            (
                Violation.TRUNCATED_MESSAGE,
                _UNLIMITED,
                (
                    (LengthPrefixed(2), b"\x00"),
                    (LengthPrefixed(2), b"\x00\x05abc"),
                    (VarintPrefixed(), b"\x80"),
                    (Netstring(), b"5:abcde"),
                    (Delimited(), b"abc"),
                    (Delimited(b"\r\n"), b"\r"),
                    (Raw(text=True), b"a\xe2"),
                ),
            ),
            (
                Violation.INVALID_UTF8,
                _UNLIMITED,
                (
                    (LengthPrefixed(1, text=True), b"\x09ab\xff"),
                    (Netstring(text=True), b"3:ab\xe2"),
                    (Delimited(text=True), b"ab\xe2\n"),
                    (Raw(text=True), b"\xed\xa0"),
                ),
            ),
            (
                Violation.MESSAGE_TOO_BIG,
                _SMALL,
                (
                    (LengthPrefixed(1), b"\x06"),
                    (LengthPrefixed(4, "big"), b"\x01"),
                    (LengthPrefixed(4, "little"), b"\x06"),
                    (VarintPrefixed(), b"\x06"),
                    (Netstring(), b"10"),
                    (Delimited(b"\r\n"), b"abcde\r\r"),
                ),
            ),
        )
    }
)
