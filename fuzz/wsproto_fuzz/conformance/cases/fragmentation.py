"""Messages in fragments, and what may and may not come between them (RFC 6455 §5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from wsproto_core.frames import Frame, Opcode

from ...transcript import in_bytes
from ...wire import binary, close, continuation, ping, pong, text
from ..case import Steps, family
from ..expecting import Barrier, ExpectFailure, ExpectMessage, ExpectPong, ExpectPongs, Silence
from ..samples import echoed, fragments, sample, sample_bytes, sample_text
from ..steps import Pause, send

__all__ = ["CASES"]

_KINDS: Final = {Opcode.TEXT: "text", Opcode.BINARY: "binary"}


def _every(size: int, step: int) -> range:
    return range(step, size, step)


def _counts() -> Iterator[tuple[str, Steps]]:
    for kind, name in _KINDS.items():
        for count in (2, 3, 4, 10, 100, 1000):
            message = sample(kind, count * 5)
            frames = fragments(message, _every(count * 5, 5))
            yield f"{name} in {count} fragments of 5 bytes, in one write", (send(*frames), ExpectMessage(message))
        message = sample(kind, 50)
        frames = fragments(message, _every(50, 5))
        one_by_one = tuple(step for frame in frames for step in (send(frame), Pause(0.01)))
        yield f"{name} in 10 fragments with pauses", (*one_by_one, ExpectMessage(message))
        yield f"{name} in 10 fragments, byte by byte", (send(*frames, write_size=1), ExpectMessage(message))
        yield f"{name} in 10 fragments, in writes of 3 bytes", (send(*frames, write_size=3), ExpectMessage(message))


def _sizes() -> Iterator[tuple[str, Steps]]:
    for size in (1, 2, 124, 125, 126, 127, 65_535, 65_536):
        message = sample_bytes(size * 3)
        yield f"3 fragments of {in_bytes(size)}", (send(*fragments(message, (size, size * 2))), ExpectMessage(message))
    for total, size in ((65_536, 1000), (65_536, 4096), (262_144, 1000), (262_144, 65_536)):
        letters = sample_text(total)
        frames = fragments(letters, _every(total, size))
        yield f"text of {total} bytes in fragments of {size}", (send(*frames), ExpectMessage(letters))


def _empty() -> Iterator[tuple[str, Steps]]:
    for kind, name in _KINDS.items():
        whole = sample(kind, 10)
        for title, message, cuts in (
            ("the first fragment empty", whole, (0, 5)),
            ("the middle fragment empty", whole, (5, 5)),
            ("the last fragment empty", whole, (5, 10)),
            ("only the first with anything", whole, (10, 10)),
            ("only the last with anything", whole, (0, 0)),
            ("2 fragments, both empty", sample(kind, 0), (0,)),
            ("3 fragments, all empty", sample(kind, 0), (0, 0)),
            ("100 fragments, all empty", sample(kind, 0), (0,) * 99),
        ):
            yield f"{name}, {title}", (send(*fragments(message, cuts)), ExpectMessage(message))


def _control_between() -> Iterator[tuple[str, Steps]]:
    message = ExpectMessage("Hello")
    first, last = fragments("Hello", (3,))
    for size in (0, 5, 125):
        payload = sample_bytes(size)
        yield (
            f"a ping of {in_bytes(size)} between two fragments, answered before the last",
            (send(first, ping(payload)), ExpectPong(payload), send(last), message),
        )
        yield (
            f"a ping of {in_bytes(size)} between two fragments, in one write",
            (send(first, ping(payload), last), ExpectPong(payload), message),
        )
        yield (
            f"a pong of {in_bytes(size)} between two fragments",
            (send(first, pong(payload), last), message, Barrier()),
        )
    yield (
        "a ping between two fragments, byte by byte",
        (send(first, ping(b"1"), last, write_size=1), ExpectPong(b"1"), message),
    )
    yield (
        "a ping between empty fragments",
        (send(text(final=False), ping(b"1"), continuation()), ExpectPong(b"1"), ExpectMessage("")),
    )


def _many_control_between() -> Iterator[tuple[str, Steps]]:
    frames = fragments(sample_text(50), _every(50, 5))
    payloads = tuple(b"ping %d" % number for number in range(len(frames)))
    mixed = [item for frame, payload in zip(frames, payloads, strict=True) for item in (ping(payload), frame)]
    whole = ExpectMessage(sample_text(50))
    yield "a ping before each of 10 fragments", (send(*mixed), ExpectPongs(payloads), whole)
    yield "the same in writes of 7 bytes", (send(*mixed, write_size=7), ExpectPongs(payloads), whole)
    message = ExpectMessage("Hello")
    first, last = fragments("Hello", (3,))
    many = tuple(b"%d" % number for number in range(50))
    yield "50 pings between two fragments", (send(first, *map(ping, many), last), ExpectPongs(many), message)
    turns = send(first, pong(b"a"), ping(b"1"), pong(b"b"), ping(b"2"), last)
    yield "pings and pongs in turn between two fragments", (turns, ExpectPongs((b"1", b"2")), message)


def _sequences() -> Iterator[tuple[str, Steps]]:
    one, two = fragments("the first", (4,)), fragments(b"the second", (4, 6))
    both = ExpectMessage("the first"), ExpectMessage(b"the second")
    yield "two fragmented messages in one write", (send(*one, *two), *both)
    yield "two fragmented messages, one after the other", (send(*one), both[0], send(*two), both[1])
    yield (
        "a fragmented message between two whole ones",
        (
            send(text("before"), *one, binary(b"after")),
            *(ExpectMessage("before"), both[0], ExpectMessage(b"after")),
        ),
    )
    yield (
        "50 fragmented messages in one write",
        (
            send(*(frame for number in range(50) for frame in fragments(f"message {number}", (3, 5)))),
            *(ExpectMessage(f"message {number}") for number in range(50)),
        ),
    )


def _unfinished() -> Iterator[tuple[str, Steps]]:
    for kind, name in _KINDS.items():
        first, last = fragments(sample(kind, 10), (5,))
        yield (
            f"{name}, the last fragment late",
            (send(first), Barrier(), Silence(0.3), send(last), ExpectMessage(sample(kind, 10))),
        )
    first, middle, last = fragments("unfinished", (2, 4))
    yield (
        "text, a late last fragment with pings before",
        (send(first), Barrier(), send(middle), Barrier(), Silence(0.2), send(last), ExpectMessage("unfinished")),
    )


def _nothing_to_continue() -> Iterator[tuple[str, Steps]]:
    frames: dict[str, Frame] = {
        "the last fragment of nothing": continuation("Hello"),
        "a middle fragment of nothing": continuation("Hello", final=False),
        "an empty last fragment of nothing": continuation(),
        "an empty middle fragment of nothing": continuation(final=False),
        "a long last fragment of nothing": continuation(sample_text(70_000)),
    }
    for name, frame in frames.items():
        yield name, (send(frame), ExpectFailure())
        yield f"{name}, after a whole message", (*echoed("right"), send(frame), ExpectFailure())
        yield (
            f"{name}, after a fragmented message in the same write",
            (send(*fragments("right", (2,)), frame), ExpectFailure(before=("right",))),
        )
        yield f"{name}, before a good message", (send(frame, text("right")), ExpectFailure())
    yield "a continuation of nothing, byte by byte", (send(continuation("x"), write_size=1), ExpectFailure())


def _message_inside() -> Iterator[tuple[str, Steps]]:
    for outer, outer_name in _KINDS.items():
        for inner, inner_name in _KINDS.items():
            first = Frame(outer, b"Hel", final=False)
            name = f"{inner_name} inside of {outer_name}"
            yield name, (send(first, Frame(inner, b"new")), ExpectFailure())
            yield f"{name}, itself in fragments", (send(first, Frame(inner, b"new", final=False)), ExpectFailure())
            yield (
                f"{name}, empty, before the last fragment",
                (send(first, Frame(inner), continuation("lo")), ExpectFailure()),
            )
            yield (
                f"{name}, after a ping",
                (send(first, ping(b"1"), Frame(inner, b"new")), ExpectFailure(pongs=(b"1",))),
            )
    yield "every fragment a text frame", (send(text("Hel", final=False), text("lo", final=False)), ExpectFailure())


def _fragmented_control() -> Iterator[tuple[str, Steps]]:
    for frame in (ping(b"Hello"), ping(), pong(b"Hello"), pong(), close(1000, "bye"), close()):
        part = replace(frame, final=False)
        name = f"{Opcode(frame.opcode).name.lower()} of {in_bytes(len(frame.payload))}"
        yield f"a {name} without FIN", (send(part), ExpectFailure())
        yield f"a {name} and its continuation", (send(part, continuation()), ExpectFailure())
        yield f"a {name} without FIN after a message", (*echoed("right"), send(part), ExpectFailure())
        yield (
            f"a {name} without FIN inside of a message",
            (send(text("Hel", final=False), part, continuation("lo")), ExpectFailure()),
        )


_WHOLE: Final = "A message is the concatenation of its fragments, however many there are and whatever their sizes."

CASES: Final = (
    *family("fragmentation.1", "RFC 6455 §5.4", _WHOLE, _counts()),
    *family("fragmentation.2", "RFC 6455 §5.4", _WHOLE, _sizes()),
    *family("fragmentation.3", "RFC 6455 §5.4", "A fragment may be empty.", _empty()),
    *family(
        "fragmentation.4",
        "RFC 6455 §5.4",
        "Control frames MAY come in the middle of a fragmented message; an endpoint MUST be able to handle them.",
        (*_control_between(), *_many_control_between()),
    ),
    *family("fragmentation.5", "RFC 6455 §5.4", _WHOLE, _sequences()),
    *family("fragmentation.6", "RFC 6455 §6.2", "A message is received when its last fragment is.", _unfinished()),
    *family(
        "fragmentation.7",
        "RFC 6455 §5.4",
        "A continuation frame needs a message that it continues.",
        _nothing_to_continue(),
    ),
    *family(
        "fragmentation.8",
        "RFC 6455 §5.4",
        "The fragments of one message MUST NOT be interleaved with those of another.",
        _message_inside(),
    ),
    *family("fragmentation.9", "RFC 6455 §5.5", "Control frames MUST NOT be fragmented.", _fragmented_control()),
)
