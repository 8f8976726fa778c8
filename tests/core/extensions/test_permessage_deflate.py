"""permessage-deflate: negotiation (RFC 7692 §7.1), the bytes on the wire (§7.2), and what a hostile peer can do."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wsproto_core._config import Limits
from wsproto_core._errors import RemoteProtocolError
from wsproto_core._extensions.base import Parameters
from wsproto_core._extensions.permessage_deflate import DeflateTransform, PerMessageDeflate
from wsproto_core._violations import Violation

MIB: Final = 1024 * 1024
#: Up to here the ratio is not judged.
RATIO_FREE: Final = 16 * MIB
TAIL: Final = b"\x00\x00\xff\xff"
UNLIMITED: Final = Limits(message_size=None, inflate_ratio=None)
HELLO: Final = bytes.fromhex("f248cdc9c90700")

SNCT: Final = ("server_no_context_takeover", None)
CNCT: Final = ("client_no_context_takeover", None)


#: As much as the protocol allows, as most others compress with.
WIDE: Final = PerMessageDeflate(server_max_window_bits=15, client_max_window_bits=15, mem_level=8)


def smwb(bits: int) -> tuple[str, str | None]:
    return ("server_max_window_bits", str(bits))


def cmwb(bits: int | None) -> tuple[str, str | None]:
    return ("client_max_window_bits", None if bits is None else str(bits))


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that cannot be compressed, unless they are seen twice."""
    return random.Random(seed).randbytes(size)


def negotiate(
    client: PerMessageDeflate | None = None, server: PerMessageDeflate | None = None, limits: Limits = UNLIMITED
) -> tuple[Parameters, DeflateTransform, DeflateTransform]:
    client = client or PerMessageDeflate()
    (offer,) = client.offer()
    accepted = (server or PerMessageDeflate()).accept(offer, limits)
    assert accepted is not None
    return accepted[0], client.confirm(accepted[0], limits), accepted[1]


def receiver(limits: Limits = UNLIMITED, *, takeover: bool = True) -> DeflateTransform:
    return negotiate(WIDE, replace(WIDE, client_no_context_takeover=not takeover), limits)[2]


def both(check: Callable[[DeflateTransform], None], limits: Limits = UNLIMITED) -> None:
    """The end of a message is checked in one way with context takeover, and in another without."""
    check(receiver(limits))
    check(receiver(limits, takeover=False))


def deflate(message: bytes, flush: int = zlib.Z_SYNC_FLUSH, bits: int = 15) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, -bits)
    return compressor.compress(message) + compressor.flush(flush)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def decode(transform: DeflateTransform, data: bytes, size: int | None = None) -> bytes:
    """A whole message, at once or in pieces of ``size`` bytes."""
    if size is None:
        return transform.decode(data, True)
    decoded = b"".join([transform.decode(piece, False) for piece in pieces(data, size)])
    return decoded + transform.decode(b"", True)


def outcome(transform: DeflateTransform, data: bytes, size: int | None = None) -> bytes | Violation:
    try:
        return decode(transform, data, size)
    except RemoteProtocolError as error:
        return error.violation


