"""UDP sockets: binding, connecting, reading with the count of what the socket had no room for, and writing."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from wsproto_core import Address, DatagramBinding, DatagramPeer, DatagramServer, LonePeer, PeerBase, socket_drops

from .listening import AddressInfo, bind, bind_each

__all__ = ["UdpSocket", "bind_udp", "connect_udp_socket"]

_P = TypeVar("_P", bound=PeerBase[DatagramPeer])

#: No datagram is larger.
_MAX_DATAGRAM_SIZE: Final = 65_535
#: The option by which Linux counts, with each datagram, those that a socket had no room for. The standard library has
#: no name for it.
_SO_RXQ_OVFL: Final = 40
_ANCILLARY_SIZE: Final = socket.CMSG_SPACE(4) if hasattr(socket, "CMSG_SPACE") else 0


class UdpSocket(DatagramBinding[_P]):
    """The part of a :class:`DatagramBinding` that is the same on every runtime: ``socket``, which never blocks."""

    def __init__(
        self,
        sock: socket.socket,
        engine: DatagramServer | LonePeer,
        *,
        make_peer: Callable[[DatagramPeer], _P],
        arrived: Callable[[_P], object] | None,
        left: Callable[[_P], object] | None,
    ) -> None:
        super().__init__(engine, make_peer=make_peer, arrived=arrived, left=left)
        sock.setblocking(False)
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        self.socket: socket.socket = sock

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """The one socket."""
        return (self.socket,)

    def receive_one(self) -> tuple[bytes, int | None, Address] | None:
        try:
            data, ancillary, _, address = self.socket.recvmsg(_MAX_DATAGRAM_SIZE, _ANCILLARY_SIZE)
        except BlockingIOError:
            return None
        return data, socket_drops(ancillary), address

    def send_one(self, datagram: bytes, address: Address | None) -> bool:
        try:
            if address is None:
                self.socket.send(datagram)
            else:
                self.socket.sendto(datagram, address)
        except BlockingIOError:
            return False
        return True


def bind_udp(found: Iterable[AddressInfo], *, reuse_port: bool) -> list[socket.socket]:
    """A bound socket for each address that ``getaddrinfo`` has ``found``. Raises :exc:`OSError`, and then there is
    none.
    """
    return bind_each(found, lambda family, address: bind(family, socket.SOCK_DGRAM, address, reuse_port))


def connect_udp_socket(found: Iterable[AddressInfo]) -> socket.socket:
    """A socket connected to the first address of those ``found`` that there is a way to. Raises :exc:`OSError`."""
    failure = OSError("the host has no address")
    for family, _, _, _, address in found:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.connect(tuple(address))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure
