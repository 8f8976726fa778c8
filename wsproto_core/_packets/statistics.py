"""What datagrams tell of the network and of this machine, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from .._driver.statistics import Statistics

__all__ = ["DatagramStatistics", "ServerStatistics"]


@dataclass(slots=True, kw_only=True)
class DatagramStatistics(Statistics):
    """Counts of one peer since it was made. Bytes are those of datagrams; ``messages_received`` are those delivered.

    Without a header only ``malformed``, ``oversized``, ``queue_drops`` and ``socket_drops`` are known.
    """

    #: Different messages that have come, or should have: a later one has, or a datagram that was sent later.
    expected: int = 0
    #: Those of them that have not come so far. A message that comes late is lost no longer.
    lost: int = 0
    #: Further copies of messages that had come. They are not delivered.
    duplicates: int = 0
    #: Messages that came after what was sent later.
    reordered: int = 0
    #: Messages more than 1024 behind, or further off, of which nobody knows whether they are new. Not delivered.
    stale: int = 0
    #: The mean deviation of transit times, smoothed, in seconds (RFC 3550 §6.4.1).
    jitter: float = 0.0
    #: Datagrams that were none of ours, not UTF-8 where text was agreed on, or not to be opened by the pipeline.
    malformed: int = 0
    #: Messages larger than ``Limits.message_size``. Not delivered.
    oversized: int = 0
    #: Messages that the receive queue gave up.
    queue_drops: int = 0
    #: Datagrams that the socket had no room for, as the adapter reports them; with a server, to the server only.
    socket_drops: int = 0

    @property
    def loss(self) -> float:
        """``lost`` as a part of ``expected``, 0 to 1."""
        return self.lost / self.expected if self.expected else 0.0

    @property
    def lost_in_network(self) -> int:
        """Lost messages that this machine's socket does not account for."""
        return max(0, self.lost - self.socket_drops)


@dataclass(slots=True, kw_only=True)
class ServerStatistics:
    """Counts of a server since it was made, its peers of the past included."""

    #: Peers now, and ever.
    peers: int = 0
    peers_total: int = 0
    #: New peers turned away because there were ``max_peers``, or the server had closed.
    refused: int = 0
    #: Cookies sent to addresses that had not proved themselves.
    cookies_sent: int = 0
    #: Datagrams that led to nothing: not ours, from an address without a peer, or one challenge too many.
    ignored: int = 0
    #: Sums over the peers, and what the socket had no room for.
    expected: int = 0
    lost: int = 0
    socket_drops: int = 0

    @property
    def lost_in_network(self) -> int:
        """Lost messages that this machine's socket does not account for."""
        return max(0, self.lost - self.socket_drops)
