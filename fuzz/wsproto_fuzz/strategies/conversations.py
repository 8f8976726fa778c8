"""What one side says on an open connection, from the first frame to the end, and how it arrives.

A :class:`Conversation` is plain data. It knows what a receiver must make of it, so that a test of any implementation
is: feed it :meth:`Conversation.pieces`, and compare. As a string it is an annotated transcript in hex.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from hypothesis import strategies as st

from wsproto_core import Message, Ping, Pong, Violation

from ..transcript import Direction, frame_lines, render
from .chunkings import Chunking, chunkings
from .closing import Goodbye, goodbyes
from .deflate import DeflateTerms
from .messages import MAX_SIZE, Control, SentMessage, Speaker, controls, sent_messages, speakers
from .offences import Offence, offences
from .showing import Shown

__all__ = ["Conversation", "Operation", "conversations"]

#: One thing that a side does.
Operation: TypeAlias = SentMessage | Control | Goodbye | Offence

_WHOLE = Chunking()
_SERVER = Speaker()


@dataclass(frozen=True, slots=True)
class Conversation(Shown):
    """One side's part. Only its last operation may be a goodbye or an offence."""

    operations: tuple[Operation, ...] = ()
    speaker: Speaker = _SERVER
    chunking: Chunking = _WHOLE

    def __bytes__(self) -> bytes:
        return self.speaker.encode(self.operations)

    def __repr__(self) -> str:
        return f"Conversation({self.operations!r}, {self.speaker!r}, {self.chunking!r})"

    def __str__(self) -> str:
        lines = frame_lines(Direction.SENT, 0.0, bytes(self))
        arrives = f"It arrives in reads of {[len(piece) for piece in self.pieces()]} bytes."
        return f"{render(lines)}\n{arrives}" if lines else "Nothing is said."

    def shown(self) -> str:
        """How hypothesis prints a failing one: as Python, and as a transcript."""
        return "\n  # ".join([repr(self), *str(self).splitlines()])

    def pieces(self) -> list[bytes]:
        """Its bytes, as the receiver reads them."""
        return self.chunking(bytes(self))

    @property
    def told(self) -> tuple[Message | Control, ...]:
        """What a receiver of whole messages must be told, in this order, before the end."""
        told: list[Message | Control] = []
        for item in self.operations:
            if isinstance(item, Ping | Pong):
                told.append(item)
            elif isinstance(item, SentMessage):
                told += [*item.controls, item.message]
        return tuple(told)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages, in order."""
        return tuple(item for item in self.told if not isinstance(item, Ping | Pong))

    @property
    def pings(self) -> tuple[bytes, ...]:
        """The payloads of the pings, in order."""
        return tuple(item.payload for item in self.told if isinstance(item, Ping))

    @property
    def goodbye(self) -> Goodbye | None:
        """The close frame, if it ends in one."""
        return next((item for item in self.operations if isinstance(item, Goodbye)), None)

    @property
    def violation(self) -> Violation | None:
        """The rule that it breaks at its end, if it breaks one."""
        return next((item.violation for item in self.operations if isinstance(item, Offence)), None)


def conversations(
    *,
    masked: bool,
    terms: DeflateTerms | None = None,
    offending: bool = False,
    max_operations: int = 8,
    max_size: int = MAX_SIZE,
) -> st.SearchStrategy[Conversation]:
    """Conversations of a side that masks (a client) or does not, of up to ``max_operations`` and perhaps an end.

    ``terms``: what was agreed on about compression. ``offending``: whether the end may be an offence, and not only a
    goodbye. Messages have up to ``max_size`` bytes. Shrinks towards one that says nothing.
    """
    return _conversations(masked, terms, offending, max_operations, max_size)


@cache
def _conversations(
    masked: bool, terms: DeflateTerms | None, offending: bool, max_operations: int, max_size: int
) -> st.SearchStrategy[Conversation]:
    is_compressed = terms is not None
    operations = st.lists(
        controls() | sent_messages(compressed=is_compressed, max_size=max_size), max_size=max_operations
    )
    ends: st.SearchStrategy[Operation | None] = st.none() | goodbyes()
    if offending:
        ends |= offences(masked=masked, compressed=is_compressed)
    return st.builds(_conversation, operations, ends, speakers(masked=masked, terms=terms), chunkings())


def _conversation(
    said: list[SentMessage | Control], end: Operation | None, speaker: Speaker, chunking: Chunking
) -> Conversation:
    return Conversation((*said, end) if end is not None else tuple(said), speaker, chunking)