# --- configuration --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("server_max_window_bits", (8, 16, -15, 0)),
        ("client_max_window_bits", (8, 16, -15, 0)),
        ("level", (-2, 10)),
        ("mem_level", (0, 10)),
        ("threshold", (-1,)),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(name: str, values: tuple[int, ...]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=f"^{name} "):
            PerMessageDeflate(**{name: value})  # type: ignore[arg-type] # the names are data here


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("server_no_context_takeover", (1, None, "yes")),
        ("client_no_context_takeover", (0, None)),
        ("server_max_window_bits", (True, 0.0, "15")),
        ("client_max_window_bits", (True, 0.0, 15.0)),
        ("level", (False, None)),
        ("mem_level", (True, "8")),
        ("threshold", (None, True)),
    ],
)
def test_other_types_are_refused_by_name(name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        with pytest.raises(TypeError, match=f"^{name} "):
            PerMessageDeflate(**{name: value})


@pytest.mark.parametrize("level", range(-1, 10))
@pytest.mark.parametrize("mem_level", [1, 9])
def test_every_level_and_memory_level_works(level: int, mem_level: int) -> None:
    _, client, server = negotiate(PerMessageDeflate(level=level, mem_level=mem_level))
    message = noise(20_000) * 2
    assert decode(server, client.encode(message, True)) == message


def test_levels_reach_zlib() -> None:
    message = noise(1000).hex().encode() * 4
    sizes = [len(negotiate(PerMessageDeflate(level=level))[1].encode(message, True)) for level in (0, 1, 9)]
    assert sizes[0] > len(message)
    assert sizes[1] < len(message)
    assert sizes[2] < sizes[1]


def test_it_is_immutable_and_comparable() -> None:
    extension = PerMessageDeflate(level=1)
    with pytest.raises(AttributeError):
        extension.level = 2  # type: ignore[misc] # that is the point
    assert extension == PerMessageDeflate(level=1)
    assert len({extension, PerMessageDeflate(level=1), PerMessageDeflate()}) == 2
    assert PerMessageDeflate.name == "permessage-deflate"


def test_messages_below_the_threshold_are_left_alone_unless_the_caller_wants_otherwise() -> None:
    _, transform, _ = negotiate(PerMessageDeflate(threshold=100))
    assert [transform.wants(size, None) for size in (0, 99, 100)] == [False, False, True]
    assert transform.wants(0, True)
    assert not transform.wants(10_000, False)
    assert transform.reserved_bits == 0x40


# --- negotiation (RFC 7692 §7.1) ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extension", "offer"),
    [
        (PerMessageDeflate(), (cmwb(None),)),  # no numbers: some servers could only decline
        (WIDE, (cmwb(None),)),
        (PerMessageDeflate(client_max_window_bits=9), (cmwb(9),)),
        (PerMessageDeflate(server_max_window_bits=10), (smwb(10), cmwb(None))),
        (replace(WIDE, server_no_context_takeover=True), (SNCT, cmwb(None))),
        (replace(WIDE, client_no_context_takeover=True), (CNCT, cmwb(None))),
    ],
)
def test_what_a_client_offers(extension: PerMessageDeflate, offer: Parameters) -> None:
    assert tuple(extension.offer()) == (offer,)


@pytest.mark.parametrize(
    ("extension", "offered", "answer"),
    [
        (PerMessageDeflate(), (), (smwb(12),)),
        (PerMessageDeflate(), (cmwb(None),), (smwb(12), cmwb(12))),
        (PerMessageDeflate(), (smwb(10), cmwb(15)), (smwb(10), cmwb(12))),
        (WIDE, (), ()),
        (WIDE, (cmwb(None),), ()),
        (WIDE, (cmwb(15),), ()),
        (WIDE, (cmwb(8),), (cmwb(8),)),
        (WIDE, (smwb(15),), (smwb(15),)),
        (WIDE, (smwb(8),), (smwb(8),)),
        (WIDE, (SNCT,), (SNCT,)),
        (WIDE, (CNCT,), (CNCT,)),
        (WIDE, (cmwb(12), CNCT, smwb(11), SNCT), (SNCT, CNCT, smwb(11), cmwb(12))),
        # What the server wants for itself needs no invitation (§7.1.1.1, §7.1.2.1) ...
        (replace(WIDE, server_no_context_takeover=True), (), (SNCT,)),
        (replace(WIDE, server_max_window_bits=10), (), (smwb(10),)),
        (replace(WIDE, server_max_window_bits=10), (smwb(12),), (smwb(10),)),
        (replace(WIDE, server_max_window_bits=12), (smwb(10),), (smwb(10),)),
        # ... nor does this of the client (§7.1.1.2), but the window does (§7.1.2.2).
        (replace(WIDE, client_no_context_takeover=True), (), (CNCT,)),
        (replace(WIDE, client_max_window_bits=10), (), ()),
        (replace(WIDE, client_max_window_bits=10), (cmwb(None),), (cmwb(10),)),
        (replace(WIDE, client_max_window_bits=10), (cmwb(12),), (cmwb(10),)),
        (replace(WIDE, client_max_window_bits=12), (cmwb(10),), (cmwb(10),)),
    ],
)
def test_what_a_server_answers(extension: PerMessageDeflate, offered: Parameters, answer: Parameters) -> None:
    accepted = extension.accept(offered, UNLIMITED)
    assert accepted is not None
    assert accepted[0] == answer


