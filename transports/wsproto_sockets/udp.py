"""Messages as datagrams: the binding to a UDP socket, clients and servers."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, ClassVar, Final, TypeVar, Unpack

from wsproto_core import (
    Buffer,
    DatagramCodec,
    DatagramPeer,
    DatagramServer,
    DatagramStatistics,
    Event,
    Log,
    LonePeer,
    Message,
    MessageOptions,
    ServerStatistics,
    UdpConnectPlan,
    UdpServeOptions,
    UdpServePlan,
)
from wsproto_net import UdpSocket, connect_udp_socket

from .client import opened_within
from .link import Link
from .listening import bound_sockets
from .peer import UdpPeer
from .server import check_function
from .serving import Server
from .waiting import READ, WRITE, Waiters, Waker, remaining

__all__ = ["connect_udp", "serve_udp"]

_T = TypeVar("_T")
_DEFAULT_CODEC: Final = DatagramCodec()


class _Socket(UdpSocket[UdpPeer]):
    """Carries datagrams, in a thread of its own. One lock guards the socket and the engines of all its peers."""

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
        self.waiters: Waiters = Waiters()
        self._watch = watch
        self._waker = Waker()
        self._interest = READ
        # Until when the thread waits; ``None`` while it does not.
        self._asleep: float | None = None
        self._thread = threading.Thread(target=self._run, name="wsproto_sockets datagrams", daemon=True)

    def start(self) -> None:
        """Carry datagrams from now on."""
        self._thread.start()

    def _make(self, engine: DatagramPeer) -> UdpPeer:
        return UdpPeer(engine, _PeerLink(self, engine), self.socket.getsockname(), watch=self._watch)

    @property
    def statistics(self) -> ServerStatistics | DatagramStatistics:
        with self.waiters.changed:
            return super().statistics

    def now(self) -> float:
        return monotonic()

    def _run(self) -> None:
        with self.waiters.changed:
            while not self.is_lost:
                self._wait()
        self._waker.close()
        self.socket.close()

    def _wait(self) -> None:
        """Wait for the socket, the next deadline or another thread, and do what is to be done."""
        deadline = self.engine.next_deadline()
        interest, self._asleep = self._interest, float("inf") if deadline is None else deadline
        self.waiters.changed.release()
        try:
            self._waker.watch(self.socket, interest)
            ready = self._waker.wait(remaining(deadline)).get(self.socket, 0)
        finally:
            self.waiters.come_first()
            self._asleep = None
        if ready & READ:
            self.readable()
        self.expired()
        self.waiters.changed.notify_all()

    def arm(self, deadline: float | None, *, wants_write: bool) -> None:
        self._interest = READ | WRITE if wants_write else READ
        if self._asleep is not None and (wants_write or (deadline is not None and deadline < self._asleep)):
            self._waker.wake()

    def close_socket(self) -> None:
        """The thread closes it, once it has noticed."""
        self._waker.wake()

    def stop_accepting(self) -> None:
        """Let nobody else in."""
        with self.waiters.changed:
            self.engine.stop_accepting()

    def close(self) -> None:
        """Say goodbye to everybody, and close the socket."""
        with self.waiters.changed:
            self.say_goodbye()
            self.waiters.changed.notify_all()
        self._thread.join()


class _PeerLink:
    """The share of one peer in a socket."""

    log: ClassVar[Log] = Link.log

    def __init__(self, binding: _Socket, engine: DatagramPeer) -> None:
        self.lock: threading.RLock = binding.waiters.lock
        self.changed: threading.Condition = binding.waiters.changed
        self.untaken: int = 0
        self.now = binding.now
        self.until = binding.waiters.until
        self.give_way = binding.waiters.give_way
        self._binding = binding
        self._engine = engine

    def flush(self) -> None:
        """Send what the engine has to say."""
        self._binding.flush()
        if self._engine.close_report is not None:
            self.changed.notify_all()

    abort = flush_soon = flush

    def send_at_once(self, message: Message | Buffer) -> bool:
        """Send a message, if there is nothing else to do for it; return whether it was."""
        self.give_way()
        with self.lock:
            is_sent = self._engine.send_at_once(message)
            if is_sent:
                self.flush()
            return is_sent

    def read_until(self, attempt: Callable[[], _T | None], timeout: float | None = None) -> _T:
        """What :meth:`until` does: the thread reads."""
        return self._binding.waiters.until(attempt, timeout)

    def next_message(self) -> Message | None:
        """The next message, if it has come."""
        with self.lock:
            return self._engine.message_at_hand()

    def until_lost(self, timeout: float | None = None) -> None:
        """Wait until the end has been told."""
        self.until(lambda: self._engine not in self._binding.peers or None, timeout)


def connect_udp(
    host: str | None = None,
    port: int | None = None,
    codec: DatagramCodec = _DEFAULT_CODEC,
    *,
    sock: socket.socket | None = None,
    **options: Unpack[MessageOptions],
) -> UdpPeer:
    """Speak to a UDP peer: ``with connect_udp(host, port) as peer`` or ``peer = connect_udp(host, port)``.

    * ``codec``: how messages stand in datagrams, the same on both sides. By default there is a header, and the server
      is convinced of this side's address before it is open.
    * ``options``: those of :class:`MessageOptions`, as in :class:`DatagramPeer`. A datagram that a ``pipeline`` cannot
      open is dropped, and counted as malformed.
    * ``sock``: a connected UDP socket, instead of ``host`` and ``port``.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`ConnectionRefused`,
    :exc:`ConnectionTimeout` or another :exc:`ConnectionFailed` if nobody answers.
    """

    plan = UdpConnectPlan(host, port, codec, entropy=os.urandom, is_open=sock is not None, **options)

    def attempt(deadline: float | None) -> UdpPeer:
        connected = sock or connect_udp_socket(socket.getaddrinfo(plan.host, plan.port, type=socket.SOCK_DGRAM))
        engine = plan.engine(monotonic(), connected.getpeername())
        binding = _Socket(connected, LonePeer(engine))
        peer = binding.adopt(engine)
        binding.start()
        try:
            peer.link.until(peer.opening_outcome, remaining(deadline))
        except BaseException:
            peer.abort()
            raise
        return peer

    return opened_within(plan.timeout, attempt)


def serve_udp(
    handler: Callable[[UdpPeer], object],
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    codec: DatagramCodec = _DEFAULT_CODEC,
    *,
    sock: socket.socket | Sequence[socket.socket] | None = None,
    **options: Unpack[UdpServeOptions],
) -> Server[UdpPeer]:
    """Serve messages as datagrams: ``with serve_udp(handler, host, port) as server``. It runs at once, in threads of
    its own.

    * ``handler``: a function, called in a thread with a :class:`UdpPeer` for each address, which is closed when it
      returns.
    * ``codec``: as in :class:`DatagramServer`; ``options``: those of :class:`UdpServeOptions`.
    * ``host``, ``port``: where to listen; or ``sock``, one or several bound UDP sockets.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option, and :exc:`BindFailed` where it cannot listen.
    """

    check_function("handler", handler)
    plan = UdpServePlan(host, port, sock, codec, entropy=os.urandom, **options)

    def open_doors(server: Server[UdpPeer]) -> list[_Socket]:
        doors = [
            _Socket(
                one,
                plan.engine(monotonic()),
                watch=server.watch,
                arrived=lambda peer: server.admit(peer, lambda: True),
                left=server.tell,
            )
            for one in bound_sockets(plan.where, socket.SOCK_DGRAM)
        ]
        for door in doors:
            door.start()
        return doors

    return Server(open_doors, handler=handler, max_connections=None)
