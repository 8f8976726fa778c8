"""A planted fault shrinks to the shortest conversation that shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.fuzz.kit import find
from wsproto_core import Message, Ping, Pong
from wsproto_core.frames import Frame, Opcode, parse_frames
from wsproto_fuzz.strategies import (
    Chunking,
    Conversation,
    DeflateTerms,
    Deflation,
    Goodbye,
    SentMessage,
    Speaker,
    conversations,
)

KEY = bytes(4)


#: From where the search sets out, one after the other: some lead to a conversation that is nearly the shortest, out of
#: which there is no way by one simplification at a time.
SEEDS = range(10)


def minimal(
    is_shown: Callable[[Conversation], bool], *, terms: DeflateTerms | None = None, seed: int = 0
) -> Conversation:
    return find(conversations(masked=True, terms=terms), is_shown, seed=seed)


def assert_shortest(
    shortest: Conversation, is_shown: Callable[[Conversation], bool], *, terms: DeflateTerms | None = None
) -> None:
    """The search comes to ``shortest``, if not at once."""
    found: list[Conversation] = []
    while shortest not in found and len(found) < len(SEEDS):
        found.append(minimal(is_shown, terms=terms, seed=SEEDS[len(found)]))
    assert shortest in found


def whole(*operations: SentMessage | Ping | Pong | Goodbye, terms: DeflateTerms | None = None) -> Conversation:
    """A conversation with nothing else that is unusual."""
    return Conversation(operations, Speaker((KEY,), terms), Chunking())


def received_by(talk: Conversation, interpret: Callable[[Sequence[Frame]], list[Message]]) -> list[Message]:
    """What a faulty receiver of whole messages makes of it: it reads frames rightly, and then interprets them."""
    return interpret(list(parse_frames(bytes(talk))))


def test_nothing_wrong_is_nothing_said() -> None:
    assert_shortest(whole(), lambda _: True)


# --- faults of receivers ----------------------------------------------------------------------------------------------


def forgets_after_a_ping(frames: Sequence[Frame]) -> list[Message]:
    """A ping between two fragments makes it forget the first."""
    messages: list[Message] = []
    gathered: list[Frame] = []
    for frame in frames:
        if frame.opcode == Opcode.PING:
            gathered.clear()
        elif frame.opcode < Opcode.CLOSE:
            gathered.append(frame)
            if frame.final:
                messages.append(b"".join(part.payload for part in gathered))
                gathered.clear()
    return messages


def test_a_lost_fragment() -> None:
    def is_shown(talk: Conversation) -> bool:
        return b"".join(map(as_bytes, received_by(talk, forgets_after_a_ping))) != b"".join(
            map(as_bytes, talk.messages)
        )

    assert_shortest(whole(SentMessage("0", (1,), (Ping(b""),))), is_shown)


def as_bytes(message: Message) -> bytes:
    return message.encode() if isinstance(message, str) else message


def test_a_length_of_two_bytes_read_as_signed() -> None:
    shown = minimal(lambda talk: any(len(as_bytes(message)) > 0x7FFF for message in talk.messages))
    (operation,) = shown.operations
    assert isinstance(operation, SentMessage)
    assert len(as_bytes(operation.message)) == 65_535
    assert (operation.cuts, operation.between, operation.deflation) == ((), (), None)
    assert shown.chunking == Chunking()


def test_text_decoded_fragment_by_fragment() -> None:
    def is_shown(talk: Conversation) -> bool:
        texts = [item for item in talk.operations if isinstance(item, SentMessage) and isinstance(item.message, str)]
        pieces = [
            frame.payload for text in texts for frame in parse_frames(Speaker().encode([text])) if frame.opcode < 8
        ]
        return not all(map(is_text, pieces))

    assert_shortest(whole(SentMessage("\x80", (1,))), is_shown)


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_a_context_that_is_lost_after_a_message() -> None:
    def is_shown(talk: Conversation) -> bool:
        compressed = [item for item in talk.operations if isinstance(item, SentMessage) and item.deflation is not None]
        return len(compressed) >= 2

    terms = DeflateTerms()
    empty = SentMessage("", deflation=Deflation())
    assert_shortest(whole(empty, empty, terms=terms), is_shown, terms=terms)


@pytest.mark.parametrize(
    ("is_shown", "operations"),
    [
        (lambda talk: talk.goodbye is not None, (Goodbye(),)),
        (lambda talk: talk.goodbye is not None and talk.goodbye.reason != "", (Goodbye(1000, "0"),)),
        (lambda talk: len(talk.pings) == 2, (Ping(), Ping())),
        (lambda talk: any(isinstance(item, Pong) for item in talk.told), (Pong(),)),
        (lambda talk: any(isinstance(message, bytes) for message in talk.messages), (SentMessage(b""),)),
    ],
    ids=["goodbye", "reason", "two pings", "a pong", "binary"],
)
def test_faults_in_one_thing(is_shown: Callable[[Conversation], bool], operations: tuple[SentMessage, ...]) -> None:
    assert_shortest(whole(*operations), is_shown)


def test_a_fault_in_how_it_arrives() -> None:
    """A header that comes in two reads."""
    shown = minimal(lambda talk: len(talk.pieces()) > 1 and len(talk.pieces()[0]) == 1)
    assert len(bytes(shown)) == 6
    assert shown.pieces()[0] == bytes(shown)[:1]


def test_a_key_that_is_kept_from_the_frame_before() -> None:
    shown = minimal(lambda talk: len({frame.mask for frame in parse_frames(bytes(talk))}) > 1)
    assert len(shown.operations) == 2
    assert sorted(shown.speaker.keys) == [bytes(4), b"\x00\x00\x00\x01"]