INVALID: Final[list[Parameters]] = [
    (("x", None),),
    (("Server_No_Context_Takeover", None),),
    (SNCT, SNCT),
    (cmwb(10), cmwb(10)),
    (smwb(10), CNCT, smwb(11)),
    (("server_no_context_takeover", "true"),),
    (("client_no_context_takeover", ""),),
    (("server_max_window_bits", None),),
    *(((name, value),) for name in (smwb(9)[0], cmwb(9)[0]) for value in ("7", "16", "", "08", "+9", "9 ", "1١", "x")),
]


@pytest.mark.parametrize("parameters", INVALID)
def test_a_server_declines_invalid_parameters(parameters: Parameters) -> None:
    assert PerMessageDeflate().accept(parameters, UNLIMITED) is None


@pytest.mark.parametrize("parameters", [*INVALID, (cmwb(None),)])
def test_a_client_refuses_invalid_parameters(parameters: Parameters) -> None:
    with pytest.raises(ValueError, match="RFC 7692"):
        PerMessageDeflate().confirm(parameters, UNLIMITED)


@pytest.mark.parametrize(
    ("extension", "answer"),
    [
        (PerMessageDeflate(server_no_context_takeover=True), ()),
        (PerMessageDeflate(server_no_context_takeover=True), (CNCT, cmwb(10))),
        (PerMessageDeflate(server_max_window_bits=10), ()),
        (PerMessageDeflate(server_max_window_bits=10), (smwb(11),)),
    ],
)
def test_a_client_refuses_less_than_it_asked_for(extension: PerMessageDeflate, answer: Parameters) -> None:
    with pytest.raises(ValueError, match="RFC 7692"):
        extension.confirm(answer, UNLIMITED)


@pytest.mark.parametrize("answer", [(), (cmwb(12),)])
def test_a_client_keeps_to_its_announcement_though_the_answer_allows_more(answer: Parameters) -> None:
    client = PerMessageDeflate(client_no_context_takeover=True, client_max_window_bits=9).confirm(answer, UNLIMITED)
    assert [client.encode(b"Hello", True) for _ in range(2)] == [HELLO] * 2
    assert len(client.encode(noise(600) * 2, True)) > 1200


windows = st.integers(9, 15)
configurations = st.builds(
    PerMessageDeflate,
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    server_max_window_bits=windows,
    client_max_window_bits=windows,
    level=st.integers(-1, 9),
    mem_level=st.integers(1, 9),
)
#: Repetitions at all distances, so that a window too wide or a context too long shows.
messages = st.lists(
    st.tuples(st.sampled_from([noise(size, size) for size in (0, 3, 200, 300, 5000, 40_000)]), st.integers(1, 3)).map(
        lambda drawn: drawn[0] * drawn[1]
    ),
    min_size=1,
    max_size=4,
)


def oracle(answer: Parameters, side: str) -> Callable[[bytes], bytes]:
    """Inflates what ``side`` sends with plain zlib and no more memory than ``answer`` demands."""
    terms = dict(answer)
    bits = -int(terms.get(f"{side}_max_window_bits") or 15)
    inflater = zlib.decompressobj(bits)

    def inflate(data: bytes) -> bytes:
        nonlocal inflater
        if f"{side}_no_context_takeover" in terms:
            inflater = zlib.decompressobj(bits)
        return inflater.decompress(data + TAIL)

    return inflate


