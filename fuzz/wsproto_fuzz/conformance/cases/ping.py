"""Ping and pong (RFC 6455 §5.5, §5.5.2, §5.5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wsproto_core.frames import Frame, Opcode

from ...transcript import in_bytes
from ...wire import Part, ping, pong, text
from ..case import Steps, family
from ..expecting import Barrier, ExpectEarlyFailure, ExpectFailure, ExpectMessage, ExpectPong, ExpectPongs
from ..samples import echoed, sample_bytes, sample_text
from ..steps import Pause, send
from ..tolerating import ExpectNoAnswer

__all__ = ["CASES"]

_SIZES: Final = (0, 1, 2, 3, 4, 5, 7, 8, 31, 32, 63, 64, 100, 124, 125)
_TOO_LONG: Final = (126, 127, 200, 1000, 65_535, 65_536)


def _sizes() -> Iterator[tuple[str, Steps]]:
    for size in _SIZES:
        payload = sample_bytes(size)
        yield f"a ping of {in_bytes(size)}", (send(ping(payload)), ExpectPong(payload))


def _contents() -> Iterator[tuple[str, Steps]]:
    for payload, name in (
        (b"Hello", "ASCII"),
        (b"\0" * 8, "NUL bytes"),
        (b"\xff" * 125, "125 bytes 0xff"),
        (b"\xff\xfe\xfd\xfc\xfb", "no UTF-8"),
        ("µ€\N{GRINNING FACE}".encode(), "UTF-8"),
        (b"\r\n\r\n", "line ends"),
        (b"\x03\xe8bye", "a close payload"),
        (bytes(ping(b"inner")), "a ping inside of the ping"),
    ):
        yield f"a ping of {name}", (send(ping(payload)), ExpectPong(payload))


def _several() -> Iterator[tuple[str, Steps]]:
    for count in (2, 10, 100):
        payloads = tuple(b"ping %d" % number for number in range(count))
        yield f"{count} pings in one write", (send(*map(ping, payloads)), ExpectPongs(payloads))
    payloads = tuple(b"ping %d" % number for number in range(10))
    yield "10 pings in writes of 3 bytes", (send(*map(ping, payloads), write_size=3), ExpectPongs(payloads))
    waited = tuple(step for payload in payloads for step in (send(ping(payload)), ExpectPong(payload)))
    yield "10 pings, each answered before the next", waited
    empty = tuple(step for _ in range(3) for step in (send(ping()), ExpectPong(b"")))
    yield "3 empty pings, each answered before the next", empty


def _slowly() -> Iterator[tuple[str, Steps]]:
    for size in (0, 5, 125):
        payload = sample_bytes(size)
        yield f"a ping of {in_bytes(size)}, byte by byte", (send(ping(payload), write_size=1), ExpectPong(payload))
    frame = ping(b"slow ping")
    yield (
        "half a ping, a pause, the other half",
        (send(Part(frame, stop=4)), Pause(0.2), send(Part(frame, 4)), ExpectPong(frame.payload)),
    )
    yield (
        "a header, a pause, the payload",
        (send(Part(frame, stop=0)), Pause(0.2), send(Part(frame, 0)), ExpectPong(frame.payload)),
    )


def _among_messages() -> Iterator[tuple[str, Steps]]:
    hello = ExpectMessage("Hello")
    yield "a ping before a message", (send(ping(b"1"), text("Hello")), ExpectPong(b"1"), hello)
    yield "a ping after a message", (send(text("Hello"), ping(b"1")), ExpectPong(b"1"), hello)
    yield (
        "pings around a message",
        (send(ping(b"1"), text("Hello"), ping(b"2")), ExpectPongs((b"1", b"2")), hello),
    )
    yield (
        "a ping behind a long message",
        (send(text(sample_text(100_000)), ping(b"1")), ExpectPong(b"1"), ExpectMessage(sample_text(100_000))),
    )
    mixed = [frame for number in range(20) for frame in (text(f"message {number}"), ping(b"ping %d" % number))]
    yield (
        "20 messages and 20 pings in one write",
        (
            send(*mixed),
            ExpectPongs(tuple(b"ping %d" % number for number in range(20))),
            *(ExpectMessage(f"message {number}") for number in range(20)),
        ),
    )


def _unasked_pongs() -> Iterator[tuple[str, Steps]]:
    for size in (0, 1, 5, 124, 125):
        yield f"a pong of {in_bytes(size)}", (send(pong(sample_bytes(size))), Barrier(), *echoed("Hello"))
    yield "a pong that is no UTF-8", (send(pong(b"\xff\xfe")), Barrier(), *echoed("Hello"))
    yield "100 pongs in one write", (send(*(pong(b"%d" % number) for number in range(100))), Barrier())
    yield "a pong, byte by byte", (send(pong(b"Hello"), write_size=1), Barrier())
    yield (
        "a pong, a ping, a message",
        (send(pong(b"1"), ping(b"2"), text("Hello")), ExpectPong(b"2"), ExpectMessage("Hello")),
    )
    yield "a pong with what a ping then has", (send(pong(b"same"), ping(b"same")), ExpectPong(b"same"), Barrier())
    yield "a pong is not answered by another one", (send(pong(b"unasked")), ExpectNoAnswer(b"unasked"))


def _too_long() -> Iterator[tuple[str, Steps]]:
    for opcode in (Opcode.PING, Opcode.PONG):
        name = opcode.name.lower()
        for size in _TOO_LONG:
            yield f"a {name} of {in_bytes(size)}", (send(Frame(opcode, sample_bytes(size))), ExpectFailure())
        frame = Frame(opcode, sample_bytes(126))
        yield f"a {name} of 126 bytes after a message", (*echoed("Hello"), send(frame), ExpectFailure())
        yield f"a {name} of 126 bytes in writes of 1", (send(frame, write_size=1), ExpectFailure())
        yield (
            f"the header of a {name} of 126 bytes, then the rest",
            (send(Part(frame, stop=0)), ExpectEarlyFailure(), send(Part(frame, 0)), ExpectFailure()),
        )


CASES: Final = (
    *family(
        "ping.1", "RFC 6455 §5.5.2", "A ping MUST be answered by a pong, as long as there was no close frame.", _sizes()
    ),
    *family("ping.2", "RFC 6455 §5.5.3", "A pong MUST have identical application data as its ping.", _contents()),
    *family(
        "ping.3",
        "RFC 6455 §5.5.3",
        "Of several pings that came together, at least the most recent is answered.",
        _several(),
    ),
    *family("ping.4", "RFC 6455 §5.5.2", "A ping is answered however its bytes arrive.", _slowly()),
    *family("ping.5", "RFC 6455 §5.5.2", "Pings do not disturb the messages around them.", _among_messages()),
    *family("ping.6", "RFC 6455 §5.5.3", "A pong MAY come unasked; no response to it is expected.", _unasked_pongs()),
    *family("ping.7", "RFC 6455 §5.5", "Control frames MUST have a payload of 125 bytes or less.", _too_long()),
)
