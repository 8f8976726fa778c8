"""Messages, cut into any frames, with control frames between them (RFC 6455 §5.4).

What is drawn are plans: plain data that says what is sent and how. A :class:`Speaker` turns them into frames. So a
failing example is printed as something to read, and shrinks part by part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import cycle
from typing import Final, TypeAlias

from hypothesis import strategies as st

from wsproto_core import Message, Ping, Pong
from wsproto_core.frames import Frame, Opcode

from ..wire import PART_MASK, Sendable, encode, ping, pong
from .closing import Goodbye
from .deflate import Deflater, DeflateTerms, Deflation, deflations
from .frames import fragments, keys, payloads
from .offences import Offence
from .showing import Shown, show
from .text import texts

__all__ = [
    "Control",
    "Said",
    "SentMessage",
    "Speaker",
    "Speech",
    "controls",
    "messages",
    "plain_frames",
    "sent_messages",
    "speakers",
]

#: Room for a payload at every size at which a header changes.
MAX_SIZE: Final = 70_000
_RSV1: Final = 4


#: A ping, or a pong that nobody asked for.
Control: TypeAlias = Ping | Pong


@dataclass(frozen=True, slots=True)
class SentMessage(Shown):
    """A message, and how it is sent."""

    message: Message
    #: Where it is cut into fragments: positions in the payload, modulo its size. Fragments may be empty.
    cuts: tuple[int, ...] = ()
    #: Control frames in the gaps between the fragments: one for each, from the first gap on.
    between: tuple[Control | None, ...] = ()
    #: How it is compressed; ``None`` if it is not.
    deflation: Deflation | None = None

    def __repr__(self) -> str:
        rest = [
            f"{item.name}={value!r}" for item in fields(self)[1:] if (value := getattr(self, item.name)) != item.default
        ]
        return f"SentMessage({', '.join([show(self.message), *rest])})"

    @property
    def controls(self) -> tuple[Control, ...]:
        """The control frames that are really sent: there is one gap for each cut."""
        return tuple(control for control in self.between[: len(self.cuts)] if control is not None)


#: What a side can say: a message, a control frame or a close frame as planned, or anything at all.
Said: TypeAlias = SentMessage | Control | Goodbye | Offence | Sendable


@dataclass(frozen=True, slots=True)
class Speaker:
    """One side, as far as its frames show it: how it masks and how it compresses."""

    #: Masking keys, used in turn; none for a server, which does not mask (RFC 6455 §5.1).
    keys: tuple[bytes, ...] = ()
    #: What was agreed on about compression; ``None`` if nothing was.
    terms: DeflateTerms | None = None

    @property
    def is_client(self) -> bool:
        """Whether this side masks."""
        return bool(self.keys)

    def encode(self, said: Iterable[Said]) -> bytes:
        """All that is said on one connection, from its first frame on, as it stands on the wire."""
        speech = Speech(self)
        return b"".join(map(speech.encode, said))


class Speech:
    """What a speaker says on one connection, item by item: keys come in turn, and compression has a memory."""

    def __init__(self, speaker: Speaker) -> None:
        self._keys: Iterator[bytes | None] = cycle(speaker.keys or (None,))
        self._deflater = None if speaker.terms is None else speaker.terms.deflater(client=speaker.is_client)

    def encode(self, item: Said) -> bytes:
        """The next item, as it stands on the wire."""
        if isinstance(item, Offence) and item.is_unmasking:
            return b"".join(encode(frame, PART_MASK if next(self._keys) is None else None) for frame in item.frames)
        return b"".join(encode(frame, next(self._keys)) for frame in plain_frames(item, self._deflater))


def messages(*, max_size: int = 1000) -> st.SearchStrategy[Message]:
    """Text and binary messages. Shrinks towards ``""``."""
    return texts() | payloads(max_size=max_size)


def controls() -> st.SearchStrategy[Control]:
    """Pings, and pongs that nobody asked for. Shrinks towards an empty ping."""
    return st.builds(Ping, payloads(max_size=125)) | st.builds(Pong, payloads(max_size=125))


def sent_messages(*, compressed: bool = False, max_size: int = MAX_SIZE) -> st.SearchStrategy[SentMessage]:
    """Messages in any fragments, with control frames between them; some of them ``compressed``, if that is agreed on.

    Shrinks towards an empty text in one frame.
    """
    return st.builds(
        SentMessage,
        messages(max_size=max_size),
        st.lists(st.integers(0, 100_000), max_size=4).map(tuple),
        st.lists(st.none() | controls(), max_size=4).map(tuple),
        st.none() | deflations() if compressed else st.none(),
    )


def speakers(*, masked: bool, terms: DeflateTerms | None = None) -> st.SearchStrategy[Speaker]:
    """Sides that mask, with one key or with several, or do not."""
    if not masked:
        return st.just(Speaker((), terms))
    return st.lists(keys(), min_size=1, max_size=3).map(lambda found: Speaker(tuple(found), terms))


def plain_frames(item: Said, deflater: Deflater | None = None) -> Iterator[Sendable]:
    """What an item is on the wire, without masks; ``deflater`` compresses what is to be compressed."""
    match item:
        case Ping(payload):
            yield ping(payload)
        case Pong(payload):
            yield pong(payload)
        case Goodbye():
            yield item.frame
        case Offence():
            yield from item.frames
        case SentMessage():
            frames = _message(item, deflater)
            gaps = [*item.between[: len(frames) - 1], *[None] * len(frames)]
            for frame, control in zip(frames, gaps, strict=False):
                yield frame
                if control is not None:
                    yield from plain_frames(control)
        case _:
            yield item


def _message(sent: SentMessage, deflater: Deflater | None) -> list[Frame]:
    opcode = Opcode.TEXT if isinstance(sent.message, str) else Opcode.BINARY
    payload = sent.message.encode() if isinstance(sent.message, str) else sent.message
    if sent.deflation is None:
        return fragments(opcode, payload, sent.cuts)
    assert deflater is not None, "only what was agreed on is compressed"
    return fragments(opcode, deflater.compress(payload, sent.deflation), sent.cuts, _RSV1)