@settings(max_examples=100)
@given(configurations, configurations, messages, st.sampled_from([7, 1000, 4095, 4096, 4097]), st.booleans())
def test_any_two_configurations_understand_each_other(
    ours: PerMessageDeflate, theirs: PerMessageDeflate, texts: list[bytes], size: int, fragmented: bool
) -> None:
    answer, client, server = negotiate(ours, theirs)
    for side, sender, peer in (("client", client, server), ("server", server, client)):
        inflate = oracle(answer, side)
        for text in texts:
            parts = [sender.encode(piece, False) for piece in pieces(text, size)] if fragmented else []
            wire = b"".join(parts) + sender.encode(b"" if fragmented else text, True)
            assert inflate(wire) == text
            assert decode(peer, wire, size) == text


@pytest.mark.parametrize("bits", range(9, 16))
def test_the_agreed_window_is_used_to_compress_and_to_inflate(bits: int) -> None:
    limited = PerMessageDeflate(client_max_window_bits=bits, server_max_window_bits=bits, mem_level=8)
    _, client, server = negotiate(limited, limited)
    within, beyond = noise((1 << bits) - 300, 1) * 2, noise((1 << bits) + 300, 2) * 2
    for sender, peer in ((client, server), (server, client)):
        wires = [sender.encode(message, True) for message in (within, beyond)]
        assert len(wires[0]) < 0.7 * len(within)
        assert len(wires[1]) > 0.95 * len(beyond)
        assert [decode(peer, wire, 1) for wire in wires] == [within, beyond]


@pytest.mark.parametrize("bits", range(9, 15))
def test_matches_beyond_the_agreed_window_are_corrupt(bits: int) -> None:
    message = noise((1 << bits) + 600) * 2
    limited = PerMessageDeflate(client_max_window_bits=bits, server_max_window_bits=bits)
    for peer in negotiate(limited)[1:]:
        # In one piece zlib finds them in its output, and may take them.
        assert outcome(peer, deflate(message)[:-4], 1) is Violation.CORRUPT_COMPRESSION


def agree_on_eight(**configuration: Any) -> tuple[DeflateTransform, DeflateTransform]:
    """A client and a server whose peer asked for a window of 8 bits in both directions."""
    extension = PerMessageDeflate(**configuration)
    accepted = extension.accept((smwb(8), cmwb(8)), UNLIMITED)
    assert accepted is not None
    assert accepted[0][-2:] == (smwb(8), cmwb(8))
    return extension.confirm(accepted[0], UNLIMITED), accepted[1]


@pytest.mark.parametrize("level", range(-1, 10))
@pytest.mark.parametrize("takeover", [True, False])
def test_a_window_of_eight_bits_is_never_exceeded(level: int, takeover: bool) -> None:
    flags = {"server_no_context_takeover": not takeover, "client_no_context_takeover": not takeover}
    client, server = agree_on_eight(level=level, **flags)
    for sender, peer in ((client, server), (server, client)):
        inflater = zlib.decompressobj(-8)
        for message in (noise(200) * 30, noise(257) * 30, noise(400) * 30, noise(60_000), b"a" * 60_000):
            wire = sender.encode(message, True)
            # Byte by byte, or else zlib finds in its output what the window has lost.
            assert b"".join(inflater.decompress(piece) for piece in pieces(wire + TAIL, 1)) == message
            assert decode(peer, wire) == message


def test_a_window_of_eight_bits_still_compresses() -> None:
    for sender in agree_on_eight():
        assert len(sender.encode(b"a" * 10_000, True)) < 100
        assert len(sender.encode(b"text of few letters" * 100, True)) < 1200
        assert len(sender.encode(noise(200) * 10, True)) > 1500  # no match but of runs


def test_a_peer_that_takes_nine_bits_for_eight_is_understood() -> None:
    message = noise(240) * 9
    for peer in agree_on_eight():
        assert decode(peer, deflate(message, bits=9)[:-4], 1) == message


# --- the bytes on the wire (RFC 7692 §7.2) --------------------------------------------------------------------------


def test_examples_compressed() -> None:
    _, client, _ = negotiate()
    assert client.encode(b"Hello", True).hex() == "f248cdc9c90700"  # §7.2.3.1
    assert client.encode(b"Hello", True).hex() == "f200110000"  # §7.2.3.2
    assert client.encode(b"", True).hex() == "00"  # §7.2.3.6


