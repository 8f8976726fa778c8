"""Text is UTF-8 (RFC 6455 §5.6, §8.1, RFC 3629): every kind of boundary, whole, in fragments, and byte by byte.

The reason in a close frame is text too: see ``close.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from wsproto_core.frames import Frame

from ...wire import Part, binary, continuation, ping, text
from ..case import Steps, family
from ..expecting import Barrier, ExpectEarlyFailure, ExpectFailure, ExpectMessage, ExpectPong
from ..steps import Pause, send

__all__ = ["CASES"]

_DELIVER: Final = "The payload of a text message is UTF-8, and is delivered as it is."
_FAIL: Final = "When a byte stream is not valid UTF-8, an endpoint MUST fail the connection."
_CODES: Final = (1007,)

#: One character of each length.
_MIXED: Final = "aé€😀".encode()
_LONG: Final = "Größe: ∞ — 尺寸 — 📏 " * 500


# ------------------------------------------------------------------------------------------------------- what is UTF-8

_VALID: Final = (
    ("ASCII", "Hello, world"),
    ("the first and the last character of one byte: U+0000, U+007F", "\x00\x7f"),
    ("the first and the last character of two bytes: U+0080, U+07FF", "\x80\u07ff"),
    ("the first and the last character of three bytes: U+0800, U+FFFF", "\u0800\uffff"),
    ("the first and the last character of four bytes: U+10000, U+10FFFF", "\U00010000\U0010ffff"),
    ("the neighbours of the surrogates: U+D7FF, U+E000", "\ud7ff\ue000"),
    ("the replacement character U+FFFD", "a\ufffdb"),
    ("the noncharacters U+FFFE, U+FFFF", "\ufffe\uffff"),
    ("the noncharacters U+FDD0 to U+FDEF", "".join(map(chr, range(0xFDD0, 0xFDF0)))),
    ("the last two characters of every plane", "".join(chr(plane << 16 | 0xFFFE) for plane in range(17))),
    ("private use: U+E000, U+F8FF, U+F0000, U+100000", "\ue000\uf8ff\U000f0000\U00100000"),
    ("a byte order mark at the start", "\ufeffHello"),
    ("a byte order mark in the middle", "Hel\ufefflo"),
    ("a byte order mark and nothing else", "\ufeff"),
    ("U+0000 between letters", "a\x00b"),
    ("control characters: C0, U+007F and C1", "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))),
    ("line ends of every kind", "a\r\nb\nc\rd\u2028e\u2029f"),
    ("a letter and a combining accent, which must not be composed", "e\u0301 \u00e9"),
    ("right to left", "שלום \u202eabc\u202c"),
    ("Greek: κόσμε", "κόσμε"),
    ("an emoji of many characters", "👨‍👩‍👧‍👦🏳️‍🌈"),
    ("characters of all lengths", "aé€😀" * 30),
    ("14 KB of characters of all lengths", _LONG),
)


def _echo(message: str) -> Steps:
    return send(text(message)), ExpectMessage(message)


# --------------------------------------------------------------------------------------------------------- in fragments


def _fragments(pieces: Iterable[bytes]) -> list[Frame]:
    """A text message in fragments."""
    first, *rest = pieces
    middle = [continuation(piece, final=False) for piece in rest[:-1]]
    return [text(first, final=False), *middle, continuation(rest[-1])]


def _single_bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def _split_frames() -> Iterator[tuple[str, Steps]]:
    for at in range(1, len(_MIXED)):
        frames = _fragments((_MIXED[:at], _MIXED[at:]))
        yield f"'aé€😀' in two fragments, split behind byte {at}", (send(*frames), ExpectMessage(_MIXED.decode()))


def _many_fragments() -> Iterator[tuple[str, Steps]]:
    single = _single_bytes(_MIXED)
    echo = ExpectMessage(_MIXED.decode())
    yield "a fragment for each byte", (send(*_fragments(single)), echo)
    yield "a fragment for each byte, each in a write of its own", (send(*_fragments(single), write_size=7), echo)
    yield (
        "a fragment for each byte, and an empty one behind each",
        (
            send(*_fragments(piece for byte in single for piece in (byte, b""))),
            echo,
        ),
    )
    pinged = (item for frame in _fragments(single) for item in (ping(b"between"), frame))
    yield "a fragment for each byte, and a ping before each", (send(*pinged), echo, Barrier())
    yield "two messages with a fragment for each byte", (send(*_fragments(single) * 2), echo, echo)


def _split_writes() -> Iterator[tuple[str, Steps]]:
    frame, echo = text(_MIXED), ExpectMessage(_MIXED.decode())
    yield "'aé€😀' in one frame, byte by byte", (send(frame, write_size=1, gap=0.001), echo)
    for at in (2, 4, 5, 7, 8, 9):
        yield (
            f"'aé€😀' in one frame, with a pause behind byte {at} of the text",
            (send(Part(frame, stop=at)), Pause(0.05), send(Part(frame, start=at)), echo),
        )
    yield "14 KB in writes of 100 bytes", (send(text(_LONG), write_size=100), ExpectMessage(_LONG))


# --------------------------------------------------------------------------------------------------- what is not UTF-8

#: Sequences in hex, to be set between two letters.
_MALFORMED: Final = (
    ("a continuation byte that continues nothing: 80", "80"),
    ("a continuation byte that continues nothing: BF", "bf"),
    ("two of them", "80 bf"),
    ("six of them", "80 bf 80 bf 80 bf"),
    ("all of them", bytes(range(0x80, 0xC0)).hex()),
    ("a continuation byte too many, behind two bytes", "c3 a9 a9"),
    ("a continuation byte too many, behind three bytes", "e2 82 ac ac"),
    ("a continuation byte too many, behind four bytes", "f0 9f 98 80 80"),
    ("the first of two bytes, alone: C2", "c2"),
    ("the first of two bytes, alone: DF", "df"),
    ("the first of two bytes, twice", "c3 c3 a9"),
    ("each first of two bytes, followed by a space", " ".join(f"{lead:02x}20" for lead in range(0xC0, 0xE0))),
    ("the first of three bytes, alone: E0", "e0"),
    ("the first of three bytes, alone: EF", "ef"),
    ("each first of three bytes, followed by a space", " ".join(f"{lead:02x}20" for lead in range(0xE0, 0xF0))),
    ("the first of four bytes, alone: F0", "f0"),
    ("the first of four bytes, alone: F4", "f4"),
    ("two of three bytes: E2 82", "e2 82"),
    ("two of three bytes: E0 A0", "e0 a0"),
    ("two of three bytes: EF BF", "ef bf"),
    ("two of four bytes: F0 9F", "f0 9f"),
    ("three of four bytes: F0 9F 98", "f0 9f 98"),
    ("three of four bytes: F4 8F BF", "f4 8f bf"),
    ("three unfinished sequences in a row", "c3 e2 82 f0 9f 98"),
    ("the byte FE", "fe"),
    ("the byte FF", "ff"),
    ("the bytes FE FE FF FF", "fe fe ff ff"),
    ("overlong: '/' in two bytes", "c0 af"),
    ("overlong: '/' in three bytes", "e0 80 af"),
    ("overlong: '/' in four bytes", "f0 80 80 af"),
    ("overlong: '/' in five bytes", "f8 80 80 80 af"),
    ("overlong: '/' in six bytes", "fc 80 80 80 80 af"),
    ("overlong: U+0000 in two bytes", "c0 80"),
    ("overlong: U+0000 in three bytes", "e0 80 80"),
    ("overlong: U+0000 in four bytes", "f0 80 80 80"),
    ("overlong: the last of two bytes, C1 BF", "c1 bf"),
    ("overlong: the last of three bytes, E0 9F BF", "e0 9f bf"),
    ("overlong: the last of four bytes, F0 8F BF BF", "f0 8f bf bf"),
    ("the first surrogate, U+D800", "ed a0 80"),
    ("the last high surrogate, U+DBFF", "ed af bf"),
    ("the first low surrogate, U+DC00", "ed b0 80"),
    ("the last surrogate, U+DFFF", "ed bf bf"),
    ("a pair of surrogates for U+10000", "ed a0 80 ed b0 80"),
    ("a pair of surrogates for U+10FFFF", "ed af bf ed bf bf"),
    ("above Unicode: U+110000", "f4 90 80 80"),
    ("above Unicode: U+13FFFF", "f4 bf bf bf"),
    ("above Unicode: U+140000", "f5 80 80 80"),
    ("above Unicode: U+1FFFFF", "f7 bf bf bf"),
    ("five bytes: U+200000", "f8 88 80 80 80"),
    ("six bytes: U+7FFFFFFF", "fd bf bf bf bf bf"),
    ("Latin-1: 'Größe'", "47 72 f6 df 65"),
    ("UTF-16 with its byte order mark", "ff fe 61 00"),
)


def _malformed() -> Iterator[tuple[str, Steps]]:
    for title, sequence in _MALFORMED:
        yield title, (send(text(b"<" + bytes.fromhex(sequence) + b">")), ExpectFailure(_CODES))


#: Beginnings of characters in hex, at the end of a message.
_UNFINISHED: Final = ("c3", "df", "e2", "e2 82", "ef bf", "f0", "f0 9f", "f0 9f 98", "f4 8f bf")


def _unfinished() -> Iterator[tuple[str, Steps]]:
    for sequence in _UNFINISHED:
        frame = text(b"abc" + bytes.fromhex(sequence))
        yield f"the message ends with {sequence.upper()}", (send(frame), ExpectFailure(_CODES))
    yield "the last fragment ends with E2 82", (send(*_fragments((b"a", b"b\xe2\x82"))), ExpectFailure(_CODES))
    yield "behind E2 82 comes an empty last fragment", (send(*_fragments((b"\xe2\x82", b""))), ExpectFailure(_CODES))
    yield (
        "the rest of the character is in the next message",
        (
            send(text(b"\xe2\x82"), text(b"\xac")),
            ExpectFailure(_CODES),
        ),
    )


# ---------------------------------------------------------------------------------------------------------- fail fast

#: What can be known to be wrong at its last byte: a title, and the bytes in hex.
_HOPELESS: Final = (
    ("FF", "ff"),
    ("a lone continuation byte", "80"),
    ("C0, with which no character begins", "c0"),
    ("F5, with which no character begins", "f5"),
    ("an overlong E0 80", "e0 80"),
    ("an overlong F0 80", "f0 80"),
    ("a surrogate's ED A0", "ed a0"),
    ("F4 90, above Unicode", "f4 90"),
    ("a character that a letter interrupts", "e2 82 41"),
)


def _early_in_fragments() -> Iterator[tuple[str, Steps]]:
    for title, sequence in _HOPELESS:
        yield (
            f"a first fragment with {title}; the last one follows later",
            (
                send(text(b"abc" + bytes.fromhex(sequence), final=False)),
                ExpectEarlyFailure(_CODES),
                send(continuation(b"def")),
                ExpectFailure(_CODES),
            ),
        )
    yield (
        "a second fragment that does not continue a character",
        (
            send(text(b"\xe2\x82", final=False), continuation(b"A", final=False)),
            ExpectEarlyFailure(_CODES),
            send(continuation(b"\xac")),
            ExpectFailure(_CODES),
        ),
    )
    yield (
        "the two bytes F4 90 in two fragments",
        (
            send(text(b"\xf4", final=False), continuation(b"\x90", final=False)),
            ExpectEarlyFailure(_CODES),
            send(continuation(b"\x80\x80")),
            ExpectFailure(_CODES),
        ),
    )


def _early_in_frame() -> Iterator[tuple[str, Steps]]:
    for title, sequence in _HOPELESS:
        wrong = b"abc" + bytes.fromhex(sequence)
        frame = text(wrong + b"def" * 10)
        yield (
            f"the part of a frame that has arrived holds {title}; the rest follows later",
            (
                send(Part(frame, stop=len(wrong))),
                ExpectEarlyFailure(_CODES),
                send(Part(frame, start=len(wrong))),
                ExpectFailure(_CODES),
            ),
        )


def _late() -> Iterator[tuple[str, Steps]]:
    for title, sequence in _HOPELESS:
        pieces = (b"abc", b"def" + bytes.fromhex(sequence), b"ghi")
        yield f"{title} in the second of three fragments", (send(*_fragments(pieces)), ExpectFailure(_CODES))
    frames = _fragments(_single_bytes("κόσμε".encode() + b"\xed\xa0\x80" + b"edited"))
    yield "a surrogate in a text with a fragment for each byte", (send(*frames), ExpectFailure(_CODES))
    yield "the last byte of 100 KB", (send(text(b"x" * 100_000 + b"\xff")), ExpectFailure(_CODES))
    frame = text(b"abc\xff")
    yield "in a frame that comes byte by byte", (send(frame, write_size=1, gap=0.001), ExpectFailure(_CODES))


# --------------------------------------------------------------------------------------------------------- other data

_NOT_TEXT: Final = b"\x80\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xfe\xff\xe2\x82"


def _anew() -> Iterator[tuple[str, Steps]]:
    echo = ExpectMessage("é")
    yield (
        "a binary message that ends within a character, then text",
        (
            send(binary(b"\xe2\x82"), text("é")),
            ExpectMessage(b"\xe2\x82"),
            echo,
        ),
    )
    yield (
        "a ping that ends within a character, between the fragments of a text",
        (
            send(text(b"\xc3", final=False), ping(b"\xe2\x82"), continuation(b"\xa9")),
            ExpectPong(b"\xe2\x82"),
            echo,
        ),
    )
    yield (
        "a legal text, then one that is not UTF-8",
        (send(text("é")), echo, send(text(b"\xa9")), ExpectFailure(_CODES)),
    )
    yield (
        "a legal text and one that is not UTF-8 in one write",
        (
            send(text("é"), text(b"\xa9")),
            ExpectFailure(_CODES, before=("é",)),
        ),
    )


CASES: Final = (
    *family("utf8.1", "RFC 6455 §5.6", _DELIVER, [(title, _echo(message)) for title, message in _VALID]),
    *family(
        "utf8.2",
        "RFC 6455 §5.6",
        "A fragment need not be UTF-8 by itself: only the whole message has to be.",
        _split_frames(),
    ),
    *family(
        "utf8.3", "RFC 6455 §5.6", "A fragment may hold a single byte of a character, or nothing.", _many_fragments()
    ),
    *family("utf8.4", "RFC 6455 §5.6", "How the bytes of a frame arrive makes no difference.", _split_writes()),
    *family("utf8.5", "RFC 6455 §8.1", _FAIL, _malformed()),
    *family("utf8.6", "RFC 6455 §8.1", "A text message that ends within a character is not UTF-8.", _unfinished()),
    *family("utf8.7", "RFC 6455 §8.1", _FAIL, _late()),
    *family(
        "utf8.8",
        "RFC 6455 §8.1",
        "An endpoint that finds a fragment not to be UTF-8 MUST fail the connection; a good one does so at once.",
        _early_in_fragments(),
    ),
    *family(
        "utf8.9",
        "RFC 6455 §8.1",
        "A good endpoint fails the connection at the first byte that cannot be UTF-8, before the frame has ended.",
        _early_in_frame(),
    ),
    *family(
        "utf8.10",
        "RFC 6455 §5.6",
        "Only text has to be UTF-8.",
        [
            ("a binary message that is not UTF-8", (send(binary(_NOT_TEXT)), ExpectMessage(_NOT_TEXT))),
            (
                "the same in fragments",
                (send(binary(_NOT_TEXT[:1], final=False), continuation(_NOT_TEXT[1:])), ExpectMessage(_NOT_TEXT)),
            ),
            ("a ping that is not UTF-8", (send(ping(_NOT_TEXT)), ExpectPong(_NOT_TEXT))),
        ],
    ),
    *family("utf8.11", "RFC 6455 §8.1", "Each message is judged by itself.", _anew()),
)
