"""One direction of a stream: how long bytes take, how many fit, and how they vanish."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core.testing import BrokenContract, Chance, Link


def test_by_default_bytes_are_there_at_once() -> None:
    link = Link()
    link.write(b"hello ")
    link.write(b"world")
    empty = [link.is_empty]
    assert link.move(0.0) == 11
    assert [*empty, link.is_empty] == [False, True]
    assert link.read() == b"hello world"
    assert (link.read(), bytes(link.log), link.next_time()) == (b"", b"hello world", None)


def test_latency() -> None:
    link = Link(latency=0.5)
    link.write(b"x")
    assert link.move(1.0) == 1
    assert link.next_time() == 1.5
    link.move(1.4)
    assert link.read() == b""
    link.move(1.5)
    assert link.read() == b"x"


def test_bandwidth() -> None:
    link = Link(bandwidth=100.0)
    link.write(bytes(25))
    assert [link.move(0.0), link.move(0.05), link.next_time()] == [10, 0, 0.1]
    assert (link.move(0.1), len(link.arrived)) == (10, 10)
    assert (link.move(0.2), len(link.arrived)) == (5, 20)
    assert link.next_time() == pytest.approx(0.25)
    link.move(0.3)
    assert (len(link.arrived), link.next_time()) == (25, None)


def test_the_slowest_line_moves_a_byte_at_a_time() -> None:
    link = Link(bandwidth=1.0)
    link.write(b"ab")
    assert link.move(0.0) == 1
    assert link.next_time() == 1.0


def test_capacity() -> None:
    link = Link(capacity=10)
    link.write(bytes(8))
    room = [link.has_room]
    link.write(bytes(17))
    room.append(link.has_room)
    assert (link.move(0.0), link.move(0.0), link.next_time()) == (10, 0, None)
    link.read(4)
    assert link.move(0.0) == 4
    room.append(link.has_room)
    link.read()
    assert link.move(0.0) == 10
    assert [*room, link.has_room] == [True, False, False, True]


def test_jitter_never_lets_bytes_overtake() -> None:
    link = Link(latency=0.1, jitter=0.3, chance=Chance(1))
    times: list[float] = []
    for number in range(50):
        link.write(bytes([number]))
        link.move(number / 100)
    while (time := link.next_time()) is not None:
        times.append(time)
        link.move(time)
    assert link.read() == bytes(range(50))
    assert times == sorted(times)
    assert times[0] >= 0.1
    assert times[-1] <= 0.49 + 0.4
    assert len(set(times)) > 3


def test_a_stalled_link_keeps_what_it_has() -> None:
    link = Link(bandwidth=100.0)
    link.write(b"x")
    link.is_shut = link.stalled = True
    assert link.move(0.0) == 0
    assert link.next_time() is None
    link.stalled = False
    assert link.move(9.0) == 1


def test_the_end_follows_what_was_written() -> None:
    link = Link(latency=1.0)
    link.write(b"x")
    link.is_shut = True
    link.move(0.0)
    assert not link.has_ended
    link.move(1.0)
    assert (link.read(), link.has_ended) == (b"x", True)
    with pytest.raises(BrokenContract, match="3 bytes are written after the end"):
        link.write(b"abc")


def test_a_writer_that_is_gone_leaves_what_the_line_took() -> None:
    link = Link(capacity=10)
    link.write(bytes(30))
    link.drop(0.0)
    link.move(0.0)
    assert (len(link.read()), link.has_ended, link.is_empty) == (10, True, True)


def test_a_reader_that_is_gone_gets_nothing() -> None:
    link = Link(latency=1.0)
    link.write(b"x")
    link.move(0.0)
    link.discard()
    link.write(b"y")
    assert link.move(0.0) == 1
    link.move(2.0)
    assert (link.read(), bytes(link.log)) == (b"", b"xy")


def test_a_line_that_becomes_faster() -> None:
    link = Link(bandwidth=1.0)
    link.write(b"abc")
    link.move(0.0)
    link.bandwidth = None
    assert link.move(0.0) == 2
    link.move(1.0)
    assert link.read() == b"abc"


@given(data=st.binary(min_size=1, max_size=300), seed=st.integers(0, 99))
def test_chunks_by_chance(data: bytes, seed: int) -> None:
    def chunks() -> list[bytes]:
        link, chance = Link(), Chance(seed)
        link.write(data)
        link.move(0.0)
        pieces: list[bytes] = []
        while link.arrived:
            pieces.append(link.read(chance))
        return pieces

    pieces = chunks()
    assert b"".join(pieces) == data
    assert all(pieces)
    assert pieces == chunks()
    assert len(pieces) > 1 or len(data) <= 2


def test_chunks_of_a_size() -> None:
    link = Link()
    link.write(b"abcde")
    link.move(0.0)
    assert [link.read(2), link.read(2), link.read(2)] == [b"ab", b"cd", b"e"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"latency": -1.0}, "latency"),
        ({"jitter": -0.1}, "jitter"),
        ({"bandwidth": 0.0}, "bandwidth must be positive or None, not 0.0"),
        ({"capacity": 0}, "capacity must be positive or None, not 0"),
        ({"latency": float("nan")}, "latency"),
    ],
)
def test_impossible_links(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Link(**options)