def test_without_context_takeover_each_message_stands_alone() -> None:
    _, client, server = negotiate(PerMessageDeflate(client_no_context_takeover=True, server_no_context_takeover=True))
    for side in (client, server):
        assert [side.encode(b"Hello", True) for _ in range(3)] == [HELLO] * 3


@pytest.mark.parametrize("size", [None, 1, 2, 3])
@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("f248cdc9c90700", b"Hello"),  # §7.2.3.1
        ("000500faff48656c6c6f00", b"Hello"),  # §7.2.3.3, a block without compression
        ("f348cdc9c9070000", b"Hello"),  # §7.2.3.4, BFINAL
        ("f248050000" + "00ffff" + "cac9c90700", b"Hello"),  # §7.2.3.5, two blocks
        ("00", b""),  # §7.2.3.6
        ("f348cdc9c90700" * 3 + "00", b"HelloHelloHello"),  # three with BFINAL
        ("f348cdc9c90700" + "f248cdc9c90700", b"HelloHello"),
    ],
)
def test_examples_inflated(payload: str, message: bytes, size: int | None, takeover: bool) -> None:
    transform = receiver(takeover=takeover)
    for _ in range(3):
        assert decode(transform, bytes.fromhex(payload), size) == message


def test_the_window_is_shared_between_messages() -> None:
    server = receiver()
    assert decode(server, HELLO) == b"Hello"
    assert decode(server, bytes.fromhex("f200110000")) == b"Hello"  # §7.2.3.2
    for peer in (receiver(), receiver(takeover=False)):
        assert decode(peer, b"\x00") == b""
        assert outcome(peer, bytes.fromhex("f200110000")) is Violation.CORRUPT_COMPRESSION


def test_after_bfinal_the_window_is_empty() -> None:
    server = receiver()
    assert decode(server, bytes.fromhex("f348cdc9c9070000")) == b"Hello"
    assert outcome(server, bytes.fromhex("f200110000")) is Violation.CORRUPT_COMPRESSION


@pytest.mark.parametrize("takeover", [True, False])
def test_empty_messages_do_not_disturb_the_context(takeover: bool) -> None:
    _, client, server = negotiate(server=PerMessageDeflate(client_no_context_takeover=not takeover))
    for message in (b"", b"", b"Hello", b"", b"", b"Hello" * 50, b""):
        wire = client.encode(b"", False) + client.encode(message, False) + client.encode(b"", True)
        assert decode(server, wire) == message
        assert (wire == b"\x00") is (message == b"")


def test_pieces_give_output_only_when_zlib_has_some() -> None:
    _, client, server = negotiate()
    assert [client.encode(b"Hello"[at : at + 1], False) for at in range(5)] == [b""] * 5
    wire = client.encode(b"", True)
    assert wire == HELLO
    assert server.decode(b"", False) == b""
    assert [server.decode(wire[:3], False), server.decode(wire[3:], False), server.decode(b"", True)] == [
        b"He",
        b"llo",
        b"",
    ]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_will_do(kind: Callable[[bytes], bytes | bytearray | memoryview]) -> None:
    _, client, server = negotiate()
    message = noise(10_000)
    wire = client.encode(kind(message), True)
    decoded = server.decode(kind(wire), True)
    assert type(wire) is type(decoded) is bytes
    assert decoded == message


# --- corrupt data ---------------------------------------------------------------------------------------------------


def test_what_is_not_deflate_is_corrupt() -> None:
    def check(transform: DeflateTransform) -> None:
        assert outcome(transform, b"\x07 is a block type that does not exist") is Violation.CORRUPT_COMPRESSION

    both(check)


