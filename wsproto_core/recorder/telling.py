"""A flight as text, for people: who said what when, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from .._wire.frames import describe_header
from .calls import ARGUMENTS
from .entries import Entry, Flight, Hidden, HiddenText
from .inbound import FrameHead, Inbound, Kind, Part

__all__ = ["tell"]

_ARROWS: Final = {"receive_data": "<-", "receive_eof": "<-", "data_to_send": "->"}.get
_SHOWN: Final = 40


def tell(flight: Flight) -> Iterator[str]:
    """The lines of it: seconds since the first call, ``<-`` for what came, ``->`` for what left, ``--`` for what the
    application, a timer or the transport did; and behind it, what came of it.
    """
    yield from _beginning(flight)
    times = [entry.at for entry in flight.entries if entry.at is not None]
    first = latest = times[0] if times else 0.0
    inbound: Inbound | None = None
    for number, entry in enumerate(flight.entries):
        if number == flight.begins_at:
            has_head = not flight.dropped and not flight.facts.is_parsed
            inbound = Inbound(flight.facts.role, has_head=has_head)
            yield from ["--- a replay begins here"] if number else []
        latest = latest if entry.at is None else entry.at
        came_of_it = f"  => {', '.join(entry.told)}" if entry.told else ""
        yield f"{latest - first:10.3f} {_ARROWS(entry.do, '--')} {_words(entry)}{came_of_it}"
        if entry.do == "receive_data" and inbound is not None:
            yield from (f"{'':14}{line}" for line in _frames(entry, inbound))
    yield from _end(flight)


def _beginning(flight: Flight) -> Iterator[str]:
    facts = flight.facts
    yield f"a {facts.role.value}'s flight" + ("" if flight.has_payloads else ", without the contents of messages")
    for name, value in (("subprotocol", facts.subprotocol), ("extensions", facts.agreed), ("wrong", facts.violation)):
        if value is not None:
            yield f"{name}: {value}"
    if flight.dropped:
        yield f"{flight.dropped} calls before these were not kept"
    if flight.obstacle:
        yield f"it cannot be replayed: {flight.obstacle}"


def _end(flight: Flight) -> Iterator[str]:
    yield f"state: {flight.ending.state.name}"
    said = {name: value for name, value in flight.ending.report.items() if value not in (None, "")}
    if said:
        yield "report: " + ", ".join(f"{name} {value}" for name, value in said.items())


def _words(entry: Entry) -> str:
    """The call, and those of its arguments that say anything."""
    names = ARGUMENTS[entry.do]
    said = [
        _value(value) if len(names) == 1 else name if value is True else f"{name} {_value(value)}"
        for name, value in zip(names, entry.arguments, strict=True)
        if value not in (None, False, "", ())
    ]
    return f"{entry.do} {', '.join(said)}".rstrip()


def _value(value: Any) -> str:
    match value:
        case Hidden() | bytes():
            return f"{len(bytes(value))} bytes"
        case HiddenText():
            return f"text of {value.size} bytes"
        case str():
            return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}...")
        case (*fields,):
            return "; ".join(f"{name}: {words}" for name, words in fields)
        case _:
            return str(value)


def _frames(entry: Entry, inbound: Inbound) -> Iterator[str]:
    """What came of frames, in the order of its bytes."""
    (held,) = entry.arguments
    data = bytes(held) if isinstance(held, bytes | Hidden) else b""
    for part in inbound.feed(data):
        if part.kind is Kind.HEAD:
            yield from (line.decode("latin-1") for line in data[part.start : part.stop].splitlines() if line)
        elif part.kind is Kind.HEADER and part.frame is not None:
            yield _header(part.frame)
        elif part.kind is Kind.PAYLOAD and part.frame is not None:
            size = part.stop - part.start
            yield f"  {part.offset}-{part.offset + size} of {part.frame.length}: {_payload(data, part)}"
        elif part.kind is Kind.REST:
            yield f"{part.stop - part.start} bytes that mean nothing any more"


def _payload(data: bytes, part: Part) -> str:
    """The beginning of it, unmasked."""
    shown = data[part.start : min(part.stop, part.start + _SHOWN)]
    if part.key:
        shown = bytes(byte ^ part.key[(part.offset + index) & 3] for index, byte in enumerate(shown))
    return repr(shown) + ("..." if len(shown) < part.stop - part.start else "")


def _header(frame: FrameHead) -> str:
    words = describe_header(frame.opcode, final=frame.final, reserved=frame.reserved, masked=frame.masked)
    return f"{words} {frame.length} bytes"
