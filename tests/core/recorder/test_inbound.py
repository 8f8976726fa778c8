"""Where a peer's bytes stand, however they are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core import Role
from wsproto_core.frames import Frame, Opcode
from wsproto_core.recorder.inbound import FrameHead, Inbound, Kind, frame_heads

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"

frames = st.builds(
    Frame,
    opcode=st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.PING]),
    payload=st.binary(max_size=130),
    mask=st.none() | st.just(b"abcd"),
)


def kinds(inbound: Inbound, *reads: bytes) -> list[tuple[Kind, int]]:
    """What each byte is, neighbours together."""
    found: list[tuple[Kind, int]] = []
    for data in reads:
        for part in inbound.feed(data):
            assert part.stop > part.start or part.kind is Kind.HEAD
            if found and found[-1][0] is part.kind:
                found[-1] = (part.kind, found[-1][1] + part.stop - part.start)
            else:
                found.append((part.kind, part.stop - part.start))
    return found


@given(sent=st.lists(frames, max_size=5), cuts=st.lists(st.integers(0, 800), max_size=10))
def test_any_cuts_make_no_difference(sent: list[Frame], cuts: list[int]) -> None:
    stream = REQUEST + b"".join(map(bytes, sent))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reads = [stream[start:stop] for start, stop in pairwise(edges)]
    whole, cut = Inbound(Role.SERVER, has_head=True), Inbound(Role.SERVER, has_head=True)
    assert kinds(whole, stream) == kinds(cut, *reads)
    assert whole.is_between_messages
    assert cut.is_between_messages


@given(sent=st.lists(frames, max_size=5))
def test_the_headers_of_whole_frames(sent: list[Frame]) -> None:
    heads = list(frame_heads(b"".join(map(bytes, sent))))
    assert [(head.opcode, head.length, head.masked) for head in heads] == [
        (frame.opcode, len(frame.payload), frame.mask is not None) for frame in sent
    ]


def test_what_a_header_says() -> None:
    head = FrameHead(0x72, False, 5)
    assert (head.opcode, head.final, head.reserved) == (2, False, 7)
    assert list(frame_heads(bytes(Frame(Opcode.BINARY, bytes(70_000))))) == [FrameHead(0x82, False, 70_000)]


@pytest.mark.parametrize(
    ("role", "head", "rest"),
    [
        (Role.SERVER, REQUEST, Kind.HEADER),
        (Role.SERVER, REQUEST.replace(b"\r\n", b"\n"), Kind.HEADER),
        (Role.CLIENT, ANSWER, Kind.HEADER),
        (Role.CLIENT, b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER, Kind.HEADER),
        (Role.CLIENT, b"HTTP/1.1 403 Forbidden\r\n\r\n", Kind.REST),
        (Role.CLIENT, b"no status\r\n\r\n", Kind.HEADER),
    ],
)
def test_heads_and_what_follows(role: Role, head: bytes, rest: Kind) -> None:
    for cut in range(len(head) + 1):
        inbound = Inbound(role, has_head=True)
        stream = head + b"\x81\x00"
        assert kinds(inbound, stream[:cut], stream[cut:]) == [(Kind.HEAD, len(head)), (rest, 2)]


def test_a_head_that_is_not_complete() -> None:
    inbound = Inbound(Role.CLIENT, has_head=True)
    assert kinds(inbound, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 1") == [(Kind.HEAD, 35)]
    assert not inbound.is_between_messages


@pytest.mark.parametrize(
    "frame", [b"\x83\x00", b"\x09\x00", b"\x89\x7e\x00\x7e", bytes(Frame(Opcode.CLOSE, b"\x03\xe8"))]
)
def test_behind_what_breaks_the_format_and_a_close_frame_nothing_has_a_meaning(frame: bytes) -> None:
    inbound = Inbound(Role.CLIENT, has_head=False)
    assert kinds(inbound, frame + b"anything", b"more")[-1] == (Kind.REST, len(b"anythingmore"))
    assert not inbound.is_between_messages


def test_fragments_are_one_message() -> None:
    inbound = Inbound(Role.CLIENT, has_head=False)
    standings: list[bool] = []
    for frame in (
        Frame(Opcode.TEXT, b"a", final=False),
        Frame(Opcode.PING),
        Frame(Opcode.CONTINUATION, b"b", final=False),
        Frame(Opcode.CONTINUATION, b""),
    ):
        inbound.feed(bytes(frame))
        standings.append(inbound.is_between_messages)
    inbound.feed(b"\x81")
    assert [*standings, inbound.is_between_messages] == [False, False, False, True, False]