@pytest.mark.parametrize(
    ("message", "first"),
    [(b"Hello", 1), (b"a" * 300, 1), (noise(500).hex().encode(), 1), (noise(100), 2)],  # 00 alone is an empty message
    ids=["fixed", "run", "dynamic", "stored"],
)
@pytest.mark.parametrize("size", [None, 1])
def test_a_message_that_ends_within_a_block_is_corrupt(message: bytes, first: int, size: int | None) -> None:
    wire = deflate(message)[:-4]

    def check_ending_at(end: int) -> Callable[[DeflateTransform], None]:
        def check(transform: DeflateTransform) -> None:
            assert decode(transform, HELLO) == b"Hello"
            assert outcome(transform, wire[:end], size) is Violation.CORRUPT_COMPRESSION

        return check

    for end in range(first, len(wire)):
        both(check_ending_at(end))


@pytest.mark.parametrize("wire", [b"{", b"{\x00"], ids=["in a character", "in the end of the block"])
def test_a_last_block_that_ends_in_what_the_sender_took_away_is_corrupt(wire: bytes) -> None:
    """The zeros there complete a symbol, and then the block, so that zlib sees a whole stream."""
    both(lambda transform: refuses(transform, wire))


def refuses(transform: DeflateTransform, wire: bytes) -> None:
    assert outcome(transform, wire) is Violation.CORRUPT_COMPRESSION


def test_the_bytes_that_the_sender_took_away_are_never_part_of_the_message() -> None:
    def check(transform: DeflateTransform) -> None:
        four_bytes_to_come = bytes.fromhex("000400fbff")
        assert outcome(transform, four_bytes_to_come) is Violation.CORRUPT_COMPRESSION

    both(check)


@pytest.mark.parametrize("surplus", [TAIL, b"\x00" + TAIL[:2], b"\x01\x02\x03", b"\x07"])
def test_garbage_after_the_last_block_is_corrupt(surplus: bytes) -> None:
    def check(transform: DeflateTransform) -> None:
        assert outcome(transform, HELLO + surplus) is Violation.CORRUPT_COMPRESSION

    def check_after_bfinal(transform: DeflateTransform) -> None:
        assert outcome(transform, deflate(b"Hello", zlib.Z_FINISH) + surplus) is Violation.CORRUPT_COMPRESSION

    both(check)
    both(check_after_bfinal)


def test_a_message_may_lack_its_last_empty_block_when_nothing_else_is_missing() -> None:
    def check(transform: DeflateTransform) -> None:
        for _ in range(2):
            assert decode(transform, b"") == b""
            assert decode(transform, deflate(b"Hello", zlib.Z_FINISH)) == b"Hello"
            assert decode(transform, HELLO) == b"Hello"
            assert decode(transform, b"") == b""

    both(check)


compressed = st.one_of(
    st.binary(max_size=60),
    st.tuples(messages, st.sampled_from([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH])).map(
        lambda drawn: b"".join(deflate(message, drawn[1]) for message in drawn[0])
    ),
)


