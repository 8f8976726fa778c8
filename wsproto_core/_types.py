"""The words that every layer uses: roles, states, opcodes, receive modes and type aliases.

What lives here has no behaviour. Anything that computes something belongs in a layer above.
"""

from __future__ import annotations

from enum import Enum, IntEnum, unique
from typing import ClassVar, Final, Protocol, TypeAlias

__all__ = ["Buffer", "Drop", "Initiator", "Message", "Opcode", "Receive", "Role", "State", "Timer", "Transform", "Word"]

#: A WebSocket message: text is ``str``, binary is ``bytes``. Nothing is wrapped.
Message: TypeAlias = str | bytes

#: What a caller may hand in as binary data.
Buffer: TypeAlias = bytes | bytearray | memoryview


class Transform(Protocol):
    """What the frame loop asks of an extension's ``MessageTransform``."""

    reserved_bits: ClassVar[int]

    def decode(self, data: Buffer, final: bool) -> bytes:
        """The payload as it was sent."""
        ...


class Word(Enum):
    """One of a few words, looked up in tables all the time: an identity is hashed in C, a name in Python."""


# Not in the class: the types of what is public would then be incomplete.
Word.__hash__ = object.__hash__  # type: ignore[method-assign]  # another way to hash


@unique
class Role(Enum):
    """The side of the conversation that an engine speaks for."""

    CLIENT = "client"
    SERVER = "server"


@unique
class State(Enum):
    """The connection as its user sees it (RFC 6455 §4, §7.1)."""

    #: The opening handshake has not finished.
    CONNECTING = "connecting"
    #: Messages flow both ways.
    OPEN = "open"
    #: One side has begun to close; see :attr:`CloseReport.initiator` afterwards.
    CLOSING = "closing"
    #: It is over: no event follows, nothing more can be sent.
    CLOSED = "closed"


@unique
class Opcode(IntEnum):
    """What a frame is (RFC 6455 §5.2, §11.8)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


@unique
class Receive(Enum):
    """How much of a message the engine gathers before it hands it over."""

    #: Whole messages: ``str`` and ``bytes``. The default.
    MESSAGES = "messages"
    #: One :class:`Fragment` for each frame, as soon as the frame is complete.
    FRAGMENTS = "fragments"
    #: One :class:`Fragment` for whatever has arrived, even in the middle of a frame.
    CHUNKS = "chunks"


@unique
class Drop(Enum):
    """Which message a full queue gives up."""

    #: The one that has waited longest: what is delivered is fresh. For states, positions, live media.
    OLDEST = "oldest"
    #: The one that has just come: what is delivered is a run without gaps. For logs and requests.
    NEWEST = "newest"


@unique
class Timer(Word):
    """Every timer of the engine. Each is set from one field of :class:`Timeouts`, but for ``GRACE``."""

    #: The opening handshake must be finished by then.
    OPENING = "opening"
    #: A keepalive ping is due.
    PING = "ping"
    #: The peer must have shown life since the last ping.
    PONG = "pong"
    #: A data message must have come or gone by then.
    IDLE = "idle"
    #: A close frame that waits for the application's last answers leaves without them.
    GRACE = "grace"
    #: The closing handshake, and the end of the transport after it, must be over by then.
    CLOSING = "closing"


@unique
class Initiator(Enum):
    """Who ended a connection."""

    #: This side: the application closed, a timer fired, or the peer had broken a rule.
    LOCAL = "this side"
    #: The peer sent the first close frame, or refused the handshake.
    PEER = "the peer"
    #: Nobody said goodbye: the transport ended or broke.
    NETWORK = "the network"


#: Control frames carry at most this many bytes (RFC 6455 §5.5).
MAX_CONTROL_PAYLOAD: Final = 125
