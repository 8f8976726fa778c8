"""How the adapter's own transport reads, in Python and in C alike. How it sends, `test_speedups.py` shows."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tests.adapters.asyncio_kit import TWINS, Leaves
from wsproto_asyncio._speedups import leaves_py

LARGE = leaves_py.LARGE


@pytest.fixture(params=TWINS)
def leaves(request: pytest.FixtureRequest) -> Leaves:
    return TWINS[request.param]().leaves


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends that do not block."""
    here, there = socket.socketpair()
    with here, there:
        for end in here, there:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * LARGE)
        yield here, there


def memory() -> memoryview:
    return memoryview(bytearray(2 * LARGE))


Pair = tuple[socket.socket, socket.socket]


# --- receive ----------------------------------------------------------------------------------------------------------


def test_both_have_the_same_names(leaves: Leaves) -> None:
    assert set(leaves_py.__all__) == set(vars(leaves)["__all__"])
    assert leaves.LARGE == LARGE


@pytest.mark.parametrize("size", [1, 64, LARGE - 1])
def test_little_is_handed_over(leaves: Leaves, pair: Pair, size: int) -> None:
    here, there = pair
    there.send(b"x" * size)
    place = memory()
    data = leaves.receive(here, place)
    place[:size] = b"y" * size
    assert type(data) is bytes
    assert data == b"x" * size


@pytest.mark.parametrize("size", [LARGE, LARGE + 1, 2 * LARGE])
def test_much_is_looked_at_where_it_is(leaves: Leaves, pair: Pair, size: int) -> None:
    here, there = pair
    there.send(b"x" * size)
    place = memory()
    data = leaves.receive(here, place)
    assert type(data) is memoryview
    assert data == b"x" * size
    place[0] = ord("y")
    assert data[0] == ord("y")


def test_no_more_comes_than_fits(leaves: Leaves, pair: Pair) -> None:
    here, there = pair
    there.send(b"abcdef")
    place = memoryview(bytearray(4))
    assert [leaves.receive(here, place) for _ in range(3)] == [b"abcd", b"ef", None]


def test_where_nothing_is_there_nothing_comes(leaves: Leaves, pair: Pair) -> None:
    here, there = pair
    assert leaves.receive(here, memory()) is None
    there.close()
    assert leaves.receive(here, memory()) == b""


def test_what_cannot_be_written_is_no_memory(leaves: Leaves, pair: Pair) -> None:
    here, there = pair
    there.send(b"x")
    with pytest.raises((TypeError, BufferError)):
        leaves.receive(here, memoryview(b"read only"))
    assert leaves.receive(here, memory()) == b"x"


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_reset_is_told_by_the_systems_own_error(leaves: Leaves) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = socket.create_connection(listening.getsockname())
        here, _ = listening.accept()
    with here:
        here.send(b"unread")
        there.recv(1, socket.MSG_PEEK)
        there.close()
        with pytest.raises(ConnectionResetError):
            leaves.receive(here, memory())


def test_the_number_of_a_closed_socket_may_be_a_strangers(leaves: Leaves, pair: Pair) -> None:
    """Who then is not read."""
    here, _ = pair
    stranger, friend = socket.socketpair()
    with stranger, friend:
        number = here.fileno()
        here.close()
        os.dup2(stranger.fileno(), number)
        friend.send(b"for the stranger")
        with pytest.raises(OSError, match="Bad file descriptor"):
            leaves.receive(here, memory())
        os.close(number)
        assert stranger.recv(100) == b"for the stranger"
