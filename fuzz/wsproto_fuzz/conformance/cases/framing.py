"""Frames: lengths, types, masking, and bytes that come as they like (RFC 6455 §5.1, §5.2, §5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from wsproto_core.frames import Frame, Opcode

from ...transcript import in_bytes
from ...wire import Part, RawFrame, binary, close, continuation, ping, pong, text
from ..case import SERVERS, Steps, family
from ..expecting import Barrier, ExpectEarlyFailure, ExpectFailure, ExpectMessage, ExpectPong
from ..samples import echoed, fragments, message_frame, sample, sample_bytes, sample_text
from ..steps import Pause, send

__all__ = ["CASES"]

_SIZES: Final = (
    *(0, 1, 2, 3, 7, 16, 63, 64, 124, 125, 126, 127, 128, 255, 256, 257, 1000, 4095, 4096, 4097),
    *(32767, 32768, 65534, 65535, 65536, 65537, 100_000, 131_072, 500_000),
)

_KINDS: Final = {Opcode.TEXT: "text", Opcode.BINARY: "binary"}

#: Sizes around every change of the header's form.
_FORMS: Final = {"7 bits": 5, "16 bits": 300, "64 bits": 70_000}


def _every_size(kind: Opcode) -> Iterator[tuple[str, Steps]]:
    for size in _SIZES:
        yield f"{_KINDS[kind]}, {in_bytes(size)}", echoed(sample(kind, size))


def _types() -> Iterator[tuple[str, Steps]]:
    yield "text and binary with the same bytes, in turn", echoed("Hello", b"Hello", "Hello", b"Hello")
    yield "empty text and empty binary, in turn", echoed("", b"", "", b"")
    yield "binary that is no UTF-8", echoed(b"\xff\xfe\x80\xc0\xed\xa0\x80")
    yield "binary that looks like frames", echoed(bytes(close(1000)) + bytes(ping(b"x")) + bytes(text("y")))
    yield "text of NUL characters", echoed("\0" * 10)
    yield "text that looks like HTTP", echoed("GET / HTTP/1.1\r\n\r\n")
    yield "the longest of each form, in turn", echoed(sample_text(125), sample_bytes(65_535), sample_text(125))


def _small_writes() -> Iterator[tuple[str, Steps]]:
    for size in (0, 5, 125, 126, 1000):
        for kind in _KINDS:
            message = sample(kind, size)
            steps = send(message_frame(message), write_size=1), ExpectMessage(message)
            yield f"{_KINDS[kind]}, {in_bytes(size)}, each in a write of its own", steps
    for write_size in (2, 3, 5, 7, 13, 64, 997):
        message = sample_text(3000)
        steps = send(message_frame(message), write_size=write_size), ExpectMessage(message)
        yield f"text of 3000 bytes in writes of {write_size}", steps
    for size in (65_535, 65_536, 131_072):
        message = sample_bytes(size)
        steps = send(message_frame(message), write_size=1021), ExpectMessage(message)
        yield f"binary of {in_bytes(size)} in writes of 1021", steps
    for size in (0, 5, 40):
        message = sample_text(size)
        steps = send(message_frame(message), write_size=1, gap=0.002), ExpectMessage(message)
        yield f"text of {in_bytes(size)}, each alone for 2 ms", steps


def _split_headers() -> Iterator[tuple[str, Steps]]:
    for form, size in _FORMS.items():
        header_size = len(bytes(Frame(Opcode.TEXT, bytes(size), mask=bytes(4)))) - size
        for place in range(1, header_size + 1):
            message = sample_text(size)
            steps = send(message_frame(message), cuts=(place,), gap=0.02), ExpectMessage(message)
            yield f"length in {form}, a pause after {in_bytes(place)}", steps


def _many_at_once() -> Iterator[tuple[str, Steps]]:
    for count in (2, 10, 100, 1000):
        messages = [sample(Opcode.TEXT if number % 2 else Opcode.BINARY, number % 200) for number in range(count)]
        expected = tuple(ExpectMessage(message) for message in messages)
        yield f"{count} messages in one write", (send(*map(message_frame, messages)), *expected)
    words = [f"message {number}" for number in range(50)]
    expected = tuple(ExpectMessage(word) for word in words)
    yield "50 messages in writes of 7 bytes", (send(*map(text, words), write_size=7), *expected)
    for size, title in ((4, "a message and a half"), (0, "a message and the next one's header")):
        second = text("the second")
        yield (
            f"{title} in one write",
            (
                *(send(text("the first"), Part(second, stop=size)), ExpectMessage("the first")),
                *(send(Part(second, size)), ExpectMessage("the second")),
            ),
        )
    yield "a message after a pause", (*echoed("before"), Pause(0.3), *echoed("after"))


def _padded_lengths() -> Iterator[tuple[str, Steps]]:
    for room, sizes in ((2, (0, 1, 5, 125)), (8, (0, 5, 125, 126, 300, 65_535))):
        for size in sizes:
            frame = Frame(Opcode.BINARY, sample_bytes(size), length_size=room)
            steps = send(frame), ExpectFailure(may_go_on=True), ExpectMessage(frame.payload)
            yield f"{in_bytes(size)}, the length in {room} bytes", steps
    wrong_ping, wrong_pong = (Frame(opcode, b"Hello", length_size=2) for opcode in (Opcode.PING, Opcode.PONG))
    yield (
        "a ping of 5 bytes, the length in 2 bytes",
        (send(wrong_ping), ExpectFailure(may_go_on=True), ExpectPong(b"Hello")),
    )
    yield (
        "a pong of 5 bytes, the length in 2 bytes",
        (send(wrong_pong), ExpectFailure(may_go_on=True), Barrier()),
    )


def _negative_lengths() -> Iterator[tuple[str, Steps]]:
    for claim, name in ((1 << 63, "2^63"), ((1 << 63) + 5, "2^63 + 5"), ((1 << 64) - 1, "2^64 - 1")):
        for kind, word in _KINDS.items():
            frame = RawFrame(kind, b"Hello", length_size=8, claimed_size=claim)
            yield f"{word}, a length of {name}", (send(frame), ExpectEarlyFailure((1002, 1009)))


def _wrong_masking() -> Iterator[tuple[str, Steps]]:
    for frame, name in (
        *((text("Hello"), "text"), (text(), "empty text"), (binary(b"Hello"), "binary"), (binary(), "empty binary")),
        *((ping(b"Hello"), "ping"), (ping(), "empty ping"), (pong(b"Hello"), "pong"), (pong(), "empty pong")),
        *((text(sample_text(300)), "text of 300 bytes"), (binary(sample_bytes(70_000)), "binary of 70000 bytes")),
        *((close(1000), "close"), (close(), "close without a code")),
    ):
        yield name, (send(frame, swap_masking=True), ExpectFailure())
    wrong = send(text("wrong"), swap_masking=True)
    yield "text after a good message", (*echoed("right"), wrong, ExpectFailure())
    yield "text before a good message", (wrong, send(text("right")), ExpectFailure())
    yield (
        "the second fragment of a message",
        (send(text("right", final=False)), send(continuation("wrong"), swap_masking=True), ExpectFailure()),
    )
    yield "text, byte by byte", (send(text("wrong"), write_size=1, swap_masking=True), ExpectFailure())
    header = send(Part(text("wrong"), stop=0), swap_masking=True)
    rest = send(Part(text("wrong"), 0), swap_masking=True)
    yield "no more than the header of a text", (header, ExpectEarlyFailure(), rest, ExpectFailure())


def _keys() -> Iterator[tuple[str, Steps]]:
    for key in ("00000000", "ffffffff", "00000001", "01000000", "80808080", "0a0d0a0d", "48656c6c"):
        for message in ("Hello", sample_bytes(1000)):
            frame = replace(message_frame(message), mask=bytes.fromhex(key))
            yield f"key {key}, {in_bytes(len(message))}", (send(frame), ExpectMessage(message))
    for size in (1, 2, 3, 4, 5, 6, 7, 8, 9):
        message = sample_bytes(size * 3)
        frames = [
            replace(frame, mask=bytes([number, 1, 2, 3]))
            for number, frame in enumerate(fragments(message, (size, 2 * size)))
        ]
        yield f"three fragments of {in_bytes(size)}, each with its own key", (send(*frames), ExpectMessage(message))


def _interrupted() -> Iterator[tuple[str, Steps]]:
    message = sample_text(1000)
    frame = text(message)
    yield (
        "half a message, a pause, the other half",
        (send(Part(frame, stop=500)), Pause(0.3), send(Part(frame, 500)), ExpectMessage(message)),
    )
    yield (
        "a message in ten parts with pauses",
        (send(frame, write_size=101, gap=0.03), ExpectMessage(message), Barrier()),
    )


_DELIVERED: Final = "A frame is understood however its bytes are spread over reads: TCP keeps no boundaries."

CASES: Final = (
    *family("framing.1", "RFC 6455 §5.2", "Text of every length is delivered as it is.", _every_size(Opcode.TEXT)),
    *family("framing.2", "RFC 6455 §5.2", "Data of every length is delivered as it is.", _every_size(Opcode.BINARY)),
    *family("framing.3", "RFC 6455 §5.6", "Text stays text and binary stays binary, whatever it holds.", _types()),
    *family("framing.4", "RFC 6455 §5.2", _DELIVERED, _small_writes()),
    *family("framing.5", "RFC 6455 §5.2", _DELIVERED, _split_headers()),
    *family(
        "framing.6",
        "RFC 6455 §6.2",
        "Each message is received as soon as its last frame is, and in order, however many frames a read brings.",
        (*_many_at_once(), *_interrupted()),
    ),
    *family(
        "framing.7",
        "RFC 6455 §5.2",
        "The minimal number of bytes MUST be used to encode the length; a receiver that takes others is lax.",
        _padded_lengths(),
    ),
    *family(
        "framing.8",
        "RFC 6455 §5.2",
        "The most significant bit of a 64-bit length MUST be 0; a receiver that waits for so much is lax.",
        _negative_lengths(),
    ),
    *family(
        "framing.9",
        "RFC 6455 §5.1",
        "A server MUST close the connection upon a frame that is not masked, a client upon one that is.",
        _wrong_masking(),
    ),
    *family(
        "framing.10",
        "RFC 6455 §5.3",
        "The key is any 32-bit value, new for each frame, and octet i of the payload is masked with octet i mod 4.",
        _keys(),
        peers=SERVERS,
    ),
)