@settings(max_examples=100)
@given(
    data=compressed,
    cut=st.integers(0, 12),
    flips=st.lists(st.integers(0, 2**16), max_size=2),
    size=st.sampled_from([1, 3, 4095, 4096, 4097]),
    limits=st.builds(Limits, message_size=st.sampled_from([None, 1, 5, 1000, 50_000]), inflate_ratio=st.none()),
    takeover=st.booleans(),
)
def test_the_verdict_does_not_depend_on_how_the_bytes_arrive(
    data: bytes, cut: int, flips: list[int], size: int, limits: Limits, takeover: bool
) -> None:
    damaged = bytearray(data[: len(data) - cut])
    for flip in flips:
        if damaged:
            damaged[flip // 8 % len(damaged)] ^= 1 << flip % 8
    whole = outcome(receiver(limits, takeover=takeover), bytes(damaged))
    assert outcome(receiver(limits, takeover=takeover), bytes(damaged), size) == whole


# --- limits (RFC 7692 §8) -------------------------------------------------------------------------------------------


def bomb(size: int) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(MIB)
    parts = [compressor.compress(zeros) for _ in range(size // MIB)]
    return b"".join(parts) + compressor.flush(zlib.Z_SYNC_FLUSH)[:-4]


@pytest.mark.parametrize(
    ("limits", "violation"),
    [
        (Limits(), Violation.INFLATED_TOO_BIG),
        (Limits(inflate_ratio=None), Violation.INFLATED_TOO_BIG),
        (Limits(message_size=None), Violation.INFLATE_RATIO),
        (Limits(message_size=32 * MIB), Violation.INFLATE_RATIO),
    ],
)
@pytest.mark.parametrize("size", [None, 1, 1000])
def test_a_bomb_is_refused_in_bounded_memory(limits: Limits, violation: Violation, size: int | None) -> None:
    wire = bomb(64 * MIB)
    assert len(wire) < 70_000
    server = receiver(limits)
    tracemalloc.start()
    try:
        assert outcome(server, wire, size) is violation
        # What has been inflated when it is refused, and once more where the pieces of a message are joined.
        reached = RATIO_FREE if violation is Violation.INFLATE_RATIO else MIB
        assert tracemalloc.get_traced_memory()[1] < 2 * reached + 2 * MIB
    finally:
        tracemalloc.stop()


def test_a_bomb_is_only_a_message_where_nothing_is_limited() -> None:
    assert decode(receiver(), bomb(3 * MIB)) == bytes(3 * MIB)
    assert decode(receiver(Limits(message_size=10**30, inflate_ratio=10**30)), bomb(3 * MIB)) == bytes(3 * MIB)


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("allowed", [1, 10, 4096, 100_000])
def test_the_size_is_judged_to_the_byte(allowed: int, size: int | None) -> None:
    def check(transform: DeflateTransform) -> None:
        for _ in range(3):
            assert decode(transform, deflate(b"a" * allowed)[:-4], size) == b"a" * allowed
        assert outcome(transform, deflate(b"a" * (allowed + 1))[:-4], size) is Violation.INFLATED_TOO_BIG

    both(check, Limits(message_size=allowed))


def test_the_size_counts_across_bfinal() -> None:
    wire = deflate(b"a" * 60, zlib.Z_FINISH)
    assert decode(receiver(Limits(message_size=120)), wire * 2) == b"a" * 120
    assert outcome(receiver(Limits(message_size=119)), wire * 2) is Violation.INFLATED_TOO_BIG


@pytest.mark.parametrize("size", [None, 1])
def test_the_ratio_is_not_judged_up_to_16_mebibytes(size: int | None) -> None:
    limits = Limits(message_size=None, inflate_ratio=1)
    server = receiver(limits)
    for _ in range(2):
        assert decode(server, deflate(bytes(RATIO_FREE))[:-4], size) == bytes(RATIO_FREE)
    assert outcome(server, deflate(bytes(RATIO_FREE + 1))[:-4], size) is Violation.INFLATE_RATIO


@pytest.mark.parametrize("size", [None, 1, 4096])
def test_the_ratio_is_judged_to_the_byte_at_the_end(size: int | None) -> None:
    message = noise(1000) + bytes(17 * MIB)  # its ratio rises to the end, which only the end of the last step shows
    wire = deflate(message)[:-4]
    exact = len(message) / len(wire)
    assert decode(receiver(Limits(message_size=None, inflate_ratio=int(exact) + 1)), wire, size) == message
    refused = receiver(Limits(message_size=None, inflate_ratio=int(exact)))
    assert outcome(refused, wire, size) is Violation.INFLATE_RATIO


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([bytes(9 * MIB), bytes(200_000), noise(3000), noise(20_000)]), min_size=1, max_size=4),
    st.sampled_from([1, 40, 100, 250, 600]),
    st.sampled_from([None, MIB, 20 * MIB]),
    st.sampled_from([1, 100, 4096, 5000]),
)
@example([bytes(9 * MIB), bytes(9 * MIB), noise(20_000)], 250, None, 1)
def test_the_ratio_does_not_depend_on_how_the_bytes_arrive(
    parts: list[bytes], ratio: int, message_size: int | None, size: int
) -> None:
    wire = deflate(b"".join(parts))[:-4]
    limits = Limits(message_size=message_size, inflate_ratio=ratio)
    assert outcome(receiver(limits), wire) == outcome(receiver(limits), wire, size)


@pytest.mark.parametrize("start", [0, 1, 4095, 4096, 4097])
def test_the_ratio_of_a_beginning_is_judged_wherever_the_pieces_are_cut(start: int) -> None:
    wire = deflate(bytes(18 * MIB) + noise(60_000))[:-4]
    server = receiver(Limits(message_size=None, inflate_ratio=300))
    assert (18 * MIB + 60_000) / len(wire) < 300
    with pytest.raises(RemoteProtocolError) as caught:
        [server.decode(piece, False) for piece in (wire[:start], wire[start:])]
    assert caught.value.violation is Violation.INFLATE_RATIO


def test_each_message_has_its_own_ratio() -> None:
    server = receiver(Limits(message_size=None))
    assert decode(server, deflate(noise(100_000))[:-4]) == noise(100_000)
    assert outcome(server, bomb(17 * MIB)) is Violation.INFLATE_RATIO


def test_a_flood_of_empty_streams_is_inflated() -> None:
    assert decode(receiver(), b"\x03\x00" * 100_000 + b"\x00") == b""


# --- memory ---------------------------------------------------------------------------------------------------------


def allocated(make: Callable[[], object]) -> int:
    """How many bytes the result of ``make`` holds."""
    make()  # what is allocated once, by the tracer of the coverage for example, is none of it
    tracemalloc.start()
    try:
        kept = make()
        size = tracemalloc.get_traced_memory()[0]
        del kept
        return size
    finally:
        tracemalloc.stop()


def test_contexts_are_created_by_the_first_compressed_message() -> None:
    def idle() -> object:
        sides = negotiate()
        sides[1].encode(b"", True)
        return sides

    def used() -> object:
        sides = negotiate(WIDE, WIDE)
        sides[2].decode(sides[1].encode(b"Hello", True), True)
        return sides

    assert allocated(idle) < 8 * 1024
    assert allocated(used) > 256 * 1024  # or else this test does not see zlib's memory


@pytest.mark.parametrize("size", [None, 1000])
def test_after_a_message_only_the_contexts_are_kept(size: int | None) -> None:
    wire = deflate(noise(1000) * 10_000)[:-4]

    def receive() -> object:
        server = receiver()
        decode(server, wire, size)
        return server

    def receive_and_forget() -> object:
        server = receiver(takeover=False)
        decode(server, wire, size)
        return server

    assert 32 * 1024 < allocated(receive) < 64 * 1024
    assert allocated(receive_and_forget) < 8 * 1024


def test_without_context_takeover_the_compressor_is_not_kept() -> None:
    def send(takeover: bool) -> object:
        client = negotiate(replace(WIDE, client_no_context_takeover=not takeover), WIDE)[1]
        client.encode(noise(1_000_000), True)
        return client

    assert allocated(lambda: send(False)) < 8 * 1024
    assert 256 * 1024 < allocated(lambda: send(True)) < 300 * 1024


def test_by_default_both_contexts_fit_into_50_kib_where_the_peer_obeys() -> None:
    message = noise(1000) * 200

    def echo(offered: Parameters) -> object:
        accepted = PerMessageDeflate().accept(offered, UNLIMITED)
        assert accepted is not None
        bits = int(dict(accepted[0]).get("client_max_window_bits") or 15)
        wire = deflate(message, bits=bits)[:-4]
        assert decode(accepted[1], accepted[1].encode(decode(accepted[1], wire), True)) == message
        return accepted

    assert 40 * 1024 < allocated(lambda: echo((cmwb(None),))) < 51 * 1024
    assert allocated(lambda: echo(())) < 79 * 1024


def test_a_client_takes_what_window_the_server_has_unless_it_asks_for_less() -> None:
    message = noise(20_000) * 2
    for answer in ((), (smwb(15),)):
        assert decode(PerMessageDeflate().confirm(answer, UNLIMITED), deflate(message)[:-4]) == message
