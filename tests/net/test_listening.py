"""Binding stream sockets."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from wsproto_net import bind_tcp, bind_udp, bind_unix

INET = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
BINDS = pytest.mark.parametrize("bind", [bind_tcp, bind_udp], ids=["tcp", "udp"])


@contextmanager
def closing(sockets: list[socket.socket]) -> Iterator[list[socket.socket]]:
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()


@BINDS
def test_each_different_address_gets_a_socket(bind: Any) -> None:
    with closing(bind([INET, (*INET[:4], ("127.0.0.2", 0)), INET], reuse_port=False)) as sockets:
        assert [sock.getsockname()[0] for sock in sockets] == ["127.0.0.1", "127.0.0.2"]
        kinds = {bind_tcp: socket.SOCK_STREAM, bind_udp: socket.SOCK_DGRAM}
        assert {sock.type for sock in sockets} == {kinds[bind]}


@BINDS
def test_a_family_that_this_machine_does_not_speak_is_left_out(bind: Any) -> None:
    with closing(bind([unspoken(), INET], reuse_port=False)) as sockets:
        assert len(sockets) == 1
    with pytest.raises(OSError, match="no address") as failed:
        bind([unspoken()], reuse_port=False)
    assert failed.value.errno == errno.EADDRNOTAVAIL


def unspoken() -> Any:
    """An address of a family that no system has."""
    return (99, *INET[1:])


@BINDS
def test_if_one_fails_none_is_left(bind: Any) -> None:
    with closing(bind([INET], reuse_port=False)) as (taken,):
        if taken.type == socket.SOCK_STREAM:
            taken.listen()
        before = open_descriptors()
        with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
            bind([INET, (*INET[:4], taken.getsockname())], reuse_port=False)
        assert open_descriptors() == before


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


@BINDS
@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system knows no SO_REUSEPORT")
def test_several_sockets_can_share_a_port(bind: Any) -> None:
    with closing(bind([INET], reuse_port=True)) as (one,):
        address = (*INET[:4], one.getsockname())
        with closing(bind([address], reuse_port=True)) as (two,):
            assert two.getsockname() == one.getsockname()


@BINDS
def test_ipv6_does_not_take_the_port_of_ipv4(bind: Any) -> None:
    if not speaks_ipv6():
        pytest.skip("there is no IPv6 here")
    with closing(bind([INET], reuse_port=False)) as (four,):
        port = four.getsockname()[1]
        with closing(bind([(socket.AF_INET6, 0, 0, "", ("::", port, 0, 0))], reuse_port=False)) as (six,):
            assert six.getsockname()[1] == port


def speaks_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_a_unix_socket_that_was_left_behind_makes_way(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    for _ in range(2):
        bind_unix(path).close()
    with bind_unix(path) as sock:
        assert sock.getsockname() == path


def test_nothing_but_a_socket_makes_way(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
        bind_unix(str(path))
    assert path.read_text() == "precious"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names outside the file system")
def test_a_name_outside_the_file_system() -> None:
    name = f"\0wsproto_net {os.getpid()}"
    with bind_unix(name) as sock:
        assert sock.getsockname() == name.encode()
