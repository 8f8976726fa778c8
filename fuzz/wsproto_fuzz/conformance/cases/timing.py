"""Slow bytes, pauses anywhere, and streams that end in one direction (RFC 6455 §5.2, §7.1; RFC 9293 §3.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wsproto_core.frames import Frame, Opcode

from ...transcript import in_bytes
from ...wire import Part, binary, close, continuation, ping, text
from ..case import SERVERS, Steps, family
from ..expecting import Barrier, ExpectClose, ExpectEnd, ExpectMessage, ExpectPong
from ..requests import Asks, request
from ..samples import echoed, message_frame, sample, sample_bytes, sample_text
from ..steps import EndOutput, Pause, send

__all__ = ["CASES"]

_PAUSE: Final = 0.15
_FRAGMENT: Final = text("a", final=False)


# -------------------------------------------------------------------------------------------------------- byte by byte


def _slow() -> Iterator[tuple[str, Steps]]:
    for size, gap in ((5, 0.005), (5, 0.02), (126, 0.001), (1, 0.05)):
        for kind in (Opcode.TEXT, Opcode.BINARY):
            message = sample(kind, size)
            steps = (send(message_frame(message), write_size=1, gap=gap), ExpectMessage(message))
            yield f"{kind.name.lower()} of {in_bytes(size)}, with {gap * 1000:g} ms behind each byte", steps
    yield "an empty message", (send(text(), write_size=1, gap=0.01), ExpectMessage(""))
    yield "a ping", (send(ping(b"slow"), write_size=1, gap=0.005), ExpectPong(b"slow"))
    yield "a ping without payload", (send(ping(), write_size=1, gap=0.005), ExpectPong(b""))
    yield "a close frame", (send(close(1000, "slow"), write_size=1, gap=0.005), ExpectClose())
    yield (
        "three fragments and a ping between them",
        (
            send(
                text("a", final=False),
                ping(b"p"),
                continuation("b", final=False),
                continuation("c"),
                write_size=1,
                gap=0.005,
            ),
            ExpectPong(b"p"),
            ExpectMessage("abc"),
        ),
    )
    yield (
        "two messages",
        (
            send(text("one"), binary(b"two"), write_size=1, gap=0.005),
            ExpectMessage("one"),
            ExpectMessage(b"two"),
        ),
    )
    yield (
        "a message of 65536 bytes in pieces of 4000, with 5 ms behind each",
        (
            send(text(sample_text(65536)), write_size=4000, gap=0.005),
            ExpectMessage(sample_text(65536)),
        ),
    )


# -------------------------------------------------------------------------------------------------------------- pauses


def _pauses_within() -> Iterator[tuple[str, Steps]]:
    for size in (200, 70_000):
        frame = binary(sample_bytes(size))
        yield (
            f"within a payload of {size} bytes",
            (
                send(Part(frame, stop=size // 2 + 1)),
                Pause(_PAUSE),
                send(Part(frame, start=size // 2 + 1)),
                ExpectMessage(frame.payload),
            ),
        )
    yield "between the bytes of a ping", (send(ping(b"ab"), cuts=(1, 3), gap=_PAUSE), ExpectPong(b"ab"))
    yield (
        "between header and payload",
        (
            send(Part(text("Hello"), stop=0)),
            Pause(_PAUSE),
            send(Part(text("Hello"), start=0)),
            ExpectMessage("Hello"),
        ),
    )
    yield "between the parts of a close frame", (send(close(1000, "bye"), cuts=(1, 2, 7), gap=_PAUSE), ExpectClose())


def _pauses_between() -> Iterator[tuple[str, Steps]]:
    yield (
        "between fragments",
        (
            send(text("a", final=False)),
            Pause(_PAUSE),
            send(continuation("b", final=False)),
            Pause(_PAUSE),
            send(continuation("c")),
            ExpectMessage("abc"),
        ),
    )
    yield "before the first frame", (Pause(1.0), *echoed("Hello"))
    yield "between messages", (*echoed("a"), Pause(1.0), *echoed("b"))
    yield (
        "a ping during a pause between fragments is answered at once",
        (
            send(text("a", final=False)),
            Pause(_PAUSE),
            Barrier(),
            Pause(_PAUSE),
            send(continuation("b")),
            ExpectMessage("ab"),
        ),
    )


def _rhythms() -> Iterator[tuple[str, Steps]]:
    yield "50 messages, each when the one before is back", echoed(*(f"message {number}" for number in range(50)))
    yield "20 pings, each when the one before is answered", tuple(Barrier() for _ in range(20))
    messages = [sample_text(size) for size in (1, 200, 70_000, 3, 125, 126)]
    yield (
        "messages that end in the middle of writes of 100 bytes",
        (
            send(*map(text, messages), write_size=100),
            *map(ExpectMessage, messages),
        ),
    )
    yield (
        "a header with the end of the message before",
        (
            send(text("one"), Part(text("two"), stop=0)),
            ExpectMessage("one"),
            send(Part(text("two"), start=0)),
            ExpectMessage("two"),
        ),
    )


# ----------------------------------------------------------------------------------------- the end of one direction


def _ends() -> Iterator[tuple[str, Steps]]:
    long = text(sample_text(1000))
    titled: tuple[tuple[str, tuple[Frame | Part | bytes, ...]], ...] = (
        ("at once", ()),
        ("behind one byte of a frame", (b"\x81",)),
        ("behind the header of a frame", (Part(long, stop=0),)),
        ("within a payload", (Part(long, stop=500),)),
        ("between two fragments", (_FRAGMENT,)),
        ("within a ping", (Part(ping(b"abcdef"), stop=3),)),
        ("within a close frame", (Part(close(1000, "bye"), stop=3),)),
    )
    for title, items in titled:
        yield title, (*((send(*items),) if items else ()), EndOutput(), ExpectEnd())
    yield "after a message and its echo", (*echoed("Hello"), EndOutput(), ExpectEnd())
    yield "right behind a message", (send(text("Hello")), EndOutput(), ExpectEnd(("Hello",)))
    yield "right behind a close frame", (send(close(1000)), EndOutput(), ExpectClose(may_just_end=True))


def _half_requests() -> Iterator[tuple[str, Steps]]:
    whole = request()
    for title, head in (
        ("at once", ""),
        ("behind one byte of the request", "G"),
        ("within the first line", "GET "),
        ("between two fields", whole[: whole.index("Upgrade")]),
        ("before the last byte of the request", whole[:-1]),
    ):
        yield title, (Asks(head), EndOutput(), ExpectEnd())


CASES: Final = (
    *family("timing.1", "RFC 6455 §5.2", "A frame may come byte by byte.", _slow()),
    *family("timing.2", "RFC 6455 §5.2", "A frame may stop anywhere for a while.", _pauses_within()),
    *family(
        "timing.3",
        "RFC 6455 §5.4",
        "There may be pauses between frames, and in the middle of messages.",
        _pauses_between(),
    ),
    *family("timing.4", "RFC 6455 §5.4", "How messages and writes overlap makes no difference.", _rhythms()),
    *family(
        "timing.5",
        "RFC 6455 §7.1.5",
        "When the stream has ended in one direction without a close frame, a peer has nothing left to do.",
        _ends(),
    ),
    *family(
        "timing.6",
        "RFC 9112 §8",
        "When the stream ends before the request is complete, a server has nothing left to do.",
        _half_requests(),
        peers=SERVERS,
        opening=None,
    ),
)
