"""Messages as datagrams: the binding to a UDP socket, clients and servers."""

from __future__ import annotations

import functools
import math
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, Unpack

import trio

from wsproto_core import (
    CloseCode,
    DatagramCodec,
    DatagramPeer,
    DatagramServer,
    Event,
    Log,
    LonePeer,
    MessageOptions,
    UdpConnectPlan,
    UdpServeOptions,
    UdpServePlan,
    check_handler,
)
from wsproto_net import UdpSocket, connect_udp_socket

from .link import Link
from .listening import bound_sockets
from .opening import Opening
from .peer import DatagramLink, UdpPeer
from .serving import Listening, Server, Serving
from .waiting import Waiters

__all__ = ["connect_udp", "serve_udp"]

_DEFAULT_CODEC: Final = DatagramCodec()


class _Socket(UdpSocket[UdpPeer]):
    """Carries datagrams, as a task."""

    log: ClassVar[Log] = Link.log

    def __init__(
        self,
        sock: socket.socket,
        engine: DatagramServer | LonePeer,
        *,
        watch: Callable[[Any, Event], None] | None = None,
        arrived: Callable[[UdpPeer], object] | None = None,
        left: Callable[[UdpPeer], object] | None = None,
    ) -> None:
        super().__init__(sock, engine, make_peer=self._make, arrived=arrived, left=left)
        self._watch = watch
        self._all = trio.CancelScope()
        self._timer: trio.CancelScope | None = None
        self._writer = trio.lowlevel.ParkingLot()

    def _make(self, engine: DatagramPeer) -> UdpPeer:
        return UdpPeer(engine, DatagramLink(self, engine, Waiters()), self.socket.getsockname(), self._watch)

    def now(self) -> float:
        return trio.current_time()

    async def run(self, *, shield: bool = False) -> None:
        """Carry datagrams until the socket is closed. Cancelled from outside, it says goodbye with 1011, unless it has
        a ``shield``: then somebody must ``leave``.
        """
        try:
            with trio.CancelScope(shield=shield), self._all:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._keep_time)
                    nursery.start_soon(self._write)
                    while not self.is_lost:
                        await trio.lowlevel.wait_readable(self.socket)
                        self.readable()
        finally:
            self.say_goodbye(CloseCode.INTERNAL_ERROR)
            self.lost(None)

    async def _keep_time(self) -> None:
        while True:
            deadline = self.engine.next_deadline()
            with trio.CancelScope(deadline=math.inf if deadline is None else deadline) as self._timer:
                await trio.sleep_forever()
            self.expired()

    async def _write(self) -> None:
        while not self.is_lost:
            await self._writer.park()
            await trio.lowlevel.wait_writable(self.socket)
            self.writable()

    def arm(self, deadline: float | None, *, wants_write: bool) -> None:
        if deadline is not None and self._timer is not None and deadline < self._timer.deadline:
            self._timer.deadline = deadline
        if wants_write:
            self._writer.unpark_all()

    def close_socket(self) -> None:
        self._all.cancel()
        trio.lowlevel.notify_closing(self.socket)
        self.socket.close()

    async def stop_accepting(self) -> None:
        self.engine.stop_accepting()

    async def close(self) -> None:
        self.say_goodbye()


class connect_udp(Opening[UdpPeer]):  # noqa: N801  (it is used like a function)
    """Speak to a UDP peer: ``async with connect_udp(host, port) as peer``, or
    ``peer = await connect_udp(host, port, nursery=nursery)``.

    * ``codec``: how messages stand in datagrams, the same on both sides. By default there is a header, and the server
      is convinced of this side's address before it is open.
    * ``options``: those of :class:`MessageOptions`, as in :class:`DatagramPeer`. A datagram that a ``pipeline`` cannot
      open is dropped, and counted as malformed.
    * ``sock``: a connected UDP socket, instead of ``host`` and ``port``; ``nursery``: as in :func:`connect`.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`ConnectionRefused`,
    :exc:`ConnectionTimeout` or another :exc:`ConnectionFailed` if nobody answers.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        codec: DatagramCodec = _DEFAULT_CODEC,
        *,
        sock: socket.socket | None = None,
        nursery: trio.Nursery | None = None,
        **options: Unpack[MessageOptions],
    ) -> None:
        self._plan = UdpConnectPlan(host, port, codec, entropy=os.urandom, is_open=sock is not None, **options)
        super().__init__(self._plan.timeout, nursery)
        self._sock = sock

    async def _open(self, nursery: trio.Nursery, shield: bool) -> UdpPeer:
        sock = self._sock
        if sock is None:
            found = await trio.socket.getaddrinfo(self._plan.host, self._plan.port, type=socket.SOCK_DGRAM)
            sock = connect_udp_socket(found)
        engine = self._plan.engine(trio.current_time(), sock.getpeername())
        binding = _Socket(sock, LonePeer(engine))
        peer = binding.adopt(engine)
        nursery.start_soon(functools.partial(binding.run, shield=shield))
        try:
            await peer.link.until(peer.opening_outcome)
        except BaseException:
            peer.abort()
            raise
        return peer


class serve_udp(Serving[UdpPeer]):  # noqa: N801  (it is used like a function)
    """Serve messages as datagrams: ``async with serve_udp(handler, host, port) as server``.

    * ``handler``: a coroutine function, called with a :class:`UdpPeer` for each address, which is closed when it
      returns.
    * ``codec``: as in :class:`DatagramServer`; ``options``: those of :class:`UdpServeOptions`.
    * ``host``, ``port``: where to listen; or ``sock``, one or several bound UDP sockets.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`BindFailed` where it cannot listen.
    """

    def __init__(
        self,
        handler: Callable[[UdpPeer], Awaitable[None]],
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        codec: DatagramCodec = _DEFAULT_CODEC,
        *,
        sock: socket.socket | Sequence[socket.socket] | None = None,
        **options: Unpack[UdpServeOptions],
    ) -> None:
        check_handler(handler)
        super().__init__(handler, max_connections=None)
        self._plan = UdpServePlan(host, port, sock, codec, entropy=os.urandom, **options)

    async def _doors(self) -> Sequence[Callable[[Server[UdpPeer]], Listening]]:
        sockets = await bound_sockets(self._plan.where, socket.SOCK_DGRAM)
        return [functools.partial(self._door, sock) for sock in sockets]

    def _door(self, sock: socket.socket, server: Server[UdpPeer]) -> _Socket:
        reception = server.reception
        engine = self._plan.engine(trio.current_time())
        return _Socket(sock, engine, watch=reception.watch, arrived=reception.arrive, left=server.left)
