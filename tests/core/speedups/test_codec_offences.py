"""Every offence against the framing rules, refused with the very byte that makes it certain, and what is left then."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from tests.core.kit import (
    BINARY,
    CLOSE,
    FIN,
    KEY,
    PING,
    RSV1,
    TEXT,
    UNLIMITED,
    Braces,
    Outcome,
    Rot13,
    Tripled,
    deflate,
    deflated,
    feed,
    feed_every_way,
    frame,
    frames,
    header,
    length_bytes,
    stored,
    xor,
)
from wsproto_core._config import Limits
from wsproto_core._errors import RemoteProtocolError
from wsproto_core._extensions.base import MessageTransform
from wsproto_core._speedups import FrameDecoder
from wsproto_core._types import Buffer, Receive
from wsproto_core._violations import Violation

MIB: Final = 1024 * 1024
Part = tuple[int, bytes]


@dataclass(frozen=True, kw_only=True)
class Offence:
    """A frame that breaks a rule, and after how many of its bytes that is certain."""

    id: str
    violation: Violation
    first: int
    payload: bytes = b""
    #: The length in the header, without the mask bit; the right one unless given.
    length: bytes | None = None
    #: Bytes of the header; or of the payload, behind a complete header.
    header_bytes: int | None = None
    payload_bytes: int | None = None
    before: tuple[Part, ...] = ()
    limits: Limits = UNLIMITED
    transforms: Callable[[Limits], list[MessageTransform]] = lambda limits: []
    allowance: int | None = None
    wrong_mask: bool = False
    #: The side that it concerns: whether what it receives is masked. ``None`` for both.
    masked: bool | None = None

    def wire(self, masked: bool) -> bytes:
        key = KEY if masked is not self.wrong_mask else None
        payload = self.payload if key is None else xor(self.payload, key)
        return header(self.first, self.length or length_bytes(len(self.payload)), key) + payload

    def certain_after(self, masked: bool) -> int:
        if self.payload_bytes is not None:
            return len(self.wire(masked)) - len(self.payload) + self.payload_bytes
        assert self.header_bytes is not None
        return self.header_bytes

    def decoder(self, codec: type[FrameDecoder], masked: bool, receive: Receive) -> FrameDecoder:
        transforms = self.transforms(self.limits)
        decoder = codec(masked=masked, receive=receive, limits=self.limits, transforms=transforms)
        decoder.control_allowance = self.allowance
        return decoder


def with_deflate(limits: Limits) -> list[MessageTransform]:
    return [deflate(limits)]


# --- the table: frames (RFC 6455 §5) ----------------------------------------------------------------------------------


def first_bytes() -> Iterator[Offence]:
    """What the first byte decides."""
    for first in (0xC1, 0xA2, 0x91, 0x71, 0xC9, 0xAA, 0x98):
        yield Offence(
            id=f"§5.2 reserved bits {first:#x}", violation=Violation.RESERVED_BITS, first=first, header_bytes=1
        )
    for first in (0xA1, 0x91, 0xF2, 0xC9, 0xCA, 0xC8):
        yield Offence(
            id=f"§5.2 reserved bits {first:#x} with permessage-deflate",
            violation=Violation.RESERVED_BITS,
            first=first,
            header_bytes=1,
            transforms=with_deflate,
        )
    for opcode in (*range(3, 8), *range(0xB, 0x10)):
        for first in (FIN | opcode, opcode):
            yield Offence(
                id=f"§5.2 opcode {first:#x}", violation=Violation.RESERVED_OPCODE, first=first, header_bytes=1
            )
    for first in (0x08, 0x09, 0x0A):
        yield Offence(
            id=f"§5.5 fragmented {first:#x}", violation=Violation.FRAGMENTED_CONTROL, first=first, header_bytes=1
        )


def order_of_frames() -> Iterator[Offence]:
    """What the frames before decide (RFC 6455 §5.4)."""
    for name, before in {
        "at the start": (),
        "after a message": ((0x81, b"a"),),
        "after a fragmented message": ((0x01, b"a"), (0x80, b"b")),
        "after a ping": ((0x89, b""),),
    }.items():
        for first in (0x00, 0x80):
            yield Offence(
                id=f"§5.4 continuation {first:#x} {name}",
                violation=Violation.UNEXPECTED_CONTINUATION,
                first=first,
                header_bytes=1,
                before=before,
            )
    for name, before in {
        "a fragment": ((0x01, b"a"),),
        "a continuation": ((0x02, b""), (0x00, b"")),
        "a ping": ((0x01, b"a"), (0x89, b"")),
    }.items():
        for first in (0x01, 0x02, 0x81, 0x82):
            yield Offence(
                id=f"§5.4 new message {first:#x} after {name}",
                violation=Violation.MESSAGE_INTERRUPTED,
                first=first,
                header_bytes=1,
                before=before,
            )
    for first in (0x40, 0xC0):
        for started in (0x41, 0x01):
            yield Offence(
                id=f"RFC 7692 §6.1 RSV1 on continuation {first:#x} after {started:#x}",
                violation=Violation.RESERVED_BIT_ON_CONTINUATION,
                first=first,
                header_bytes=1,
                before=((started, b""),),
                transforms=with_deflate,
            )


def masks_and_lengths() -> Iterator[Offence]:
    """What the second byte and the extended length decide (RFC 6455 §5.1, §5.2)."""
    for first in (0x81, 0x02, 0x89, 0x88):
        yield Offence(
            id=f"§5.1 unmasked {first:#x}",
            violation=Violation.UNMASKED_FRAME,
            first=first,
            header_bytes=2,
            masked=True,
            wrong_mask=True,
        )
        yield Offence(
            id=f"§5.1 masked {first:#x}",
            violation=Violation.MASKED_FRAME,
            first=first,
            header_bytes=2,
            masked=False,
            wrong_mask=True,
        )
    for first in (0x88, 0x89, 0x8A):
        for length in (b"\x7e\x00\x7e", b"\x7f" + bytes(7) + b"\x01"):
            yield Offence(
                id=f"§5.5 {first:#x} length {length.hex()}",
                violation=Violation.CONTROL_TOO_LONG,
                first=first,
                length=length,
                header_bytes=2,
            )
    yield Offence(
        id="§5.5.1 close payload of one byte",
        violation=Violation.CLOSE_PAYLOAD_TOO_SHORT,
        first=FIN | CLOSE,
        payload=b"\x03",
        header_bytes=2,
    )
    for length, certain in (
        (b"\x7e\x00\x00", 4),
        (b"\x7e\x00\x7d", 4),
        (b"\x7f" + bytes(8), 8),
        (b"\x7f" + bytes(6) + b"\xff\xff", 8),
    ):
        yield Offence(
            id=f"§5.2 length {length.hex()}",
            violation=Violation.NON_MINIMAL_LENGTH,
            first=0x82,
            length=length,
            header_bytes=certain,
        )
    for length in (b"\x7f\x80" + bytes(7), b"\x7f" + b"\xff" * 8):
        for limits in (UNLIMITED, Limits(message_size=1, frame_size=1)):
            yield Offence(
                id=f"§5.2 length {length.hex()} {limits.message_size}",
                violation=Violation.LENGTH_OVERFLOW,
                first=0x82,
                length=length,
                header_bytes=3,
                limits=limits,
            )


# --- the table: payloads ----------------------------------------------------------------------------------------------


def invalid_text() -> Iterator[Offence]:
    """Text that is not UTF-8 (RFC 6455 §8.1, RFC 3629): the first impossible byte decides."""
    for wrong in ("ff", "80", "c0", "f5", "c341", "e080", "eda0", "edbf", "f08f", "f490", "e28241", "f09f9841"):
        payload = b"ab" + bytes.fromhex(wrong)
        for name, before in {"whole": (), "last": ((0x01, b"x"),)}.items():
            yield Offence(
                id=f"§8.1 {wrong} in the middle of a {name} frame",
                violation=Violation.INVALID_UTF8,
                first=0x80 if before else 0x81,
                payload=payload + b"z" * 400,
                payload_bytes=len(payload),
                before=before,
            )
    yield Offence(
        id="§8.1 in the middle of a fragment",
        violation=Violation.INVALID_UTF8,
        first=0x01,
        payload=b"ab\xffcd",
        payload_bytes=3,
    )
    yield Offence(
        id="§8.1 character of two frames",
        violation=Violation.INVALID_UTF8,
        first=0x00,
        payload=b"\x28z",
        payload_bytes=1,
        before=((0x01, b"a\xe2\x82"), (0x89, b"\xac"), (0x00, b"")),
    )
    yield Offence(
        id="§8.1 message ends within a character",
        violation=Violation.INVALID_UTF8,
        first=0x81,
        payload=b"ab\xe2\x82",
        payload_bytes=4,
    )
    yield Offence(
        id="§8.1 empty last frame within a character",
        violation=Violation.INVALID_UTF8,
        first=0x80,
        payload_bytes=0,
        before=((0x01, b"\xe2\x82"),),
    )
    yield Offence(
        id="§8.1 inflated",
        violation=Violation.INVALID_UTF8,
        first=0xC1,
        payload=stored(b"ab\xffcd") + stored(b"")[:1],
        payload_bytes=5 + 3,
        transforms=with_deflate,
    )
    yield Offence(
        id="§8.1 inflated, second fragment",
        violation=Violation.INVALID_UTF8,
        first=0x80,
        payload=b"b\xed\xa0cd\x00",
        payload_bytes=3,
        before=((0x41, stored(b"ab\xed\xa0cd")[:6]),),
        transforms=with_deflate,
    )
    yield Offence(
        id="§8.1 transformed without a mark",
        violation=Violation.INVALID_UTF8,
        first=0x01,
        payload=b"ab\x0cz",
        payload_bytes=3,
        transforms=lambda limits: [Rot13()],
    )


def close_frames() -> Iterator[Offence]:
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield Offence(
            id=f"§7.4 code {code}",
            violation=Violation.CLOSE_CODE_INVALID,
            first=FIN | CLOSE,
            payload=code.to_bytes(2, "big") + b"reason",
            payload_bytes=2,
        )
    for wrong in ("ff", "c3", "61e282", "61eda0", "f49080"):
        certain = len(bytes.fromhex(wrong)) - (wrong == "f49080")
        rest = b"" if wrong in ("c3", "61e282") else b"z" * 100
        yield Offence(
            id=f"§5.5.1 reason {wrong}",
            violation=Violation.CLOSE_REASON_INVALID_UTF8,
            first=FIN | CLOSE,
            payload=b"\x03\xe8" + bytes.fromhex(wrong) + rest,
            payload_bytes=2 + certain,
        )


def corrupt() -> Iterator[Offence]:
    for name, payload, certain in (
        ("reserved block type", b"\x07zzz", 1),
        ("stored length", b"\x00\x05\x00\x00\x00zzz", 5),
        ("ends within a block", stored(b"abcde")[:-1], 9),
        ("ends within a header", stored(b"abcde")[:3], 3),
    ):
        yield Offence(
            id=f"RFC 7692 §6.2 {name}",
            violation=Violation.CORRUPT_COMPRESSION,
            first=0xC2,
            payload=payload,
            payload_bytes=certain,
            transforms=with_deflate,
        )


# --- the table: limits ------------------------------------------------------------------------------------------------


def too_big() -> Iterator[Offence]:
    for limit, size, certain in (
        (1, 2, 2),
        (100, 101, 2),
        (125, 126, 4),
        (1000, 1001, 4),
        (1000, 1024, 3),
        (70_000, 70_001, 10),
        (70_000, 2**17, 8),
        (70_000, 2**62, 3),
        (MIB, 2**63 - 1, 3),
    ):
        for violation, limits, transforms in (
            (Violation.MESSAGE_TOO_BIG, Limits(message_size=limit), lambda limits: []),
            (Violation.FRAME_TOO_BIG, Limits(frame_size=limit, message_size=None), lambda limits: []),
            (Violation.FRAME_TOO_BIG, Limits(frame_size=limit), with_deflate),
        ):
            yield Offence(
                id=f"{violation.name} {size} of {limit}{' compressed' if transforms is with_deflate else ''}",
                violation=violation,
                first=0xC2 if transforms is with_deflate else 0x02,
                length=length_bytes(size),
                header_bytes=certain,
                limits=limits,
                transforms=transforms,
            )
    yield Offence(
        id="MESSAGE_TOO_BIG with the fragments before",
        violation=Violation.MESSAGE_TOO_BIG,
        first=0x00,
        length=b"\x29",
        header_bytes=2,
        before=((0x02, b"x" * 60), (0x89, b"x" * 60), (0x00, b"")),
        limits=Limits(message_size=100),
    )
    yield Offence(
        id="MESSAGE_TOO_BIG uncompressed with permessage-deflate",
        violation=Violation.MESSAGE_TOO_BIG,
        first=0x82,
        length=b"\x65",
        header_bytes=2,
        limits=Limits(message_size=100),
        transforms=with_deflate,
    )
    yield Offence(
        id="MESSAGE_TOO_BIG transformed",
        violation=Violation.MESSAGE_TOO_BIG,
        first=0x92,
        payload=b"x" * 50,
        payload_bytes=34,
        limits=Limits(message_size=100),
        transforms=lambda limits: [Tripled()],
    )


def certain_inflating(compressed: bytes, ceiling: int) -> int:
    """How many bytes of ``compressed`` inflate to more than ``ceiling``."""
    inflater = zlib.decompressobj(-15)
    total = 0
    for index in range(len(compressed)):
        total += len(inflater.decompress(compressed[index : index + 1]))
        if total > ceiling:
            return index + 1
    raise AssertionError("it does not inflate to that much")


def inflating() -> Iterator[Offence]:
    bomb = deflated(bytes(17 * MIB))
    for violation, ceiling, limits in (
        (Violation.INFLATED_TOO_BIG, 5000, Limits(message_size=5000)),
        (Violation.INFLATED_TOO_BIG, 5000, Limits(message_size=5000, inflate_ratio=None)),
        (Violation.INFLATE_RATIO, 16 * MIB, Limits(message_size=None, inflate_ratio=10)),
    ):
        yield Offence(
            id=f"RFC 7692 §8 {violation.name} {limits.inflate_ratio}",
            violation=violation,
            first=0xC2,
            payload=bomb,
            payload_bytes=certain_inflating(bomb, ceiling),
            limits=limits,
            transforms=with_deflate,
        )


def too_many() -> Iterator[Offence]:
    for count in (1, 3):
        for first in (0x00, 0x80):
            yield Offence(
                id=f"§10.4 fragment {count + 1}, {first:#x}",
                violation=Violation.TOO_MANY_FRAGMENTS,
                first=first,
                header_bytes=1,
                before=((0x01, b"a"), *[(0x00, b"a")] * (count - 1)),
                limits=Limits(max_fragments=count),
            )
    for first, payload in ((0x89, b"abc"), (0x8A, b""), (0x88, b"\x03\xe8bye")):
        yield Offence(
            id=f"§10.4 no allowance for {first:#x}",
            violation=Violation.CONTROL_FLOOD,
            first=first,
            payload=payload,
            payload_bytes=len(payload),
            before=((0x81, b"a"),),
            allowance=0,
        )


OFFENCES = [
    *first_bytes(),
    *order_of_frames(),
    *masks_and_lengths(),
    *invalid_text(),
    *close_frames(),
    *corrupt(),
    *too_big(),
    *inflating(),
    *too_many(),
]
CASES = [
    pytest.param(offence, masked, id=f"{offence.id}-{'server' if masked else 'client'}")
    for offence in OFFENCES
    for masked in (True, False)
    if offence.masked in (None, masked)
]


def test_the_table_has_every_offence_that_an_open_connection_can_meet() -> None:
    answered_by_a_close_frame = {
        row for row in Violation if row.http_status is None and row.close_code != 1006 and row.section.startswith("RFC")
    }
    assert {offence.violation for offence in OFFENCES} == answered_by_a_close_frame
    assert len({offence.id for offence in OFFENCES}) == len(OFFENCES)


# --- the very byte ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offence", "masked"), CASES)
def test_it_is_refused_with_the_byte_that_makes_it_certain(
    codec: type[FrameDecoder], offence: Offence, masked: bool, receive: Receive
) -> None:
    certain = offence.certain_after(masked)
    wire = offence.wire(masked)
    decoder = offence.decoder(codec, masked, receive)
    feed(decoder, [frames(offence.before, masked=masked)])
    for index in range(certain - 1):
        decoder.decode(wire[index : index + 1])
        assert decoder.failure is None, f"after {index + 1} bytes"
    assert decoder.decode(wire[certain - 1 : certain]) == []
    assert decoder.failure is not None
    assert decoder.failure.violation is offence.violation


@pytest.mark.parametrize(("offence", "masked"), CASES)
def test_what_came_before_is_delivered_and_nothing_after(
    codec: type[FrameDecoder], offence: Offence, masked: bool, receive: Receive
) -> None:
    """Up to the certain byte or with everything behind it, in one read or two: it makes no difference."""
    before = frames([(0x81, b"a"), *offence.before], masked=masked)
    wire = offence.wire(masked)
    certain = offence.certain_after(masked)
    late = frames([(0x81, b"late"), (0x89, b"late"), (0x88, b"")], masked=masked)
    legal = feed(offence.decoder(codec, masked, receive), [before])
    assert legal.violation is None
    expected = Outcome(legal.events, legal.controls, offence.violation, None)
    for pieces in (
        [before + wire[:certain]],
        [before + wire + late],
        [before, wire + late],
        [before + wire[:1], wire[1:] + late, late],
        [before + wire, late, b"", late],
    ):
        outcome = feed(offence.decoder(codec, masked, receive), pieces)
        if receive is Receive.CHUNKS:  # what came of the same frame may have been delivered
            outcome = Outcome(outcome.events[: len(legal.events)], *_facts(outcome))
        assert outcome == expected, [len(piece) for piece in pieces]


def _facts(outcome: Outcome) -> tuple[int, Violation | None, bytes | None]:
    return outcome.controls, outcome.violation, outcome.close_payload


SHORT_CASES = [case for case in CASES if len(case.values[0].payload) < 100 and case.values[0].allowance is None]  # type: ignore[union-attr]  # the first value is the offence


@pytest.mark.parametrize(("offence", "masked"), SHORT_CASES)
def test_it_is_refused_however_it_arrives(codec: type[FrameDecoder], offence: Offence, masked: bool) -> None:
    data = frames([(0x81, b"a"), *offence.before], masked=masked) + offence.wire(masked)
    outcome = feed_every_way(
        lambda: offence.decoder(codec, masked, Receive.MESSAGES), data + frame(0x81, masked=masked)
    )
    assert outcome.violation is offence.violation


@pytest.mark.parametrize(("offence", "masked"), CASES)
def test_the_failure_says_what_was_seen(codec: type[FrameDecoder], offence: Offence, masked: bool) -> None:
    decoder = offence.decoder(codec, masked, Receive.MESSAGES)
    feed(decoder, [frames(offence.before, masked=masked), offence.wire(masked)])
    failure = decoder.failure
    assert isinstance(failure, RemoteProtocolError)
    assert str(failure).startswith(str(offence.violation))
    assert str(failure).isprintable()


# --- memory -----------------------------------------------------------------------------------------------------------

ENDINGS: list[tuple[str, Callable[[bool], bytes]]] = [
    ("reserved opcode", lambda masked: b"\x83"),
    ("close frame", lambda masked: frame(0x88, masked=masked)),
    ("incomplete, then an offence", lambda masked: b"\x08"),
]


@pytest.mark.parametrize("ending", [row[1] for row in ENDINGS], ids=[row[0] for row in ENDINGS])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_the_end_releases_what_was_gathered(
    codec: type[FrameDecoder], masked: bool, opcode: int, ending: Callable[[bool], bytes]
) -> None:
    part = frame(opcode, b"x" * MIB, masked=masked)
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED)
    tracemalloc.start()
    try:
        decoder.decode(part)
        assert tracemalloc.get_traced_memory()[0] > MIB
        decoder.decode(ending(masked))
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()


def refuse_at_length(data: Buffer) -> None:
    try:
        bytes(data).decode("ascii")
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(Violation.CORRUPT_COMPRESSION, "not ASCII") from error


class Ascii(Rot13):
    """Refuses what is not ASCII, with a cause that holds the data."""

    def decode(self, data: Buffer, final: bool) -> bytes:
        refuse_at_length(data)
        return bytes(data)


def test_a_failure_holds_nothing_of_the_read_that_it_ended(codec: type[FrameDecoder], masked: bool) -> None:
    """It lives as long as the report; a traceback, a context or a cause would keep the bytes alive as long."""
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED, transforms=[Ascii()])
    decoder.decode(frame(0x82, b"x" * 200 + b"\xff", masked=masked))
    failure = decoder.failure
    assert failure is not None
    assert (failure.violation, failure.detail) == (Violation.CORRUPT_COMPRESSION, "not ASCII")
    assert (failure.__traceback__, failure.__context__, failure.__cause__) == (None, None, None)


@pytest.mark.parametrize("transforms", [[], [Rot13()], [Braces()]], ids=["plain", "transformed", "not marked"])
def test_a_declared_length_allocates_nothing(
    codec: type[FrameDecoder], masked: bool, receive: Receive, transforms: list[MessageTransform]
) -> None:
    """A frame may claim to be 4 EiB long; memory is taken for what comes of it."""
    data = header(0x82, length_bytes(2**62), KEY if masked else None) + b"x" * 10
    codec(masked=masked, receive=receive, limits=UNLIMITED, transforms=transforms).decode(data)  # what is made once
    decoder = codec(masked=masked, receive=receive, limits=UNLIMITED, transforms=transforms)
    tracemalloc.start()
    try:
        decoder.decode(data)
        decoder.decode(b"x" * 10)
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()
    assert decoder.failure is None
    assert decoder.in_message


def test_fragments_cost_their_bytes_only(codec: type[FrameDecoder], masked: bool) -> None:
    """ws GHSA-96hv-2xvq-fx4p: a message of twenty thousand frames is one buffer, not twenty thousand."""
    data = frame(0x02, b"x", masked=masked) + frame(0x00, b"x", masked=masked) * 19_999
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED)
    tracemalloc.start()
    try:
        decoder.decode(data)
        assert tracemalloc.get_traced_memory()[0] < 60_000
    finally:
        tracemalloc.stop()
    assert decoder.decode(frame(FIN, masked=masked)) == [b"x" * 20_000]


def test_what_a_ping_says_is_nobody_elses(codec: type[FrameDecoder], masked: bool) -> None:
    """A control frame in two reads leaves nothing for the next one."""
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED)
    first, second = frame(FIN | PING, b"first", masked=masked), frame(FIN | PING, b"second", masked=masked)
    outcome = feed(decoder, [first[:-2], first[-2:] + second[:-2], second[-2:]])
    assert [getattr(event, "payload", None) for event in outcome.events] == [b"first", b"second"]


def test_compression_is_refused_where_it_was_not_negotiated(codec: type[FrameDecoder], masked: bool) -> None:
    """aiohttp#12976."""
    decoder = codec(masked=masked, receive=Receive.MESSAGES, limits=UNLIMITED, transforms=[Braces()])
    decoder.decode(frame(FIN | RSV1 | TEXT, deflated(b"a"), masked=masked))
    assert decoder.failure is not None
    assert decoder.failure.violation is Violation.RESERVED_BITS
