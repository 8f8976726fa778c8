"""How the adapter accepts, and how its own transport reads, in Python and in C alike. How that sends,
`test_speedups.py` shows.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

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


# --- accept -----------------------------------------------------------------------------------------------------------


@contextmanager
def listening(family: int, name: Any) -> Iterator[socket.socket]:
    with socket.socket(family) as sock:
        sock.bind(name)
        sock.listen()
        sock.setblocking(False)
        yield sock


PLACES: Final[dict[str, tuple[int, Any]]] = {
    "IPv4": (socket.AF_INET, ("127.0.0.1", 0)),
    "IPv6": (socket.AF_INET6, ("::1", 0)),
    "Unix": (socket.AF_UNIX, "listening"),
}


@pytest.mark.parametrize("place", PLACES)
def test_who_waits_is_accepted_in_turn_and_then_nobody(
    leaves: Leaves, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the files of Unix sockets are
    family, name = PLACES[place]
    with listening(family, name) as sock, ExitStack() as stack:
        assert leaves.accept(sock) is None
        clients = [stack.enter_context(socket.socket(family)) for _ in range(2)]
        for number, client in enumerate(clients):
            if family == socket.AF_UNIX:
                client.bind(f"client {number}")
            client.connect(sock.getsockname())
        for client in clients:
            accepted = leaves.accept(sock)
            assert accepted is not None
            connection, address = accepted
            with connection:
                assert type(connection) is socket.socket
                assert address == client.getsockname() == connection.getpeername()
                assert (connection.family, connection.type, connection.proto) == (sock.family, sock.type, sock.proto)
                assert not connection.getblocking()
                assert not connection.get_inheritable()
                with pytest.raises(BlockingIOError):
                    connection.recv(1)
                client.send(b"hello")
                assert connection.recv(10) == b"hello"
        assert leaves.accept(sock) is None


def test_an_address_has_its_scope(leaves: Leaves) -> None:
    """``inet_ntop`` writes none: it is a number of its own."""
    with listening(socket.AF_INET6, ("::", 0)) as sock, socket.create_connection(("127.0.0.1", sock.getsockname()[1])):
        accepted = leaves.accept(sock)
        assert accepted is not None
        with accepted[0] as connection:
            assert accepted[1] == connection.getpeername()
            assert accepted[1][0] == "::ffff:127.0.0.1"
            assert accepted[1][2:] == (0, 0)


def test_a_kind_of_socket_of_its_own_accepts_as_it_does(leaves: Leaves) -> None:
    class Picky(socket.socket):
        def accept(self) -> tuple[socket.socket, Any]:
            raise ConnectionAbortedError

    with Picky() as sock:
        assert leaves.accept(sock) is None


def test_a_socket_that_does_not_listen_is_refused_by_the_system(leaves: Leaves) -> None:
    with socket.socket() as sock:
        sock.setblocking(False)
        with pytest.raises(OSError, match="Invalid argument"):
            leaves.accept(sock)


def test_a_closed_socket_is_refused_by_the_system(leaves: Leaves) -> None:
    with socket.socket() as sock:
        sock.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            leaves.accept(sock)


def test_a_connection_that_cannot_be_told_of_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own is not."""
    leaves = TWINS["compiled"]().leaves

    def refuse(*arguments: object, **options: object) -> None:
        raise MemoryError

    with listening(*PLACES["IPv4"]) as sock, socket.create_connection(sock.getsockname()) as client:
        client.settimeout(10)
        monkeypatch.setattr(socket.socket, "__init__", refuse)
        with pytest.raises(MemoryError):
            leaves.accept(sock)
        monkeypatch.undo()
        assert client.recv(1) == b""
