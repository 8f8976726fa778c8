"""From a tape to a flight: what is secret is hidden, and where a replay can begin is found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from enum import Enum, IntEnum
from typing import Any, Final

from .._driver.peer import WebSocketEngine
from .._driver.server import ServerConnection
from .._events import CloseReport
from .._types import Role
from .._violations import Violation
from .entries import Ending, Entry, Facts, Flight, Hidden, Value
from .hiding import hidden_frames, hidden_head, hidden_headers, hidden_message, hidden_offers
from .inbound import Inbound, Kind
from .tape import Tape

__all__ = ["ending_of", "export"]

#: Of each call, which argument is the application's, and which are header fields.
_CONTENTS: Final = {
    "send": 0,
    "send_fragment": 0,
    "send_prepared": 0,
    "ping": 0,
    "pong": 0,
    "close": 1,
    "reject": 2,
    "reject_data": 0,
}.get
_HEADERS: Final = {"accept": 2, "reject": 1}.get
#: What shows only in bytes that are hidden.
_FAULTS_OF_CONTENT: Final = frozenset({Violation.INVALID_UTF8, Violation.CLOSE_REASON_INVALID_UTF8})
_MESSAGES: Final = ("text", "binary", "part", "last part")


def export(
    facts: Facts, engine: WebSocketEngine, tape: Tape, offer: tuple[str, tuple[str, ...]], *, payloads: bool
) -> Flight:
    """What ``tape`` holds, fit to be kept. ``offer``: a client's key and subprotocols."""
    facts = _completed(facts, engine, offer)
    entries = list(tape.entries)
    obstacle = _obstacle(facts, engine, payloads=payloads)
    begins_at = None if obstacle else _beginning(entries, tape, facts)
    if begins_at is None and not obstacle:
        obstacle = _why_not_in_between(facts)
    return Flight(
        facts=facts,
        entries=tuple(_fit_to_keep(entries, tape, facts, payloads=payloads)),
        ending=ending_of(engine, payloads=payloads),
        dropped=tape.dropped,
        begins_at=begins_at,
        obstacle=obstacle,
        has_payloads=payloads,
    )


def ending_of(engine: WebSocketEngine, *, payloads: bool) -> Ending:
    """Where ``engine`` stands."""
    report = engine.close_report
    return Ending(state=engine.state, report={} if report is None else _fields(report, payloads=payloads))


def _fields(report: CloseReport, *, payloads: bool) -> dict[str, Any]:
    told: dict[str, Any] = {field.name: _plain(getattr(report, field.name)) for field in dataclass_fields(report)}
    if not payloads and report.violation is None:
        told["reason"] = "x" * len(report.reason.encode())
    return told


def _plain(value: Any) -> Any:
    """``value`` as JSON knows it."""
    match value:
        case IntEnum():
            return int(value)
        case Enum():
            return value.name
        case BaseException():
            return f"{type(value).__name__}: {value}"
        case _:
            return value


def _completed(facts: Facts, engine: WebSocketEngine, offer: tuple[str, tuple[str, ...]]) -> Facts:
    request = engine.request if isinstance(engine, ServerConnection) else None
    agreed = () if engine.response is None else engine.response.headers.all("sec-websocket-extensions")
    return replace(
        facts,
        work_size=engine.work_size,
        key=offer[0],
        subprotocols=hidden_offers(offer[1], engine.subprotocol),
        violation=None if request is None else request.violation,
        subprotocol=engine.subprotocol,
        agreed=", ".join(agreed) or None,
    )


# --- where a replay can begin -----------------------------------------------------------------------------------------


def _obstacle(facts: Facts, engine: WebSocketEngine, *, payloads: bool) -> str:
    """Why a replay cannot begin anywhere; empty if it can."""
    if facts.is_sealed:
        return "a pipeline has sealed its messages, and keys are not recorded"
    if engine.extensions and not payloads:
        return "an extension has transformed its messages, and their contents are not in it"
    report = engine.close_report
    if report is not None and report.violation in _FAULTS_OF_CONTENT and not payloads:
        return "the fault is in the contents of a message, which are not in it"
    if facts.is_parsed and facts.violation is not None:
        return "somebody else had parsed the request, which was wrong, and it is not in it"
    return ""


