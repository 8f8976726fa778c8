"""One UDP socket, many peers: whose datagram it is, who may become a peer, and when one is forgotten.

Nothing is kept for an address that has not proved itself: what is known of it stands in a cookie, which it has to bring
back. And an address that may not be the sender's is sent nothing larger than what came in its name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from .._codes import CloseCode
from .._config import Limits, Timeouts
from .._events import Accepted, Event
from .._headers import Headers
from .._types import Buffer, State
from .cookie import CookieJar
from .datagram import DatagramPeer
from .packet import DatagramCodec, Kind, encode_packet, microseconds, parse_packet
from .payload import check_goodbye
from .session import Address, check_codec
from .statistics import ServerStatistics

if TYPE_CHECKING:
    from .._pipeline.session import PipelineSession

__all__ = ["DatagramServer", "PeerEvent"]

#: An event, and whose it is.
PeerEvent: TypeAlias = tuple[DatagramPeer, Event]

_DEFAULT_CODEC: Final = DatagramCodec()
_DEFAULT_LIMITS: Final = Limits()
#: As for any connection, but that a silent address is forgotten after a minute.
_DEFAULT_TIMEOUTS: Final = Timeouts(idle_timeout=60.0)
#: Cookies that wait to leave; more are not made.
_MAX_CHALLENGES: Final = 1024
_COUNTER: Final = 0xFFFF_FFFF
#: What a stranger may begin with. To answer anything else would let two ends echo for ever.
_OPENINGS: Final = frozenset({Kind.HELLO, Kind.MESSAGE, Kind.ECHO, Kind.PING})


class DatagramServer:
    """A UDP server, without its socket. Each address that speaks to it is a :class:`DatagramPeer`, told of by
    :class:`Accepted` and, when it is over, by :class:`Closed`.

    ``entropy``: a source of unpredictable bytes, such as ``os.urandom``, for the key of the cookies. ``max_peers``:
    while there are as many, no new one is let in. ``limits`` and ``timeouts`` hold for each peer; left out,
    ``idle_timeout`` is 60 seconds, from which pings keep a silent peer with a header. ``seal`` makes a pipeline's
    session for each peer. ``now``: monotonic seconds.

    With ``codec.verify=False`` the first datagram of any address makes a peer: for networks that you trust.

    Raises :exc:`ValueError`, naming the argument.
    """

    def __init__(
        self,
        codec: DatagramCodec = _DEFAULT_CODEC,
        *,
        entropy: Callable[[int], bytes],
        max_peers: int = 1000,
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        seal: Callable[[], PipelineSession | None] = lambda: None,
        now: float,
    ) -> None:
        if max_peers < 1:
            raise ValueError(f"max_peers must be positive, not {max_peers!r}")
        check_codec(codec, seal())  # now, and not when the first peer comes
        #: How messages stand in datagrams.
        self.codec = codec
        self._entropy = entropy
        self._max_peers = max_peers
        self._limits = limits
        self._timeouts = timeouts
        self._seal = seal
        self._now = now
        self._is_accepting = True
        self._is_closed = False
        self._jar = CookieJar(entropy)
        self._peers: dict[Address, DatagramPeer] = {}
        self._statistics = ServerStatistics()
        self._socket_drops = 0
        self._challenges: deque[tuple[bytes, Address]] = deque()
        # Peers that have something to send, in the order in which they came to.
        self._talking: dict[DatagramPeer, None] = {}
        # When to look at whom, soonest first; at worst too early. The number decides between equals.
        self._deadlines: list[tuple[float, int, DatagramPeer]] = []
        self._scheduled: dict[DatagramPeer, float] = {}
        self._count = 0

    # --- in, from the world -------------------------------------------------------------------------------------------

    def receive_data(self, data: Buffer, address: Address, now: float) -> list[PeerEvent]:
        """Take one datagram from ``address``; return what it means, and for whom. Never raises for what it holds."""
        self._now = now
        data = data if type(data) is bytes else bytes(data)
        peer = self._peers.get(address)
        if not self.codec.header:
            peer, events = self._known(peer, address)
            return [] if peer is None else self._told(peer, [*events, *peer.receive_data(data, now)])
        packet = parse_packet(data)
        if packet is None or (peer is None and packet.kind not in _OPENINGS):
            self._statistics.ignored += 1
            return []
        needs_proof = self.codec.verify and (peer is None or packet.kind is Kind.HELLO)
        if needs_proof and not (packet.kind is Kind.HELLO and self._jar.is_valid(packet.body, address, now)):
            self._challenge(len(data), address)
            return []
        peer, events = self._known(peer, address)
        return [] if peer is None else self._told(peer, [*events, *peer.receive_packet(packet, len(data), now)])

    def transport_lost(self, error: BaseException | None, now: float) -> list[PeerEvent]:
        """The socket is gone, and every peer with it. ``error`` is what it complained of, if it did."""
        self._now = now
        self._is_accepting = False
        self._is_closed = True
        self._challenges.clear()
        pairs: list[PeerEvent] = []
        for peer in tuple(self._peers.values()):
            pairs += self._told(peer, peer.transport_lost(error, now))
        self._talking.clear()
        return pairs

    def handle_timeout(self, now: float) -> list[PeerEvent]:
        """Do whatever is due at ``now``. Harmless when nothing is."""
        self._now = now
        pairs: list[PeerEvent] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, _, peer = heappop(self._deadlines)
            self._scheduled.pop(peer, None)
            deadline = peer.next_deadline()
            if deadline is not None and deadline <= now:
                pairs += self._told(peer, peer.handle_timeout(now))
            else:
                self._schedule(peer)
        return pairs

    def report_socket_drops(self, total: int) -> None:
        """Report how many datagrams the socket has had no room for since it was made, modulo 2**32: what Linux tells by
        ``SO_RXQ_OVFL``. Whose they were nobody knows.
        """
        self._statistics.socket_drops += (total - self._socket_drops) & _COUNTER
        self._socket_drops = total

    # --- verbs, from the application ----------------------------------------------------------------------------------

    def stop_accepting(self) -> None:
        """Let no other peer in; those who are stay."""
        self._is_accepting = False

    def close(self, code: int = CloseCode.GOING_AWAY, reason: str = "", *, now: float | None = None) -> None:
        """Say goodbye to every peer and let no other in.

        Raises :exc:`LocalProtocolError` or :exc:`TypeError`, naming the argument, for what a close frame could not
        carry.
        """
        check_goodbye(code, reason)
        self._now = now if now is not None else self._now
        self._is_accepting = False
        self._is_closed = True
        for peer in tuple(self._peers.values()):
            peer.close(code, reason, now=self._now)

    # --- out, to the world --------------------------------------------------------------------------------------------

    def data_to_send(self, now: float | None = None) -> list[tuple[bytes, Address]]:
        """Take the datagrams that wait, each with its address. ``now`` is what their headers tell, as in
        :meth:`DatagramPeer.data_to_send`.
        """
        self._now = now if now is not None else self._now
        datagrams = list(self._challenges)
        self._challenges.clear()
        if self._talking:
            talking, self._talking = self._talking, {}
            for peer in talking:
                datagrams += [(datagram, _address(peer)) for datagram in peer.data_to_send(self._now)]
        return datagrams

    def next_deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`, in monotonic seconds; ``None`` for never. It may be too early."""
        return self._deadlines[0][0] if self._deadlines else None

    # --- predicates and facts -----------------------------------------------------------------------------------------

    @property
    def peers(self) -> Mapping[Address, DatagramPeer]:
        """The peers there are, by address: a view, which changes with them."""
        return MappingProxyType(self._peers)

    @property
    def should_abort(self) -> bool:
        """Whether to close the socket: the server has closed, every peer is gone, and nothing waits to be sent."""
        return self._is_closed and not self._peers and not self._talking and not self._challenges

    @property
    def statistics(self) -> ServerStatistics:
        """What has been counted so far, as a copy. It looks at every peer."""
        now = self._statistics
        return ServerStatistics(
            peers=len(self._peers),
            peers_total=now.peers_total,
            refused=now.refused,
            cookies_sent=now.cookies_sent,
            ignored=now.ignored,
            expected=now.expected + sum(peer.statistics.expected for peer in self._peers.values()),
            lost=now.lost + sum(peer.statistics.lost for peer in self._peers.values()),
            socket_drops=now.socket_drops,
        )

    # --- behind the face ----------------------------------------------------------------------------------------------

    def _challenge(self, size: int, address: Address) -> None:
        """Ask a stranger, who sent ``size`` bytes, to prove its address; keep nothing."""
        cookie = encode_packet(Kind.COOKIE, 0, microseconds(self._now), self._jar.cookie(address, self._now))
        if len(cookie) > size or len(self._challenges) >= _MAX_CHALLENGES or not self._is_accepting:
            self._statistics.ignored += 1
            return
        self._challenges.append((cookie, address))
        self._statistics.cookies_sent += 1

    def _known(self, peer: DatagramPeer | None, address: Address) -> tuple[DatagramPeer | None, list[Event]]:
        """The peer at ``address``, a new one if need be and there is room, and the news of it."""
        if peer is not None:
            return peer, []
        if not self._is_accepting or len(self._peers) >= self._max_peers:
            self._statistics.refused += 1
            return None, []
        peer = self._peers[address] = DatagramPeer.served(
            self.codec,
            entropy=self._entropy,
            limits=self._limits,
            timeouts=self._timeouts,
            pipeline=self._seal(),
            now=self._now,
            address=address,
            wake=self._woken,
        )
        self._statistics.peers_total += 1
        return peer, [Accepted(Headers())]

    def _woken(self, peer: DatagramPeer) -> None:
        """A peer has something to send, or to tell."""
        self._talking[peer] = None
        self._schedule(peer)

    def _told(self, peer: DatagramPeer, events: Iterable[Event]) -> list[PeerEvent]:
        """What an *in* call of ``peer`` has returned; one that is over is forgotten."""
        if peer.state is not State.CLOSED:
            self._schedule(peer)
        else:
            del self._peers[_address(peer)]
            seen = peer.statistics
            self._statistics.expected += seen.expected
            self._statistics.lost += seen.lost
        return [(peer, event) for event in events]

    def _schedule(self, peer: DatagramPeer) -> None:
        """See to it that :meth:`handle_timeout` looks at ``peer`` in time."""
        deadline = peer.next_deadline()
        if deadline is not None and deadline < self._scheduled.get(peer, float("inf")):
            self._count += 1
            self._scheduled[peer] = deadline
            heappush(self._deadlines, (deadline, self._count, peer))


def _address(peer: DatagramPeer) -> Address:
    assert peer.address is not None, "a server's peer has an address"
    return peer.address
