"""The state machines, as tables. What is absent is illegal.

Five laws hold for every connection:

1. It opens at most once, and nothing but handshake bytes goes either way before.
2. Each side sends at most one close frame, and nothing after it (RFC 6455 §5.5.1).
3. Once the peer's close frame has come, or the peer has broken a rule, nothing more is received; what was received
   before may still be answered until this side's close frame leaves.
4. Frames of two messages never mix; control frames may stand between the frames of one (RFC 6455 §5.4).
5. However it ends, the user is told exactly once.

There are three machines. :data:`CONNECTION` is the life of a connection, :data:`OUTGOING` and :data:`INCOMING` say
where in a message each direction stands. The frame loop in ``_speedups`` obeys :data:`INCOMING` inline, for speed; a
test holds it to the table. The diagrams in the documentation are drawn from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, unique
from types import MappingProxyType
from typing import Final, TypeVar

from .._errors import LocalProtocolError
from .._types import State, Word

__all__ = [
    "CONNECTION",
    "INCOMING",
    "MAY_RECEIVE",
    "MAY_SEND",
    "OUTGOING",
    "PUBLIC_STATE",
    "Frames",
    "Happening",
    "Part",
    "Phase",
    "Position",
    "follow",
]


@unique
class Phase(Word):
    """Where a connection stands."""

    CONNECTING = "connecting"
    OPEN = "open"
    #: Our close frame was first; the peer's answer is awaited.
    CLOSE_SENT = "close sent"
    #: The peer's close frame came; ours waits until the application has dealt with what came before.
    CLOSE_RECEIVED = "close received"
    #: The peer broke a rule; our close frame waits in the same way.
    FAILED = "failed"
    #: Nothing more is sent or received. The transport may still be ending.
    CLOSED = "closed"


@unique
class Happening(Word):
    """What moves a connection from phase to phase."""

    OPENED = "handshake accepted"
    REFUSED = "handshake refused"
    CLOSE_FRAME = "close frame received"
    OFFENCE = "peer broke a rule"
    CLOSE_LEFT = "close frame sent"
    TRANSPORT_ENDED = "transport ended"
    GIVEN_UP = "timer fired or abandoned"


CONNECTION: Final[Mapping[Phase, Mapping[Happening, Phase]]] = MappingProxyType(
    {
        Phase.CONNECTING: {
            Happening.OPENED: Phase.OPEN,
            Happening.REFUSED: Phase.CLOSED,
            Happening.OFFENCE: Phase.CLOSED,
            Happening.TRANSPORT_ENDED: Phase.CLOSED,
            Happening.GIVEN_UP: Phase.CLOSED,
        },
        Phase.OPEN: {
            Happening.CLOSE_FRAME: Phase.CLOSE_RECEIVED,
            Happening.OFFENCE: Phase.FAILED,
            Happening.CLOSE_LEFT: Phase.CLOSE_SENT,
            Happening.TRANSPORT_ENDED: Phase.CLOSED,
            Happening.GIVEN_UP: Phase.CLOSED,
        },
        Phase.CLOSE_SENT: {
            Happening.CLOSE_FRAME: Phase.CLOSED,
            Happening.OFFENCE: Phase.CLOSED,
            Happening.TRANSPORT_ENDED: Phase.CLOSED,
            Happening.GIVEN_UP: Phase.CLOSED,
        },
        Phase.CLOSE_RECEIVED: {
            Happening.CLOSE_LEFT: Phase.CLOSED,
            Happening.TRANSPORT_ENDED: Phase.CLOSED,
            Happening.GIVEN_UP: Phase.CLOSED,
        },
        Phase.FAILED: {
            Happening.CLOSE_LEFT: Phase.CLOSED,
            Happening.TRANSPORT_ENDED: Phase.CLOSED,
            Happening.GIVEN_UP: Phase.CLOSED,
        },
        Phase.CLOSED: {
            Happening.TRANSPORT_ENDED: Phase.CLOSED,
            Happening.GIVEN_UP: Phase.CLOSED,
        },
    }
)

#: Phases in which received bytes mean something.
MAY_RECEIVE: Final = frozenset({Phase.OPEN, Phase.CLOSE_SENT})

#: Phases in which messages may be sent.
MAY_SEND: Final = frozenset({Phase.OPEN, Phase.CLOSE_RECEIVED, Phase.FAILED})

#: How the phases look from outside.
PUBLIC_STATE: Final[Mapping[Phase, State]] = MappingProxyType(
    {
        Phase.CONNECTING: State.CONNECTING,
        Phase.OPEN: State.OPEN,
        Phase.CLOSE_SENT: State.CLOSING,
        Phase.CLOSE_RECEIVED: State.CLOSING,
        Phase.FAILED: State.CLOSING,
        Phase.CLOSED: State.CLOSED,
    }
)


@unique
class Position(Word):
    """Where in a message one direction stands (RFC 6455 §5.4)."""

    BETWEEN_MESSAGES = "between messages"
    IN_TEXT = "in a text message"
    IN_BINARY = "in a binary message"


@unique
class Part(Word):
    """What the application sends next."""

    MESSAGE = "whole message"
    TEXT = "text, more to come"
    LAST_TEXT = "text, the end"
    BINARY = "binary, more to come"
    LAST_BINARY = "binary, the end"


OUTGOING: Final[Mapping[Position, Mapping[Part, Position]]] = MappingProxyType(
    {
        Position.BETWEEN_MESSAGES: {
            Part.MESSAGE: Position.BETWEEN_MESSAGES,
            Part.TEXT: Position.IN_TEXT,
            Part.LAST_TEXT: Position.BETWEEN_MESSAGES,
            Part.BINARY: Position.IN_BINARY,
            Part.LAST_BINARY: Position.BETWEEN_MESSAGES,
        },
        Position.IN_TEXT: {
            Part.TEXT: Position.IN_TEXT,
            Part.LAST_TEXT: Position.BETWEEN_MESSAGES,
        },
        Position.IN_BINARY: {
            Part.BINARY: Position.IN_BINARY,
            Part.LAST_BINARY: Position.BETWEEN_MESSAGES,
        },
    }
)


@unique
class Frames(Enum):
    """The kinds of frames that a peer may send next."""

    TEXT = "first text frame"
    WHOLE_TEXT = "text frame with FIN"
    BINARY = "first binary frame"
    WHOLE_BINARY = "binary frame with FIN"
    CONTINUATION = "continuation frame"
    LAST_CONTINUATION = "continuation frame with FIN"
    CONTROL = "ping or pong"


INCOMING: Final[Mapping[Position, Mapping[Frames, Position]]] = MappingProxyType(
    {
        Position.BETWEEN_MESSAGES: {
            Frames.TEXT: Position.IN_TEXT,
            Frames.WHOLE_TEXT: Position.BETWEEN_MESSAGES,
            Frames.BINARY: Position.IN_BINARY,
            Frames.WHOLE_BINARY: Position.BETWEEN_MESSAGES,
            Frames.CONTROL: Position.BETWEEN_MESSAGES,
        },
        Position.IN_TEXT: {
            Frames.CONTINUATION: Position.IN_TEXT,
            Frames.LAST_CONTINUATION: Position.BETWEEN_MESSAGES,
            Frames.CONTROL: Position.IN_TEXT,
        },
        Position.IN_BINARY: {
            Frames.CONTINUATION: Position.IN_BINARY,
            Frames.LAST_CONTINUATION: Position.BETWEEN_MESSAGES,
            Frames.CONTROL: Position.IN_BINARY,
        },
    }
)

_S = TypeVar("_S", bound=Enum)
_I = TypeVar("_I", bound=Enum)


def follow(table: Mapping[_S, Mapping[_I, _S]], state: _S, step: _I) -> _S:
    """The state that follows ``state`` by ``step``. Raises :exc:`LocalProtocolError` where the table has nothing."""
    try:
        return table[state][step]
    except KeyError:
        raise LocalProtocolError(f"{step.value} is not possible: {state.value}") from None