def _beginning(entries: Sequence[Entry], tape: Tape, facts: Facts) -> int | None:
    """The first entry from which a new engine does the same: all of them, or one that begins between messages."""
    if not tape.dropped:
        return 0
    if _keeps_context(facts):
        return None
    inbound = tape.inbound()
    for index, entry in enumerate(entries):
        if entry.do != "receive_data":
            continue
        # With a message comes what counts as life and as activity: no timer remembers more.
        if entry.is_quiet and inbound.is_between_messages and any(word.startswith(_MESSAGES) for word in entry.told):
            return index
        inbound.feed(_bytes_of(entry))
    return None


def _keeps_context(facts: Facts) -> bool:
    """Whether what the peer sends can only be read by who has read all before it."""
    peer = Role.CLIENT if facts.role is Role.SERVER else Role.SERVER
    return facts.agreed is not None and f"{peer.value}_no_context_takeover" not in facts.agreed


def _why_not_in_between(facts: Facts) -> str:
    if _keeps_context(facts):
        return "its beginning was not kept, and the peer's compression goes on from one message to the next"
    return "its beginning was not kept, and no message begins in what was while nothing else is under way"


# --- what is kept -----------------------------------------------------------------------------------------------------


def _fit_to_keep(entries: Sequence[Entry], tape: Tape, facts: Facts, *, payloads: bool) -> Iterable[Entry]:
    inbound = tape.inbound()
    head = _Head(entries, tape, facts.subprotocol)
    for entry in entries:
        if entry.do == "receive_data":
            data = _received(_bytes_of(entry), inbound, head, payloads=payloads)
            yield replace(entry, arguments=(data,))
        else:
            yield replace(entry, arguments=_hidden_arguments(entry, facts.subprotocol, payloads=payloads))


def _received(data: bytes, inbound: Inbound, head: _Head, *, payloads: bool) -> Value:
    """What was read, with nothing secret in the head, and with or without the contents of frames."""
    parts = inbound.feed(data)
    size = parts[0].stop if parts and parts[0].kind is Kind.HEAD else 0
    shown = head.take(size)
    if payloads:
        return shown + data[size:]
    frames = hidden_frames(data, parts[1:] if size else parts)
    pieces = (shown, *frames.pieces) if shown else frames.pieces
    return Hidden(pieces) if any(isinstance(piece, int) for piece in pieces) else bytes(Hidden(pieces))


class _Head:
    """The heads in what is left of the peer's bytes, with secrets hidden, to be taken piece by piece."""

    def __init__(self, entries: Iterable[Entry], tape: Tape, subprotocol: str | None) -> None:
        inbound = tape.inbound()
        head = bytearray()
        for entry in entries:
            if entry.do == "receive_data":
                data = _bytes_of(entry)
                head += b"".join(data[part.start : part.stop] for part in inbound.feed(data) if part.kind is Kind.HEAD)
        # Without its beginning nobody knows whose value a line goes on with.
        self._left = b"x" * len(head) if tape.dropped else hidden_head(bytes(head), subprotocol)

    def take(self, size: int) -> bytes:
        taken, self._left = self._left[:size], self._left[size:]
        return taken


def _hidden_arguments(entry: Entry, subprotocol: str | None, *, payloads: bool) -> tuple[Value, ...]:
    arguments: list[Any] = list(entry.arguments)
    at = _HEADERS(entry.do)
    if at is not None:
        arguments[at] = hidden_headers(arguments[at], subprotocol)
    at = _CONTENTS(entry.do)
    if at is not None and not payloads:
        arguments[at] = hidden_message(arguments[at])
    return tuple(arguments)


def _bytes_of(entry: Entry) -> bytes:
    (data,) = entry.arguments
    assert isinstance(data, bytes), "it is what was received"
    return data
