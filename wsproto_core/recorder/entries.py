"""What a flight recorder keeps: one entry for each call of an engine, and the facts that the engine was made with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from .._config import Limits, Timeouts
from .._types import Receive, Role, State
from .._violations import Violation

__all__ = ["Ending", "Entry", "Facts", "Flight", "Hidden", "HiddenText", "Value"]


class Hidden(NamedTuple):
    """Bytes of which only some were kept. As bytes, zeros stand for the others."""

    #: Those that were kept, and of the others how many there were.
    pieces: tuple[bytes | int, ...]

    def __bytes__(self) -> bytes:
        return b"".join(bytes(piece) for piece in self.pieces)


class HiddenText(NamedTuple):
    """Text of which only the size is left. As text, it is so many times the letter x."""

    #: Bytes, as UTF-8.
    size: int

    def __str__(self) -> str:
        return "x" * self.size


#: An argument of a call.
Value: TypeAlias = str | bytes | int | Hidden | HiddenText | tuple[tuple[str, str], ...] | None


@dataclass(slots=True)
class Entry:
    """One call of the engine."""

    #: Its name: a method of the engine, ``take`` for messages taken from the inbox, ``data_to_send`` for what was given
    #: out.
    do: str
    #: The ``now`` of the call, in seconds of the engine's clock; ``None`` where it was left out.
    at: float | None
    #: The arguments, in the order of :data:`CALLS`.
    arguments: tuple[Value, ...] = ()
    #: What came of it, in outline: events, or frames that were given out; ``raised`` and the name of an exception.
    told: tuple[str, ...] = ()
    #: Whether nothing waited anywhere before the call, so that a new engine could take over from here.
    is_quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an engine was made with, and what it agreed on with its peer."""

    role: Role
    limits: Limits
    timeouts: Timeouts
    receive: Receive
    fragment_size: int
    #: From how many bytes on somebody else transformed its messages; ``None`` if nobody did.
    work_size: int | None = None
    #: When its opening timer started; ``None`` if not at once.
    started_at: float | None = None
    #: The names of the extensions that it knew, with their settings where these are known here.
    extensions: tuple[tuple[str, dict[str, Any] | None], ...] = ()
    #: Whether a pipeline sealed its messages.
    is_sealed: bool = False
    #: Whether somebody else had parsed the request: then the bytes are frames from the start.
    is_parsed: bool = False
    #: A client: its ``Sec-WebSocket-Key``, and what it offered.
    key: str = ""
    subprotocols: tuple[str, ...] = ()
    #: A server: what was wrong with the request.
    violation: Violation | None = None
    #: What was agreed on: the subprotocol, and the value of ``Sec-WebSocket-Extensions`` in the response.
    subprotocol: str | None = None
    agreed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Where an engine stands, or how it ended: what a replay has to reach."""

    state: State
    #: How it ended, field by field, with the names of enum members; empty while it has not.
    report: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """What was recorded of one connection."""

    facts: Facts
    #: The calls, the oldest first.
    entries: tuple[Entry, ...]
    ending: Ending
    #: How many calls before those were not kept.
    dropped: int = 0
    #: Which entry a replay begins with; ``None`` if it cannot, and then :attr:`obstacle` says why.
    begins_at: int | None = 0
    obstacle: str = ""
    #: Whether the contents of messages are in it.
    has_payloads: bool = False
