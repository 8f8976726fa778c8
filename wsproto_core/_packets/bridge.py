"""What the bridges of all adapters share: the configuration, what makes each kind of connection, and the count of all.

What an adapter brings is its :class:`BridgeDoors`, and a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from .._driver.metrics import MemoryMetrics, Metrics
from .._driver.pool_base import PoolBase
from .._driver.tally import Clients, Countable, Tally
from .._errors import ConnectionFailed
from .bridge_address import BridgeAddress, Speech, parse_address
from .bridge_options import BridgeOptions

__all__ = ["BridgeBase", "BridgeDoors", "Counting"]

_P = TypeVar("_P", bound=Countable)


class Counting(Protocol):
    """A running server."""

    @property
    def tally(self) -> Tally: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeDoors:
    """What an adapter makes connections with. For authors of adapters.

    ``default_tls`` makes an ``SSLContext`` for clients that were given none. ``now`` tells monotonic seconds, and
    ``memory`` how many bytes the process has now and had at the most.
    """

    connect: Callable[..., Any]
    connect_tcp: Callable[..., Any]
    connect_udp: Callable[..., Any]
    serve: Callable[..., Any]
    serve_tcp: Callable[..., Any]
    serve_udp: Callable[..., Any]
    pool: Callable[..., Any]
    reconnect: Callable[..., Any]
    default_tls: Callable[[], Any]
    now: Callable[[], float]
    memory: Callable[[], tuple[int, int] | None]

    def connector(self, speech: Speech) -> Callable[..., Any]:
        """What connects where ``speech`` is spoken."""
        return {
            Speech.WEBSOCKET: self.connect,
            Speech.STREAM: self.connect_tcp,
            Speech.DATAGRAM: self.connect_udp,
        }[speech]

    def server(self, speech: Speech) -> Callable[..., Any]:
        """What serves where ``speech`` is to be spoken."""
        return {Speech.WEBSOCKET: self.serve, Speech.STREAM: self.serve_tcp, Speech.DATAGRAM: self.serve_udp}[speech]


class BridgeBase(Generic[_P]):
    """The part of a bridge that no runtime changes. For authors of adapters.

    ``started_at``: Unix time. ``lock``: held while its counts are read or changed, where there are threads.
    """

    def __init__(
        self,
        doors: BridgeDoors,
        options: BridgeOptions,
        *,
        started_at: float,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        #: The configuration.
        self.options: BridgeOptions = options
        self._doors = doors
        self._lock: AbstractContextManager[Any] = nullcontext() if lock is None else lock
        self._clients = Clients[_P]()
        self._servers: list[Counting] = []
        # What servers have counted that are closed.
        self._past = Tally()
        self._started_at = started_at
        self._began = doors.now()

    @property
    def metrics(self) -> Metrics:
        """What all connections have counted up to now. Costs a look at each that is there."""
        with self._lock:
            tally = self._clients.counted()
            for counted in (*self._let_go(), self._past):  # in this order: what is let go is of the past
                tally.include(counted)
        memory = self._doors.memory()
        return Metrics.of(
            tally,
            started_at=self._started_at,
            uptime=self._doors.now() - self._began,
            memory=None if memory is None else MemoryMetrics(now=memory[0], peak=memory[1]),
        )

    # --- for those who make connections -------------------------------------------------------------------------------

    def _connector(self, address: str, more: dict[str, Any]) -> Any:
        """What the adapter connects with: the options are checked by it at once."""
        where = parse_address(address)
        return self._doors.connector(where.speech)(**self._client_options(where, more))

    def _server(self, address: str, handler: Any, more: dict[str, Any]) -> Any:
        """What the adapter serves with: the options are checked by it at once."""
        where = parse_address(address)
        return self._doors.server(where.speech)(handler, **self.options.to_serve(where, more))

    def _pool(self, address: str, more: dict[str, Any]) -> Any:
        where = _websocket("pool", address)
        if self.options.pool_limits is not None:
            more = {"pool_limits": self.options.pool_limits, **more}
        pool: PoolBase[Any] = self._doors.pool(**self._lasting_options(where, more))
        pool.on_opened, pool.on_failed = self._opened, self._failed
        return pool

    def _reconnect(self, address: str, more: dict[str, Any]) -> Any:
        where = _websocket("client that comes back", address)
        return self._doors.reconnect(**self._lasting_options(where, more))

    def _client_options(self, where: BridgeAddress, more: dict[str, Any]) -> dict[str, Any]:
        options = self.options.to_connect(where, more)
        if where.secure and where.speech is Speech.STREAM and options.get("ssl") is None:
            options["ssl"] = self._doors.default_tls()
        return options

    def _lasting_options(self, where: BridgeAddress, more: dict[str, Any]) -> dict[str, Any]:
        if self.options.backoff is not None:
            more = {"backoff": self.options.backoff, **more}
        return self.options.to_connect(where, more)

    # --- counting -----------------------------------------------------------------------------------------------------

    def _opened(self, peer: _P) -> None:
        with self._lock:
            self._clients.opened(peer)

    def _failed(self, error: Exception) -> None:
        with self._lock:
            self._clients.failed(error)

    @contextmanager
    def _attempt(self) -> Generator[None]:
        """An attempt to connect: it counts if it fails."""
        try:
            yield
        except ConnectionFailed as error:
            self._failed(error)
            raise

    def _started(self, server: Counting) -> None:
        with self._lock:
            self._let_go()
            self._servers.append(server)

    def _let_go(self) -> list[Tally]:
        """Take over what servers have counted that are closed; return what the others have."""
        present = [(server, server.tally) for server in self._servers]
        self._servers = [server for server, tally in present if not tally.is_final]
        for _, tally in present:
            if tally.is_final:
                self._past.include(tally)
        return [tally for _, tally in present if not tally.is_final]


def _websocket(name: str, address: str) -> BridgeAddress:
    where = parse_address(address)
    if where.speech is not Speech.WEBSOCKET:
        raise ValueError(f"address of a {name} must be one of WebSocket")
    return where
