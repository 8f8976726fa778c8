"""The reserved bits, of which nothing was agreed (RFC 6455 §5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from wsproto_core.frames import Frame

from ...wire import Part, binary, close, continuation, ping, pong, text
from ..case import Steps, family
from ..expecting import ExpectEarlyFailure, ExpectFailure
from ..samples import echoed, sample_bytes
from ..steps import send

__all__ = ["CASES"]

#: The value of the three bits, and which of them it sets.
_BITS: Final = {
    value: "+".join(f"RSV{number}" for number in (1, 2, 3) if value & 8 >> number) for value in (4, 2, 1, 6, 5, 3, 7)
}

_FRAMES: Final[dict[str, Frame]] = {
    "text": text("Hello"),
    "empty text": text(),
    "binary": binary(b"Hello"),
    "long binary": binary(sample_bytes(70_000)),
    "ping": ping(b"Hello"),
    "pong": pong(b"Hello"),
    "close": close(1000, "bye"),
}


def _alone() -> Iterator[tuple[str, Steps]]:
    for name, frame in _FRAMES.items():
        for value, bits in _BITS.items():
            yield f"{bits} on a {name} frame", (send(replace(frame, reserved=value)), ExpectFailure())


def _fragments() -> Iterator[tuple[str, Steps]]:
    for value, bits in _BITS.items():
        first = text("Hel", final=False)
        yield (
            f"{bits} on the first fragment",
            (send(replace(first, reserved=value), continuation("lo")), ExpectFailure()),
        )
        yield (
            f"{bits} on the last fragment",
            (send(first, continuation("lo", reserved=value)), ExpectFailure()),
        )
        yield (
            f"{bits} on a ping between fragments",
            (send(first, replace(ping(b"Hello"), reserved=value), continuation("lo")), ExpectFailure()),
        )


def _around() -> Iterator[tuple[str, Steps]]:
    for value, bits in _BITS.items():
        wrong = text("wrong", reserved=value)
        yield f"{bits} after a good message", (*echoed("right"), send(wrong), ExpectFailure())
        yield (
            f"{bits} between two good messages, in one write",
            (send(text("right"), wrong, text("right")), ExpectFailure(before=("right",))),
        )
        yield (
            f"{bits} before a ping, byte by byte",
            (send(wrong, ping(b"later"), write_size=1), ExpectFailure()),
        )
        yield f"{bits} before a close frame", (send(wrong, close(4001)), ExpectFailure())


def _early() -> Iterator[tuple[str, Steps]]:
    for value, bits in _BITS.items():
        wrong = text("wrong", reserved=value)
        yield (
            f"{bits} in a header, the payload later",
            (send(Part(wrong, stop=0)), ExpectEarlyFailure(), send(Part(wrong, 0)), ExpectFailure()),
        )


_REQUIREMENT: Final = "A reserved bit that no extension defines MUST make the receiver fail the connection."

CASES: Final = (
    *family("reserved.1", "RFC 6455 §5.2", _REQUIREMENT, _alone()),
    *family("reserved.2", "RFC 6455 §5.2", _REQUIREMENT, _fragments()),
    *family("reserved.3", "RFC 6455 §5.2", _REQUIREMENT, _around()),
    *family(
        "reserved.4",
        "RFC 6455 §5.2",
        "A reserved bit is wrong as soon as it is seen; to wait for the whole frame is lax.",
        _early(),
    ),
)
