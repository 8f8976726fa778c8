"""What ``connect_tcp()``, ``serve_tcp()``, ``connect_udp()`` and ``serve_udp()`` of every adapter were asked for:
checked once, and turned into engines.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .._config import Limits, Timeouts
from .._driver.arguments import check_type
from .._driver.dialing import Step, dial
from .._driver.options import ListenOptions, MessageOptions
from .._driver.sealing import sessions
from .._driver.serving import ListenPlan
from .._handshake.proxy import Proxy, choose_proxy
from .._handshake.uri import Uri
from .._types import Role
from .codec import StreamCodec
from .datagram import DatagramPeer
from .frames import Frames, FramesConnection
from .packet import DatagramCodec
from .server import DatagramServer
from .session import Address
from .stream import StreamConnection

if TYPE_CHECKING:
    from .._pipeline.pipeline import Pipeline

__all__ = [
    "TcpCodec",
    "TcpConnectOptions",
    "TcpConnectPlan",
    "TcpEngine",
    "TcpServeOptions",
    "TcpServePlan",
    "UdpConnectPlan",
    "UdpServeOptions",
    "UdpServePlan",
]

#: How messages stand on the wire of a TCP connection; both sides need the same.
TcpCodec: TypeAlias = StreamCodec | Frames
TcpEngine: TypeAlias = StreamConnection | FramesConnection

_MAX_PORT: Final = 65535
_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()
#: As for any connection, but that a silent address is forgotten after a minute.
UDP_SERVER_TIMEOUTS: Final = Timeouts(idle_timeout=60.0)


class TcpConnectOptions(MessageOptions, total=False):
    """Options of ``connect_tcp()``."""

    #: As in :class:`ConnectOptions`.
    proxy: Proxy | str | bool | None
    #: The name to verify and to send as SNI, if not the host.
    server_hostname: str | None
    #: A Unix socket to use instead of host and port.
    unix_path: str | PathLike[str] | None


class TcpServeOptions(MessageOptions, ListenOptions, total=False):
    """Options of ``serve_tcp()``."""


class UdpServeOptions(MessageOptions, total=False):
    """Options of ``serve_udp()``. ``timeouts`` are those of :class:`DatagramServer` by default."""

    #: Whether several processes may have the same port (``SO_REUSEPORT``); ``False`` by default.
    reuse_port: bool
    #: Peers of each socket at a time, 1000 by default; no new one gets in beyond it.
    max_connections: int


class _TcpPlan:
    """Engines of one side, all alike."""

    def __init__(
        self,
        role: Role,
        codec: TcpCodec,
        *,
        entropy: Callable[[int], bytes],
        limits: Limits,
        timeouts: Timeouts,
        pipeline: Pipeline | None,
    ) -> None:
        check_type("codec", codec, StreamCodec | Frames)
        self._role = role
        self._codec = codec
        self._entropy = entropy
        self._limits = limits
        self._timeouts = timeouts
        self._seal = sessions(pipeline, role, entropy, limits, ordered=True)
        self.engine(0.0)

    def engine(self, now: float) -> TcpEngine:
        """A fresh engine for a new connection."""
        codec = self._codec
        if isinstance(codec, StreamCodec):
            return StreamConnection(codec, limits=self._limits, timeouts=self._timeouts, pipeline=self._seal(), now=now)
        return FramesConnection(
            self._role,
            extensions=codec.extensions,
            masked=codec.masked,
            entropy=self._entropy,
            limits=self._limits,
            timeouts=self._timeouts,
            fragment_size=codec.fragment_size,
            pipeline=self._seal(),
            now=now,
        )


class TcpServePlan(_TcpPlan):
    """What a TCP server speaks. For authors of adapters, whose ``serve_tcp()`` documents the options.

    The options are :class:`TcpServeOptions`. Raises :exc:`ValueError` or :exc:`TypeError`, naming the option.
    """

    # budget: one parameter a line
    def __init__(
        self,
        host: str | Sequence[str] | None,
        port: int | None,
        sock: Any,
        codec: TcpCodec,
        *,
        entropy: Callable[[int], bytes],
        unix_path: str | PathLike[str] | None = None,
        backlog: int = 1024,
        reuse_port: bool = False,
        proxied_by: Sequence[str] = (),
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        pipeline: Pipeline | None = None,
    ) -> None:
        super().__init__(Role.SERVER, codec, entropy=entropy, limits=limits, timeouts=timeouts, pipeline=pipeline)
        self.where: ListenPlan = ListenPlan(
            host=host,
            port=port,
            sock=sock,
            unix_path=unix_path,
            backlog=backlog,
            reuse_port=reuse_port,
            proxied_by=proxied_by,
        )
        #: Seconds that a PROXY header and TLS may take; ``None`` for no limit.
        self.opening_timeout: float | None = timeouts.opening_timeout


class TcpConnectPlan(_TcpPlan):
    """Where to connect to, how, and what to speak there. For authors of adapters, whose ``connect_tcp()`` documents the
    options.

    One of ``host`` with ``port``, ``unix_path``, and a stream that ``is_open``. ``environment`` is where ``proxy=True``
    looks for the ``*_proxy`` variables; ``secure`` asks for TLS. The others are :class:`TcpConnectOptions`. Raises
    :exc:`ValueError` or :exc:`TypeError`, naming the option.
    """

    # budget: one parameter a line
    def __init__(
        self,
        host: str | None,
        port: int | None,
        codec: TcpCodec,
        *,
        entropy: Callable[[int], bytes],
        environment: Mapping[str, str],
        secure: bool,
        is_open: bool = False,
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        pipeline: Pipeline | None = None,
        proxy: Proxy | str | bool | None = None,
        server_hostname: str | None = None,
        unix_path: str | PathLike[str] | None = None,
    ) -> None:
        super().__init__(Role.CLIENT, codec, entropy=entropy, limits=limits, timeouts=timeouts, pipeline=pipeline)
        is_direct = is_open or unix_path is not None
        if is_direct + (port is not None or host is not None) != 1:
            raise ValueError("give host and port, or one of sock and unix_path")
        if server_hostname is not None and not secure:
            raise ValueError("server_hostname needs ssl")
        if is_direct and secure and server_hostname is None:
            raise ValueError("ssl over sock or unix_path needs server_hostname")
        #: Seconds that everything up to the open connection may take; ``None`` for no limit.
        self.timeout: float | None = timeouts.opening_timeout
        self._where = (
            _destination(server_hostname or "localhost", 1, secure) if is_direct else _destination(host, port, secure)
        )
        self._proxy = None if is_direct else choose_proxy(proxy, self._where, environment)
        self._server_hostname = server_hostname
        self._unix_path = None if unix_path is None else fspath(unix_path)
        self._is_open = is_open
        self.steps()

    def steps(self) -> Generator[Step, bytes, bytes]:
        """The steps to an open stream; see :func:`dial`."""
        return dial(
            self._where,
            proxy=self._proxy,
            unix_path=self._unix_path,
            is_open=self._is_open,
            server_hostname=self._server_hostname,
            limits=self._limits,
        )


class UdpServePlan:
    """What a UDP server speaks. For authors of adapters, whose ``serve_udp()`` documents the options.

    The options are :class:`UdpServeOptions`. Raises :exc:`ValueError` or :exc:`TypeError`, naming the option.
    """

    # budget: one parameter a line
    def __init__(
        self,
        host: str | Sequence[str] | None,
        port: int | None,
        sock: Any,
        codec: DatagramCodec,
        *,
        entropy: Callable[[int], bytes],
        reuse_port: bool = False,
        max_connections: int = 1000,
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = UDP_SERVER_TIMEOUTS,
        pipeline: Pipeline | None = None,
    ) -> None:
        check_type("codec", codec, DatagramCodec)
        if max_connections < 1:
            raise ValueError(f"max_connections must be positive, not {max_connections!r}")
        #: Where to listen.
        self.where: ListenPlan = ListenPlan(host=host, port=port, sock=sock, reuse_port=reuse_port)
        self._make = partial(
            DatagramServer,
            codec,
            entropy=entropy,
            max_peers=max_connections,
            limits=limits,
            timeouts=timeouts,
            seal=sessions(pipeline, Role.SERVER, entropy, limits, ordered=False),
        )
        self.engine(0.0)

    def engine(self, now: float) -> DatagramServer:
        """A fresh engine for a socket."""
        return self._make(now=now)


class UdpConnectPlan:
    """Whom to speak to, and how. For authors of adapters, whose ``connect_udp()`` documents the options.

    ``host`` and ``port``, or a connected socket, which ``is_open``. Raises :exc:`ValueError` or :exc:`TypeError`,
    naming the option.
    """

    def __init__(
        self,
        host: str | None,
        port: int | None,
        codec: DatagramCodec,
        *,
        entropy: Callable[[int], bytes],
        is_open: bool = False,
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        pipeline: Pipeline | None = None,
    ) -> None:
        check_type("codec", codec, DatagramCodec)
        if is_open + (port is not None or host is not None) != 1:
            raise ValueError("give host and port, or sock")
        if not is_open:
            _destination(host, port, secure=False)
        #: Whom to connect the socket to.
        self.host: str | None = host
        self.port: int | None = port
        #: Seconds that the name look-up may take, and then the proof of the address; ``None`` for no limit.
        self.timeout: float | None = timeouts.opening_timeout
        self._seal = sessions(pipeline, Role.CLIENT, entropy, limits, ordered=False)
        self._make = partial(DatagramPeer, codec, entropy=entropy, limits=limits, timeouts=timeouts)
        self.engine(0.0, "")

    def engine(self, now: float, address: Address) -> DatagramPeer:
        """A fresh engine for the socket that is connected to ``address``."""
        return self._make(pipeline=self._seal(), now=now, address=address)


def _destination(host: str | None, port: int | None, secure: bool) -> Uri:
    """``host`` and ``port`` in the form that :func:`dial` takes, checked."""
    if not isinstance(host, str) or not isinstance(port, int):
        raise TypeError(f"host must be str and port int, not {type(host).__name__} and {type(port).__name__}")
    if not host or any(character.isspace() for character in host):
        raise ValueError("host must be a name or an address")
    if not 0 < port <= _MAX_PORT:
        raise ValueError(f"port must be between 1 and {_MAX_PORT}, not {port!r}")
    return Uri(secure=secure, host=host, port=port, target="/")
