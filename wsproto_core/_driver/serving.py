"""What ``serve()`` of every adapter was asked for: checked once, and turned into engines."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from .._config import Limits, Timeouts
from .._handshake.policy import OriginRule, ServerPolicy
from .._handshake.proxy_protocol import ProxiedFrom, TrustedProxies
from .._types import Receive, Role
from .introduction import IntroductionStep, introduce
from .recorder import Recorder, attaching
from .sealing import sessions, wire_limits
from .server import ServerConnection

if TYPE_CHECKING:
    from .._extensions.base import Extension
    from .._extensions.permessage_deflate import PerMessageDeflate
    from .._pipeline.pipeline import Pipeline

__all__ = ["ListenPlan", "ServePlan", "StreamServePlan"]

_E = TypeVar("_E", covariant=True)

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenPlan:
    """Where a server listens, and whose word it takes for who connects. For authors of adapters, whose ``serve()``
    documents the options.

    One of ``port``, ``sock`` (one or several, bound or listening) and ``unix_path``. Raises :exc:`ValueError` or
    :exc:`TypeError`.
    """

    host: str | Sequence[str] | None = None
    port: int | None = None
    #: One socket, or several.
    sock: Any = None
    unix_path: str | PathLike[str] | None = None
    backlog: int = 1024
    reuse_port: bool = False
    #: The proxies that introduce their clients.
    proxied_by: Sequence[str] = ()
    _trusted: TrustedProxies = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_trusted", TrustedProxies(self.proxied_by))  # it is frozen
        if (self.port is not None) + (self.sock is not None) + (self.unix_path is not None) != 1:
            raise ValueError("give one of port, sock and unix_path")
        if self.sock is not None and not self.sockets:
            raise ValueError("sock must be a socket or a sequence of at least one")
        if self.reuse_port and self.port is None:
            raise ValueError("reuse_port needs port")

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The sockets that were handed in."""
        if self.sock is None:
            return ()
        several = isinstance(self.sock, Sequence)
        return tuple(self.sock) if several else (self.sock,)

    @property
    def path(self) -> str | None:
        """The Unix socket to make."""
        return None if self.unix_path is None else fspath(self.unix_path)

    @property
    def hosts(self) -> tuple[str | None, ...]:
        """The names and addresses to listen at; ``None`` is every address of this machine."""
        return (self.host,) if self.host is None or isinstance(self.host, str) else tuple(self.host)

    def needs_introduction(self, address: Any, *, secure: bool) -> bool:
        """Whether there is a step to take with whoever connects from ``address``; nearly always there is none."""
        return secure or self._trusted.trusts(address)

    def introduction(self, address: Any, *, secure: bool) -> Generator[IntroductionStep, bytes, ProxiedFrom | None]:
        """The steps with whoever connects from ``address``, as ``getpeername`` tells it; see :func:`introduce`."""
        return introduce(self._trusted, address, secure=secure)


class StreamServePlan(Protocol[_E]):
    """What serves connections over streams, of whatever kind."""

    @property
    def where(self) -> ListenPlan:
        """Where to listen."""
        ...

    @property
    def opening_timeout(self) -> float | None:
        """Seconds that everything up to the end of the opening handshake may take; ``None`` for no limit."""
        ...

    def engine(self, now: float) -> _E:
        """A fresh engine for a connection that came ``now``."""
        ...


class ServePlan:
    """What a WebSocket server offers, as engines. For authors of adapters, whose ``serve()`` documents the options.

    The options are :class:`ServeOptions`. Raises :exc:`ValueError` or :exc:`TypeError`, naming the option: at once, and
    not for every connection.
    """

    # budget: one parameter a line
    def __init__(
        self,
        host: str | Sequence[str] | None,
        port: int | None,
        sock: Any,
        *,
        entropy: Callable[[int], bytes],
        unix_path: str | PathLike[str] | None = None,
        backlog: int = 1024,
        reuse_port: bool = False,
        proxied_by: Sequence[str] = (),
        origins: Sequence[OriginRule] | None = None,
        hosts: Sequence[str] | None = None,
        subprotocols: Sequence[str] | Callable[[tuple[str, ...]], str | None] = (),
        compression: PerMessageDeflate | None = None,
        extensions: Sequence[Extension] = (),
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        receive: Receive = Receive.MESSAGES,
        pipeline: Pipeline | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.where: ListenPlan = ListenPlan(
            host=host,
            port=port,
            sock=sock,
            unix_path=unix_path,
            backlog=backlog,
            reuse_port=reuse_port,
            proxied_by=proxied_by,
        )
        self.opening_timeout: float | None = timeouts.opening_timeout
        self._seal = sessions(pipeline, Role.SERVER, entropy, limits, ordered=True)
        known = [*extensions, *([compression] if compression is not None else [])]
        self._policy = ServerPolicy(
            origins=origins,
            hosts=hosts,
            subprotocols=subprotocols,
            extensions=known,
            limits=wire_limits(limits, self._seal()),
        )
        self._timeouts = timeouts
        self._receive = receive
        self._attach = attaching(
            recorder, limits=limits, timeouts=timeouts, extensions=known, sealed=pipeline is not None
        )
        self.engine(0.0)

    def engine(self, now: float) -> ServerConnection:
        """A fresh engine for a new connection."""
        engine = ServerConnection.by_policy(self._policy, self._timeouts, self._receive, self._seal(), now)
        if self._attach is not None:
            self._attach(engine, now=now)
        return engine
