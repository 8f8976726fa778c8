"""Messages become frames: what is sent is read back by an independent parser, or by the frame loop."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.kit import (
    BINARY,
    FIN,
    KEY,
    RSV1,
    RSV2,
    TEXT,
    UNLIMITED,
    Braces,
    Rot13,
    deflate,
    frame,
)
from wsproto_core import _speedups
from wsproto_core._errors import LocalProtocolError
from wsproto_core._extensions.base import MessageTransform
from wsproto_core._protocol.receiving import make_decoder
from wsproto_core._protocol.sending import Outgoing, PreparedMessage, Sender, encode_message
from wsproto_core._protocol.states import OUTGOING, Part, Position
from wsproto_core._types import Buffer, Opcode, Receive, Role
from wsproto_core.frames import Frame, parse_frames


def counter() -> Iterator[bytes]:
    """Keys that are never the same."""
    return (number.to_bytes(4, "big") for number in range(1, 1 << 32))


class Entropy:
    """Predictable, and remembers what was asked for."""

    def __init__(self) -> None:
        self._keys = counter()
        self.asked: list[int] = []

    def __call__(self, size: int) -> bytes:
        self.asked.append(size)
        return b"".join(next(self._keys) for _ in range(size // 4))


class Side:
    """A sender, and the queue that it fills."""

    def __init__(
        self, entropy: Callable[[int], bytes] | None = None, transforms: Sequence[MessageTransform] = ()
    ) -> None:
        self._frames = _speedups.FrameQueue(max_size=1 << 30, max_payload=1 << 30)
        self.sender = Sender(self._frames, entropy, transforms)

    def message(self, opcode: int, payload: bytes, compress: bool | None = None) -> bytes:
        self.sender.message(opcode, payload, compress)
        return self._taken()

    def next_frame(self, item: Outgoing, size: int) -> bytes:
        self.sender.next_frame(item, size)
        return self._taken()

    def frames_of(self, item: Outgoing, size: int) -> list[Frame]:
        """All frames of ``item``, of ``size`` bytes or fewer before transforms."""
        made = self.next_frame(item, size)
        while item.offset < len(item.payload):
            made += self.next_frame(item, size)
        return [*parse_frames(made)]

    def _taken(self) -> bytes:
        return b"".join(self._frames.take())


def server(*transforms: MessageTransform) -> Side:
    return Side(None, transforms)


def client(*transforms: MessageTransform) -> Side:
    return Side(Entropy(), transforms)


# --- messages to payloads ---------------------------------------------------------------------------------------------


class Bytes(bytes):
    """As libraries for hashes and addresses have them."""


@pytest.mark.parametrize(
    ("message", "opcode", "payload"),
    [
        ("", Opcode.TEXT, b""),
        ("é€😀", Opcode.TEXT, "é€😀".encode()),
        (b"\x00\xff", Opcode.BINARY, b"\x00\xff"),
        (Bytes(b"ab"), Opcode.BINARY, b"ab"),
        (bytearray(b"ab"), Opcode.BINARY, b"ab"),
        (memoryview(b"abcd")[::2], Opcode.BINARY, b"ac"),
        (memoryview(array("H", [0x6161, 0x6262])), Opcode.BINARY, b"aabb"),
    ],
    ids=["empty", "text", "bytes", "somebody's bytes", "bytearray", "strided view", "view of integers"],
)
def test_encode_message(message: str | bytes, opcode: Opcode, payload: bytes) -> None:
    assert encode_message(message) == (opcode, payload)
    assert type(encode_message(message)[1]) is bytes


def test_bytes_are_not_copied() -> None:
    message = b"x" * 1000
    assert encode_message(message)[1] is message


def test_a_buffer_may_change_afterwards() -> None:
    buffer = bytearray(b"ab")
    _, payload = encode_message(buffer)
    _, viewed = encode_message(memoryview(buffer))
    buffer[:] = b"xy"
    assert (payload, viewed) == (b"ab", b"ab")


@pytest.mark.parametrize(("text", "index"), [("ab\ud800", 2), ("\udfffab", 0), ("\ud83d\ude00", 0)], ids=ascii)
def test_text_that_is_not_unicode_is_the_callers_error(text: str, index: int) -> None:
    """RFC 6455 §8.1."""
    with pytest.raises(LocalProtocolError, match=f"^message: a lone surrogate at index {index} ") as caught:
        encode_message(text)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("message", [None, 1, ["a"], {"a": 1}], ids=repr)
def test_anything_else_is_no_message(message: Any) -> None:
    with pytest.raises(TypeError, match=rf"memoryview, not {type(message).__name__}$"):
        encode_message(message)


@pytest.mark.parametrize("message", ["Hello", b"x" * 70_000], ids=["text", "long"])
def test_a_prepared_message_is_the_frame_that_a_server_sends(message: str | bytes) -> None:
    prepared = PreparedMessage(message)
    opcode, payload = encode_message(message)
    assert (prepared.opcode, prepared.payload) == (opcode, payload)
    assert prepared.frame == server().message(opcode, payload)


class Shared(Rot13):
    """Makes the same of a message in every connection, and counts how often it had to."""

    encoded = 0

    @property
    def shared_key(self) -> str:
        return "rot13"

    def encode(self, data: Buffer, final: bool) -> bytes:
        Shared.encoded += 1
        return super().encode(data, final)


def test_a_prepared_frame_is_not_masked_and_not_transformed_by_what_only_one_connection_does() -> None:
    prepared = PreparedMessage("Hello")
    assert server().sender.prepared(prepared) is prepared.frame
    assert client().sender.prepared(prepared) is None
    assert server(Rot13()).sender.prepared(prepared) is None
    assert server(Shared(), Shared()).sender.prepared(prepared) is None


def test_what_every_connection_makes_the_same_is_made_once() -> None:
    prepared = PreparedMessage("Hello")
    before = Shared.encoded
    frames = {server(Shared()).sender.prepared(prepared) for _ in range(3)}
    assert frames == {server(Shared()).message(TEXT, b"Hello")}
    assert Shared.encoded - before == 2  # once for all, and once for the frame to compare it with


# --- whole messages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 4096, 4097, 65535, 65536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_is_one_frame(opcode: int, size: int) -> None:
    payload = b"x" * size
    assert server().message(opcode, payload) == frame(FIN | opcode, payload, masked=False)
    assert [*parse_frames(client().message(opcode, payload))] == [Frame(opcode, payload, mask=b"\x00\x00\x00\x01")]


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_a_message_can_leave_as_it_is_where_nothing_is_to_be_done_to_it(size: int) -> None:
    assert server().sender.is_direct
    assert client().sender.is_direct
    assert not server(Rot13()).sender.is_direct
    for payload, final, is_direct in ((b"a", False, False), (b"b" * size, False, False), (b"c", True, True)):
        side = server()
        side.sender.part(Opcode.TEXT, payload, final, None)
        assert side.sender.is_direct is is_direct


# --- masking (RFC 6455 §5.3) ------------------------------------------------------------------------------------------


def test_every_frame_has_a_fresh_key() -> None:
    entropy = Entropy()
    side = Side(entropy)
    assert entropy.asked == []
    wire = b"".join(side.message(TEXT, b"abc") for _ in range(200))
    wire += b"".join(side.next_frame(Outgoing(Opcode.TEXT, b"abc"), size) for size in (1, 2, 3))
    expected = counter()
    assert [sent.mask for sent in parse_frames(wire)] == [next(expected) for _ in range(203)]


# --- parts of a message (RFC 6455 §5.4) -------------------------------------------------------------------------------

PART_ARGUMENTS = {
    Part.TEXT: (Opcode.TEXT, False),
    Part.LAST_TEXT: (Opcode.TEXT, True),
    Part.BINARY: (Opcode.BINARY, False),
    Part.LAST_BINARY: (Opcode.BINARY, True),
}
START = {Position.BETWEEN_MESSAGES: [], Position.IN_TEXT: [Part.TEXT], Position.IN_BINARY: [Part.BINARY]}


def do(sender: Sender, part: Part) -> Outgoing | None:
    if part is Part.MESSAGE:
        sender.check_message()
        return None
    opcode, final = PART_ARGUMENTS[part]
    return sender.part(opcode, b"a", final, None)


def legal_parts(sender: Sender) -> set[Part]:
    """What ``sender`` allows next. Refusals change nothing; the last try is not repeated."""
    allowed: set[Part] = set()
    for part in (Part.MESSAGE, Part.LAST_TEXT, Part.LAST_BINARY):
        try:
            do(sender, part)
        except LocalProtocolError:
            continue
        allowed.add(part)
        if part is not Part.MESSAGE:
            break
    return allowed


@pytest.mark.parametrize(
    ("position", "part"), [pytest.param(*row, id=f"{row[0].name}-{row[1].name}") for row in product(Position, Part)]
)
def test_every_position_and_every_part(position: Position, part: Part) -> None:
    sender = server().sender
    for step in START[position]:
        do(sender, step)
    after = OUTGOING[position].get(part)
    if after is None:
        with pytest.raises(LocalProtocolError, match=f"^{part.value} is not possible: {position.value}$"):
            do(sender, part)
    else:
        do(sender, part)
    expected = {
        Position.BETWEEN_MESSAGES: {Part.MESSAGE, Part.LAST_TEXT},
        Position.IN_TEXT: {Part.LAST_TEXT},
        Position.IN_BINARY: {Part.LAST_BINARY},
    }
    assert legal_parts(sender) == expected[after or position]


@given(parts=st.lists(st.sampled_from(Part), max_size=15))
def test_the_sender_obeys_the_table(parts: list[Part]) -> None:
    sender = server().sender
    position = Position.BETWEEN_MESSAGES
    for part in parts:
        if part in OUTGOING[position]:
            item = do(sender, part)
            assert item is None or item.begins is (position is Position.BETWEEN_MESSAGES)
            position = OUTGOING[position][part]
            assert item is None or item.ends is (position is Position.BETWEEN_MESSAGES)
        else:
            with pytest.raises(LocalProtocolError):
                do(sender, part)


@pytest.mark.parametrize("make", [server, client], ids=["server", "client"])
def test_parts_become_the_frames_of_one_message(make: Any) -> None:
    side = make()
    sent: list[Frame] = []
    for payload, final in ((b"ab", False), (b"", False), (b"c", False), (b"", True)):
        sent += side.frames_of(side.sender.part(Opcode.TEXT, payload, final, None), 100)
    assert [(one.opcode, one.payload, one.final) for one in sent] == [
        (1, b"ab", False),
        (0, b"c", False),
        (0, b"", True),
    ]


@pytest.mark.parametrize(
    ("payload", "size", "pieces"),
    [
        (b"", 3, [b""]),
        (b"ab", 3, [b"ab"]),
        (b"abc", 3, [b"abc"]),
        (b"abcd", 3, [b"abc", b"d"]),
        (b"abcdef", 3, [b"abc", b"def"]),
        (b"abc", 1, [b"a", b"b", b"c"]),
    ],
)
def test_a_large_message_leaves_in_fragments(payload: bytes, size: int, pieces: list[bytes]) -> None:
    sent = server().frames_of(Outgoing(Opcode.BINARY, payload), size)
    assert [one.payload for one in sent] == pieces
    assert [one.opcode for one in sent] == [2] + [0] * (len(pieces) - 1)
    assert [one.final for one in sent] == [False] * (len(pieces) - 1) + [True]


def test_the_size_of_fragments_may_change_on_the_way() -> None:
    side, item = server(), Outgoing(Opcode.TEXT, b"abcdef")
    wire = b"".join(side.next_frame(item, size) for size in (2, 1, 100))
    assert [one.payload for one in parse_frames(wire)] == [b"ab", b"c", b"def"]
    assert item.offset == 6


@pytest.mark.parametrize("make", [server, client], ids=["server", "client"])
def test_fragments_larger_than_any_buffer(make: Any) -> None:
    payload = bytes(range(256)) * 1000
    sent = make().frames_of(Outgoing(Opcode.BINARY, payload), 100_000)
    assert [(one.opcode, len(one.payload), one.final) for one in sent] == [
        (2, 100_000, False),
        (0, 100_000, False),
        (0, 56_000, True),
    ]
    assert b"".join(one.payload for one in sent) == payload


# --- extensions (RFC 6455 §9) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compress", "size", "marked"),
    [(None, 127, False), (None, 128, True), (True, 1, True), (False, 1000, False), (True, 0, True)],
)
def test_permessage_deflate_is_asked_for_each_message(compress: bool | None, size: int, marked: bool) -> None:
    side = server(deflate())
    payload = b"x" * size
    (whole,) = parse_frames(side.message(TEXT, payload, compress))
    (queued,) = side.frames_of(Outgoing(Opcode.TEXT, payload, compress), 10_000)
    assert whole.reserved == queued.reserved == (4 if marked else 0)
    assert marked is (whole.payload != payload)


def test_a_message_in_parts_is_compressed_as_if_it_were_long() -> None:
    side = server(deflate())
    first = Outgoing(Opcode.TEXT, b"a", begins=True, ends=False)
    assert side.next_frame(first, 100) == b"", "zlib holds it back"
    last = Outgoing(Opcode.TEXT, b"b", begins=False, ends=True)
    (sent,) = parse_frames(side.next_frame(last, 100))
    assert (sent.opcode, sent.reserved, sent.final) == (1, 4, True)


def test_only_the_first_frame_is_marked() -> None:
    """RFC 7692 §6.1."""
    sent = server(Braces()).frames_of(Outgoing(Opcode.BINARY, b"abc"), 1)
    assert [(one.opcode, one.reserved, one.payload) for one in sent] == [(2, 2, b"{a"), (0, 0, b"b"), (0, 0, b"c}")]


@pytest.mark.parametrize("compress", [None, True, False])
def test_what_has_no_mark_transforms_every_message_whatever_the_caller_wishes(compress: bool | None) -> None:
    """The peer cannot tell a message that was left out."""
    side = server(Rot13())
    assert side.message(TEXT, b"abc", compress) == frame(0x81, b"nop", masked=False)
    assert side.next_frame(Outgoing(Opcode.TEXT, b"abc", compress), 10) == frame(0x81, b"nop", masked=False)


def test_several_extensions_in_the_order_negotiated() -> None:
    """RFC 6455 §9.1: the first one is applied first."""
    (sent,) = parse_frames(server(Braces(), deflate()).message(TEXT, b"a" * 200))
    assert sent.reserved == (RSV1 | RSV2) >> 4
    assert deflate().decode(sent.payload, True) == b"{" + b"a" * 200 + b"}"


def test_a_message_that_is_not_marked_is_not_transformed() -> None:
    side = server(Braces())
    assert side.message(TEXT, b"a", False) == frame(0x81, b"a", masked=False)
    assert side.message(TEXT, b"a", None) == frame(0xA1, b"{a}", masked=False)


# --- there and back ---------------------------------------------------------------------------------------------------

TRANSFORMS: list[tuple[type[MessageTransform] | None, ...]] = [
    (),
    (Rot13,),
    (Braces,),
    (None,),
    (Braces, None),
    (Rot13, None),
]


def new(kinds: tuple[type[MessageTransform] | None, ...]) -> list[MessageTransform]:
    return [deflate() if kind is None else kind() for kind in kinds]


@settings(max_examples=200)
@given(
    messages=st.lists(st.tuples(st.text() | st.binary(), st.sampled_from([None, True, False]), st.booleans())),
    size=st.integers(1, 50),
    kinds=st.sampled_from(TRANSFORMS),
    role=st.sampled_from(Role),
)
def test_what_one_side_sends_the_other_receives(
    messages: list[tuple[str | bytes, bool | None, bool]],
    size: int,
    kinds: tuple[type[MessageTransform] | None, ...],
    role: Role,
) -> None:
    side = Side(Entropy() if role is Role.CLIENT else None, new(kinds))
    peer = Role.SERVER if role is Role.CLIENT else Role.CLIENT
    decoder = make_decoder(peer, receive=Receive.MESSAGES, limits=UNLIMITED, transforms=new(kinds))
    wire = b""
    for message, compress, whole in messages:
        opcode, payload = encode_message(message)
        if whole:
            wire += side.message(opcode, payload, compress)
            continue
        item = Outgoing(opcode, payload, compress)
        wire += side.next_frame(item, size)
        while item.offset < len(payload):
            wire += side.next_frame(item, size)
    assert decoder.decode(wire) == [message for message, _, _ in messages]
    assert decoder.failure is None


def test_the_examples_of_the_rfc() -> None:
    """RFC 6455 §5.7."""
    assert server().message(TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")
    masked = Side(lambda size: KEY * (size // 4)).message(TEXT, b"Hello")
    assert masked == bytes.fromhex("818537fa213d7f9f4d5158")
