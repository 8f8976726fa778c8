"""Much of everything: large messages, many of them, many fragments, and headers that promise more (RFC 6455 §10.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wsproto_core.frames import Opcode

from ...transcript import in_bytes
from ...wire import Part, RawFrame, binary, continuation, ping, pong, text
from ..case import Steps, family
from ..compression import Compressed
from ..expecting import Barrier, ExpectEnd, ExpectMessage, ExpectPong
from ..negotiation import Negotiates
from ..samples import fragments, message_frame, sample, sample_bytes, sample_text
from ..steps import EndOutput, Pause, send
from ..talk import Play, Talk
from ..tolerating import ExpectEither

__all__ = ["CASES"]

#: Codes by which a peer may say that it does not take so much.
_TOO_BIG: Final = (1009,)
_TOO_MANY: Final = (1009, 1008)
#: Seconds for what takes a slow peer long.
_LONG: Final = 20.0

_KIB: Final = 1024


# ------------------------------------------------------------------------------------------------------ large messages


@dataclass(frozen=True, slots=True)
class LargeEcho:
    """A message of this size is echoed, or refused, which is lax. It is not kept: the cases would fill the memory."""

    kind: Opcode
    size: int

    def play(self, talk: Talk) -> Play:
        """Make it, send it, and expect it."""
        message = sample(self.kind, self.size)
        yield from send(message_frame(message)).play(talk)
        yield from ExpectMessage(message, _TOO_BIG, _LONG).play(talk)


def _large() -> Iterator[tuple[str, Steps]]:
    for size in (64, 256, 1024, 4096, 16_384):
        for kind in (Opcode.TEXT, Opcode.BINARY):
            yield f"{kind.name.lower()} of {size} KiB in one frame", (LargeEcho(kind, size * _KIB),)


def _large_in_fragments() -> Iterator[tuple[str, Steps]]:
    message = sample_bytes(1024 * _KIB)
    for size in (256, 1000, 4096, 65_536, 262_144):
        cuts = range(size, len(message), size)
        yield (
            f"1 MiB in fragments of {in_bytes(size)}",
            (
                send(*fragments(message, cuts)),
                ExpectMessage(message, _TOO_MANY, _LONG),
            ),
        )


def _large_in_writes() -> Iterator[tuple[str, Steps]]:
    message = sample_text(256 * _KIB)
    for size in (100, 997, 1460, 4096, 65_536):
        yield (
            f"256 KiB in writes of {in_bytes(size)}",
            (
                send(text(message), write_size=size),
                ExpectMessage(message, _TOO_BIG, _LONG),
            ),
        )
    yield "4 KiB in writes of one byte", (send(text(message[:4096]), write_size=1), ExpectMessage(message[:4096]))


# ------------------------------------------------------------------------------------------------------- many messages


def _many() -> Iterator[tuple[str, Steps]]:
    for size, count in ((0, 1000), (1, 1000), (16, 1000), (125, 1000), (1000, 1000), (16, 5000)):
        for kind in (Opcode.TEXT, Opcode.BINARY):
            message = sample(kind, size)
            echoes = [ExpectMessage(message, _TOO_MANY, _LONG)] * count
            steps: Steps = (send(*[message_frame(message)] * count), *echoes)
            yield f"{count} {kind.name.lower()} messages of {in_bytes(size)} in one write", steps
    numbered = [f"message {number}" for number in range(500)]
    yield "500 messages that differ, in one write", (send(*map(text, numbered)), *map(ExpectMessage, numbered))
    mixed = [message for number in range(500) for message in (str(number), str(number).encode())]
    yield (
        "text and binary in turn, 1000 in one write",
        (
            send(*map(message_frame, mixed)),
            *map(ExpectMessage, mixed),
        ),
    )
    sizes = [sample_bytes(size * 37 % 3000) for size in range(300)]
    yield (
        "300 messages of many sizes, in writes of 1000 bytes",
        (
            send(*map(binary, sizes), write_size=1000),
            *map(ExpectMessage, sizes),
        ),
    )


def _many_fragments() -> Iterator[tuple[str, Steps]]:
    for count in (1000, 10_000):
        message = sample_text(count)
        yield (
            f"{count} fragments of one byte in one write",
            (
                send(*fragments(message, range(1, count))),
                ExpectMessage(message, _TOO_MANY, _LONG),
            ),
        )
    yield (
        "1000 empty fragments, and then the message",
        (
            send(text(final=False), *[continuation(final=False)] * 1000, continuation("Hello")),
            ExpectMessage("Hello", _TOO_MANY),
        ),
    )
    yield (
        "1000 fragments, and a ping between any two",
        (
            send(text("x", final=False), *[ping(b"p"), continuation("x", final=False)] * 998, continuation("x")),
            ExpectMessage("x" * 1000, _TOO_MANY, _LONG),
        ),
    )
    yield (
        "20 messages of 500 fragments",
        (
            send(*[frame for _ in range(20) for frame in fragments(sample_text(500), range(1, 500))]),
            *[ExpectMessage(sample_text(500), _TOO_MANY, _LONG)] * 20,
        ),
    )


def _many_controls() -> Iterator[tuple[str, Steps]]:
    echo = ExpectEither("Hello", (1008, 1009, 1011), timeout=_LONG)
    yield "100 pings, then a message", (send(*[ping(b"x")] * 100, text("Hello")), ExpectMessage("Hello"), Barrier())
    yield "1000 pings, then a message", (send(*[ping(b"x" * 125)] * 1000, text("Hello")), echo)
    yield (
        "50 pings that differ; the last one is answered",
        (
            send(*(ping(f"{number}".encode()) for number in range(50))),
            ExpectPong(b"49"),
        ),
    )
    yield "1000 pongs that nobody asked for, then a message", (send(*[pong(b"x")] * 1000, text("Hello")), echo)


# ------------------------------------------------------------------------------------------------------------ promises


def _promises() -> Iterator[tuple[str, Steps]]:
    """Headers of frames that never come. Whether the peer makes room for them is not to be seen; it has to end."""
    promises = [(f"2**{exponent} bytes", 1 << exponent) for exponent in (20, 31, 32, 40, 62)]
    for title, size in (*promises, ("the most that there can be", (1 << 63) - 1)):
        yield (
            f"a header that promises {title}, ten of them, and the end",
            (
                send(RawFrame(Opcode.BINARY, bytes(10), claimed_size=size)),
                Pause(0.1),
                EndOutput(),
                ExpectEnd(),
            ),
        )
    frame = binary(sample_bytes(1 << 20))
    yield "half of 1 MiB, and the end", (send(Part(frame, stop=1 << 19)), EndOutput(), ExpectEnd())


def _many_compressed() -> Iterator[tuple[str, Steps]]:
    for size, count in ((16, 1000), (1000, 1000), (65_536, 20)):
        message = sample_text(size)
        yield (
            f"{count} compressed messages of {in_bytes(size)} in one write",
            (
                Negotiates(),
                send(*[Compressed(message)] * count),
                *[ExpectMessage(message, _TOO_MANY, _LONG)] * count,
            ),
        )
    message = sample_text(1 << 20)
    yield (
        "a compressed text of 1 MiB, five times",
        (
            Negotiates(),
            *[step for _ in range(5) for step in (send(Compressed(message)), ExpectMessage(message, _TOO_BIG, _LONG))],
        ),
    )


_MAY_LIMIT: Final = "Any message is delivered, unless an endpoint has a limit: then it says so by a close frame."

CASES: Final = (
    *family("limits.1", "RFC 6455 §10.4", _MAY_LIMIT, _large()),
    *family("limits.2", "RFC 6455 §10.4", _MAY_LIMIT, _large_in_fragments()),
    *family("limits.3", "RFC 6455 §5.2", "How many writes a message takes makes no difference.", _large_in_writes()),
    *family("limits.4", "RFC 6455 §5.4", "Messages come back in order, however many there are.", _many()),
    *family("limits.5", "RFC 6455 §5.4", "A message may have any number of fragments.", _many_fragments()),
    *family("limits.6", "RFC 6455 §5.5.2", "Many control frames do no harm.", _many_controls()),
    *family("limits.7", "RFC 6455 §10.4", "A promise of many bytes does no harm.", _promises()),
    *family("limits.8", "RFC 7692 §7.2", "Compressed messages come back in order.", _many_compressed(), opening=None),
)
