"""What a bridge is configured with: checked once, and handed to whatever it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from .._config import Limits, Timeouts
from .._driver.arguments import check_type
from .._driver.backoff import Backoff
from .._driver.pool_limits import PoolLimits
from .._driver.reception import Reception
from .._extensions.base import Extension
from .._handshake.proxy import Proxy
from .bridge_address import BridgeAddress, Speech
from .codec import StreamCodec
from .frames import Frames
from .packet import DatagramCodec
from .plans import UDP_SERVER_TIMEOUTS, TcpCodec

if TYPE_CHECKING:
    from .._extensions.permessage_deflate import PerMessageDeflate
    from .._pipeline.pipeline import Pipeline

__all__ = ["BridgeOptions"]

#: What each kind of connection understands, on both sides.
_UNDERSTOOD: Final = MappingProxyType(
    {
        Speech.WEBSOCKET: ("limits", "timeouts", "pipeline", "compression"),
        Speech.STREAM: ("limits", "timeouts", "pipeline", "codec"),
        Speech.DATAGRAM: ("limits", "timeouts", "pipeline", "datagram_codec"),
    }
)
_TYPES: Final = MappingProxyType(
    {
        "limits": Limits,
        "timeouts": Timeouts,
        "compression": Extension,
        "codec": StreamCodec | Frames,
        "datagram_codec": DatagramCodec,
        "proxy": Proxy | str | bool,
        "pool_limits": PoolLimits,
        "backoff": Backoff,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeOptions:
    """The configuration of a bridge. What is ``None`` is as each kind of connection has it by default.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the option.
    """

    #: For every connection.
    limits: Limits | None = None
    timeouts: Timeouts | None = None
    #: Compresses and encrypts messages, on every connection.
    pipeline: Pipeline | None = None
    #: Of WebSocket.
    compression: PerMessageDeflate | None = None
    #: How messages stand in a stream, where it is not WebSocket.
    codec: TcpCodec | None = None
    #: How messages stand in datagrams.
    datagram_codec: DatagramCodec | None = None
    #: Connections of each server at a time.
    max_connections: int | None = None
    #: Of clients over streams, as in :class:`ConnectOptions`.
    proxy: Proxy | str | bool | None = None
    #: An ``SSLContext`` for clients of ``wss://`` and ``tls://``; by default the system's authorities are trusted.
    client_tls: Any = None
    #: An ``SSLContext`` for servers of ``wss://`` and ``tls://``, which they cannot do without.
    server_tls: Any = None
    #: Connections of each pool, and how long to wait for one.
    pool_limits: PoolLimits | None = None
    #: How pools and reconnecting clients wait between attempts.
    backoff: Backoff | None = None

    def __post_init__(self) -> None:
        for name, expected in _TYPES.items():
            if (value := getattr(self, name)) is not None:
                check_type(name, value, expected)
        if self.pipeline is not None:
            from .._pipeline.pipeline import Pipeline  # who has none does not load zlib

            check_type("pipeline", self.pipeline, Pipeline)
        Reception[Any](self.max_connections)  # checks the number

    def to_connect(self, address: BridgeAddress, more: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a client for ``address``. ``more`` has the last word."""
        options = self._understood(address.speech)
        if self.proxy is not None and address.speech is not Speech.DATAGRAM and not address.is_unix:
            options["proxy"] = self.proxy
        if self.client_tls is not None and address.secure:
            options["ssl"] = self.client_tls
        return {**address.to_connect(), **options, **more}

    def to_serve(self, address: BridgeAddress, more: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a server at ``address``. ``more`` has the last word. Raises :exc:`ValueError` for TLS without
        a certificate.
        """
        options = self._understood(address.speech)
        if self.max_connections is not None:
            options["max_connections"] = self.max_connections
        if self.timeouts is not None and self.timeouts.idle_timeout is None and address.speech is Speech.DATAGRAM:
            options["timeouts"] = replace(self.timeouts, idle_timeout=UDP_SERVER_TIMEOUTS.idle_timeout)
        if address.secure:
            options["ssl"] = self.server_tls
        options = {**address.to_serve(), **options, **more}
        if address.secure and options["ssl"] is None:
            raise ValueError("server_tls must be an SSLContext: the address asks for TLS")
        return options

    def _understood(self, speech: Speech) -> dict[str, Any]:
        given = {name: value for name in _UNDERSTOOD[speech] if (value := getattr(self, name)) is not None}
        if "datagram_codec" in given:
            given["codec"] = given.pop("datagram_codec")
        return given
