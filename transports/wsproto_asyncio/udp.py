"""Messages as datagrams: the binding to a UDP socket, clients and servers."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, Unpack

from wsproto_core import (
    Address,
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
from .serving import Server, Serving
from .waiting import Waiters

__all__ = ["connect_udp", "serve_udp"]

_DEFAULT_CODEC: Final = DatagramCodec()


class _Socket(UdpSocket[UdpPeer]):
    """Carries datagrams by an event loop that can watch sockets."""

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
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_writing = False
        self._loop.add_reader(sock, self.readable)

    def _make(self, engine: DatagramPeer) -> UdpPeer:
        return UdpPeer(engine, DatagramLink(self, engine, Waiters()), self.socket.getsockname(), self._watch)

    def now(self) -> float:
        return self._loop.time()

    def receive_one(self) -> tuple[bytes, int | None, Address] | None:
        try:
            return super().receive_one()
        except OSError:
            # libuv, below uvloop, watches no longer a socket that has complained.
            self._loop.remove_reader(self.socket)
            self._loop.add_reader(self.socket, self.readable)
            raise

    def arm(self, deadline: float | None, *, wants_write: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self.expired)
        if wants_write != self._is_writing:
            self._is_writing = wants_write
            if wants_write:
                self._loop.add_writer(self.socket, self.writable)
            else:
                self._loop.remove_writer(self.socket)

    def close_socket(self) -> None:
        self.arm(None, wants_write=False)
        self._loop.remove_reader(self.socket)
        self.socket.close()

    async def stop_accepting(self) -> None:
        self.engine.stop_accepting()

    async def close(self) -> None:
        self.say_goodbye()


class connect_udp(Opening[UdpPeer]):  # noqa: N801  (it is used like a function)
    """Speak to a UDP peer: ``async with connect_udp(host, port) as peer`` or ``peer = await connect_udp(host, port)``.

    * ``codec``: how messages stand in datagrams, the same on both sides. By default there is a header, and the server
      is convinced of this side's address before it is open.
    * ``options``: those of :class:`MessageOptions`, as in :class:`DatagramPeer`. A datagram that a ``pipeline`` cannot
      open is dropped, and counted as malformed.
    * ``sock``: a connected UDP socket, instead of ``host`` and ``port``.

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
        **options: Unpack[MessageOptions],
    ) -> None:
        self._plan = UdpConnectPlan(host, port, codec, entropy=os.urandom, is_open=sock is not None, **options)
        super().__init__(self._plan.timeout)
        self._sock = sock

    async def _open(self) -> UdpPeer:
        loop = asyncio.get_running_loop()
        sock = self._sock
        if sock is None:
            found = await loop.getaddrinfo(self._plan.host, self._plan.port, type=socket.SOCK_DGRAM)
            sock = connect_udp_socket(found)
        engine = self._plan.engine(loop.time(), sock.getpeername())
        peer = _Socket(sock, LonePeer(engine)).adopt(engine)
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

    async def _listen(self, server: Server[UdpPeer]) -> None:
        reception, loop = server.reception, asyncio.get_running_loop()
        for sock in await bound_sockets(self._plan.where, socket.SOCK_DGRAM):
            engine = self._plan.engine(loop.time())
            server.listening.append(
                _Socket(sock, engine, watch=reception.watch, arrived=reception.arrive, left=reception.leave)
            )
