"""The closing handshake, right and wrong, and connections that end without one (RFC 6455 §5.5.1, §7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from wsproto_core.frames import Frame, Opcode

from ...transcript import in_bytes
from ...wire import Part, binary, close, continuation, ping, pong, text
from ..case import Steps, family
from ..expecting import Barrier, ExpectClose, ExpectEarlyFailure, ExpectEnd, ExpectFailure, ExpectPong
from ..samples import echoed, sample_bytes, sample_text
from ..steps import EndOutput, Pause, send

__all__ = ["CASES"]

_LEGAL: Final = (
    *(1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014),
    *(3000, 3001, 3999, 4000, 4001, 4999),
)
#: Never to be in a close frame: unused, reserved, for local use only, or of no range at all (§7.4.1, §7.4.2).
_ILLEGAL: Final = (
    *(0, 1, 100, 500, 999, 1004, 1005, 1006, 1015),
    *(1016, 1100, 1999, 2000, 2500, 2999),
    *(5000, 9999, 32_768, 65_535),
)
_REASONS: Final = {
    "ASCII": "going home",
    "two-byte characters": "à bientôt µ",
    "three-byte characters": "終了 €",
    "four-byte characters": "\N{GRINNING FACE}\N{WAVING HAND SIGN}",
    "the last code point": "\U0010ffff",
    "a NUL": "a\0b",
    "one character": "x",
    "122 bytes": "x" * 122,
    "123 bytes": "x" * 123,
    "123 bytes of three-byte characters": "€" * 41,
}
_BAD_REASONS: Final = {
    "a byte 0xff": b"\xff",
    "a lone continuation byte": b"ok \x80",
    "an overlong slash": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "a code point beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "a character cut off at the end": b"ok \xe2\x82",
    "Latin-1": "à bientôt".encode("latin-1"),
    "123 bytes, the last one wrong": b"x" * 122 + b"\xfe",
}


def _legal_codes() -> Iterator[tuple[str, Steps]]:
    yield "no code", (send(close()), ExpectClose((None, 1000)))
    for code in _LEGAL:
        yield f"code {code}", (send(close(code)), ExpectClose((code,)))
    for code in (1000, 3000, 4999):
        yield f"code {code} with a reason", (send(close(code, "bye")), ExpectClose((code,)))
    yield "code 1000 after a message", (*echoed("Hello"), send(close(1000)), ExpectClose())
    yield "code 1000 after a ping", (send(ping(b"1")), ExpectPong(b"1"), send(close(1000)), ExpectClose())
    yield "code 1000 after a second of silence", (Pause(1.0), send(close(1000)), ExpectClose())


def _illegal_codes() -> Iterator[tuple[str, Steps]]:
    for code in _ILLEGAL:
        yield f"code {code}", (send(close(code)), ExpectFailure(may_ping=False))
    for code in (999, 1005, 2000):
        yield f"code {code} with a reason", (send(close(code, "bye")), ExpectFailure(may_ping=False))


def _reasons() -> Iterator[tuple[str, Steps]]:
    for name, reason in _REASONS.items():
        yield f"a reason of {name}", (send(close(1000, reason)), ExpectClose())


def _bad_reasons() -> Iterator[tuple[str, Steps]]:
    for name, reason in _BAD_REASONS.items():
        yield f"a reason with {name}", (send(close(1000, reason)), ExpectFailure((1007, 1002), may_ping=False))


def _bad_payloads() -> Iterator[tuple[str, Steps]]:
    failure = ExpectFailure(may_ping=False)
    for payload in (b"\x03", b"\x00", b"\xff"):
        yield f"one byte, {payload[0]:#04x}", (send(Frame(Opcode.CLOSE, payload)), failure)
    yield "one byte, after a message", (*echoed("Hello"), send(Frame(Opcode.CLOSE, b"\x03")), failure)
    for size in (126, 127, 200, 65_536):
        frame = close(1000, "x" * (size - 2))
        yield f"{in_bytes(size)}", (send(frame), failure)
    frame = close(1000, "x" * 124)
    yield (
        "the header of a close frame of 126 bytes, then the rest",
        (send(Part(frame, stop=0)), ExpectEarlyFailure(), send(Part(frame, 0)), failure),
    )


def _slowly() -> Iterator[tuple[str, Steps]]:
    frame = close(1000, "bye")
    yield "byte by byte", (send(frame, write_size=1), ExpectClose())
    yield "each byte alone for 5 ms", (send(frame, write_size=1, gap=0.005), ExpectClose())
    yield (
        "the header, a pause, the payload",
        (*(send(Part(frame, stop=0)), Pause(0.2), send(Part(frame, 0)), ExpectClose()),),
    )
    yield "cut inside of the code", (send(Part(frame, stop=1)), Pause(0.2), send(Part(frame, 1)), ExpectClose())
    yield (
        "cut inside of a character",
        (*(send(Part(close(1000, "€"), stop=3)), Pause(0.2), send(Part(close(1000, "€"), 3)), ExpectClose()),),
    )


def _behind_messages() -> Iterator[tuple[str, Steps]]:
    for count in (1, 10, 100):
        words = tuple(f"message {number}" for number in range(count))
        yield (
            f"{count} messages and a close frame in one write",
            (send(*map(text, words), close(4001)), ExpectClose((4001,), before=words)),
        )
    yield (
        "a ping and a close frame in one write",
        (send(ping(b"1"), close(1000)), ExpectClose(pongs=(b"1",))),
    )
    long = sample_bytes(200_000)
    yield (
        "a message of 200000 bytes and a close frame in one write",
        (send(binary(long), close(1000)), ExpectClose(before=(long,))),
    )


def _something_after() -> Iterator[tuple[str, Steps]]:
    later: dict[str, tuple[Frame, ...]] = {
        "a text": (text("late"),),
        "a binary message": (binary(b"late"),),
        "a ping": (ping(b"late"),),
        "a pong": (pong(b"late"),),
        "another close frame": (close(1000),),
        "another close frame with another code": (close(4002),),
        "a first fragment": (text("late", final=False),),
        "a continuation": (continuation("late"),),
        "an illegal frame": (text("late", reserved=2),),
        "an illegal close frame": (Frame(Opcode.CLOSE, b"\x03"),),
        "20 messages": tuple(text(f"late {number}") for number in range(20)),
        "a message of 100000 bytes": (binary(sample_bytes(100_000)),),
    }
    for name, frames in later.items():
        yield f"{name} in the same write", (send(close(4001), *frames), ExpectClose((4001,)))
        yield f"{name} in a write of its own", (send(close(4001)), send(*frames), ExpectClose((4001,)))


def _inside_a_message() -> Iterator[tuple[str, Steps]]:
    for kind, first in (("text", text("Hel", final=False)), ("binary", binary(b"Hel", final=False))):
        yield f"after the first fragment of a {kind} message", (send(first, close(4001)), ExpectClose((4001,)))
        yield (
            f"between two fragments of a {kind} message, in one write",
            (send(first, close(4001), continuation("lo")), ExpectClose((4001,))),
        )
        yield (
            f"after an unfinished {kind} message and a ping",
            (send(first), Barrier(), send(close(4001)), ExpectClose((4001,))),
        )


def _behind_a_fault() -> Iterator[tuple[str, Steps]]:
    faults = {
        "a reserved bit": text("wrong", reserved=2),
        "a reserved opcode": Frame(3, b"wrong"),
        "a continuation of nothing": continuation("wrong"),
        "a fragmented ping": replace(ping(b"wrong"), final=False),
        "a long ping": ping(bytes(126)),
    }
    for name, frame in faults.items():
        yield f"{name}, then a close frame", (send(frame, close(4001)), ExpectFailure())
        yield f"{name}, then a close frame in another write", (send(frame), send(close(4001)), ExpectFailure())


def _end_without_close() -> Iterator[tuple[str, Steps]]:
    frame = text(sample_text(1000))
    yield "at once", (EndOutput(), ExpectEnd())
    yield "after a message", (*echoed("Hello"), EndOutput(), ExpectEnd())
    yield "behind a message", (send(text("Hello")), EndOutput(), ExpectEnd(before=("Hello",)))
    yield "after a ping", (Barrier(), EndOutput(), ExpectEnd())
    for title, part in (
        ("after the first byte of a frame", b"\x81"),
        ("after a header", Part(frame, stop=0)),
        ("in the middle of a payload", Part(frame, stop=500)),
        ("one byte before the end of a frame", Part(frame, stop=999)),
        ("in the middle of a fragmented message", text("Hel", final=False)),
        ("in the middle of a ping", Part(ping(b"Hello"), stop=2)),
        ("in the middle of a close frame", Part(close(1000, "bye"), stop=1)),
    ):
        yield title, (send(part), EndOutput(), ExpectEnd())


def _end_behind_close() -> Iterator[tuple[str, Steps]]:
    yield "code 1000", (send(close(1000)), EndOutput(), ExpectClose(may_just_end=True))
    yield "no code", (send(close()), EndOutput(), ExpectClose((None, 1000), may_just_end=True))
    yield (
        "behind a message",
        (send(text("Hello"), close(1000)), EndOutput(), ExpectClose(before=("Hello",), may_just_end=True)),
    )
    yield (
        "inside of a message",
        (send(text("Hel", final=False), close(1000)), EndOutput(), ExpectClose(may_just_end=True)),
    )


_ANSWER: Final = "A close frame MUST be answered by one, which typically has the same code; then the connection ends."

CASES: Final = (
    *family("close.1", "RFC 6455 §5.5.1", _ANSWER, _legal_codes()),
    *family("close.2", "RFC 6455 §7.4", "These codes MUST NOT be in a close frame.", _illegal_codes()),
    *family("close.3", "RFC 6455 §5.5.1", "The code may be followed by a reason in UTF-8.", _reasons()),
    *family("close.4", "RFC 6455 §8.1", "What should be UTF-8 and is not MUST fail the connection.", _bad_reasons()),
    *family(
        "close.5",
        "RFC 6455 §5.5.1",
        "The payload MUST begin with a two-byte code if there is any, and have at most 125 bytes.",
        _bad_payloads(),
    ),
    *family("close.6", "RFC 6455 §5.5.1", _ANSWER, _slowly()),
    *family("close.7", "RFC 6455 §5.5.1", _ANSWER, _behind_messages()),
    *family(
        "close.8", "RFC 6455 §1.4", "What comes after a close frame is discarded, and not answered.", _something_after()
    ),
    *family(
        "close.9",
        "RFC 6455 §5.4",
        "A close frame in the middle of a message ends the connection, and the message is lost.",
        _inside_a_message(),
    ),
    *family(
        "close.10",
        "RFC 6455 §7.1.7",
        "A connection that has failed is not closed once more: the code names the fault.",
        _behind_a_fault(),
    ),
    *family(
        "close.11",
        "RFC 6455 §7.1.5",
        "A stream that ends without a close frame ends the connection; a peer that stays is lax.",
        _end_without_close(),
    ),
    *family(
        "close.12",
        "RFC 6455 §5.5.1",
        "A close frame is answered even if the stream has ended behind it; to just end is lax.",
        _end_behind_close(),
    ),
)
