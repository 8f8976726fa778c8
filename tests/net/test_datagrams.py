"""UDP sockets: connecting, reading with the count of drops, writing."""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from wsproto_core import DatagramCodec, DatagramServer, Log, PeerBase
from wsproto_net import UdpSocket, connect_udp_socket

BARE = DatagramCodec(header=False, verify=False)


class Unused(UdpSocket[PeerBase[Any]]):
    """The part that is the same on every runtime, with nothing of one."""

    log: ClassVar[Log]

    def now(self) -> float:
        return 0.0

    def arm(self, deadline: float | None, *, wants_write: bool) -> None:
        raise AssertionError("nobody asks for it")

    def close_socket(self) -> None:
        self.socket.close()


@pytest.fixture
def far() -> Iterator[socket.socket]:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


@pytest.fixture
def near() -> Iterator[Unused]:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the system makes it a few kilobytes
    sock.bind(("127.0.0.1", 0))
    engine = DatagramServer(BARE, entropy=os.urandom, now=0.0)
    unused = Unused(sock, engine, make_peer=PeerBase, arrived=None, left=None)
    with sock:
        yield unused


def test_it_never_blocks(near: Unused) -> None:
    assert not near.socket.getblocking()
    assert near.receive_one() is None
    assert near.sockets == (near.socket,)


def test_reading_tells_the_sender(near: Unused, far: socket.socket) -> None:
    far.sendto(b"hello", near.socket.getsockname())
    select.select([near.socket], [], [], 5)
    received = near.receive_one()
    assert received is not None
    assert (received[0], received[2]) == (b"hello", far.getsockname())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts these")
def test_the_count_of_what_there_was_no_room_for(near: Unused, far: socket.socket) -> None:
    for _ in range(100):
        far.sendto(bytes(100), near.socket.getsockname())
    kept = 0
    while near.receive_one() is not None:
        kept += 1
    assert 0 < kept < 100
    far.sendto(b"last", near.socket.getsockname())
    received = near.receive_one()
    assert received is not None
    assert received[:2] == (b"last", 100 - kept)


def test_writing_to_an_address_and_to_whom_it_is_connected(near: Unused, far: socket.socket) -> None:
    assert near.send_one(b"one", far.getsockname())
    near.socket.connect(far.getsockname())
    assert near.send_one(b"two", None)
    assert [far.recv(100), far.recv(100)] == [b"one", b"two"]


def test_without_room_nothing_is_written() -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)  # unlike UDP, it fills up
    engine = DatagramServer(BARE, entropy=os.urandom, now=0.0)
    with one, other:
        unused = Unused(one, engine, make_peer=PeerBase, arrived=None, left=None)
        sent = 0
        while unused.send_one(bytes(1000), None):
            sent += 1
        assert 0 < sent < 10_000


def test_the_first_address_that_there_is_a_way_to(far: socket.socket) -> None:
    unspoken = (socket.AF_INET, 0, 0, "", ("256.0.0.1", 1))
    with connect_udp_socket([unspoken, (socket.AF_INET, 0, 0, "", far.getsockname())]) as sock:
        assert sock.getpeername() == far.getsockname()
    with pytest.raises(OSError, match="no address"):
        connect_udp_socket([])
    with pytest.raises(OSError):  # noqa: PT011 - what the resolver says about nonsense differs
        connect_udp_socket([unspoken])
