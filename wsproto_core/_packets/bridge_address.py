"""Where a bridge connects to or listens, and what is spoken there: one string for every kind of connection.

What lives here is the scheme and what it stands for. A ``ws://`` URI to connect to is taken apart by ``connect()``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, unique
from types import MappingProxyType
from typing import Any, Final

from .._driver.arguments import check_type
from .._handshake.uri import DEFAULT_PORTS, parse_authority

__all__ = ["BridgeAddress", "Speech", "parse_address"]


@unique
class Speech(Enum):
    """What is spoken at an address."""

    #: WebSocket.
    WEBSOCKET = "websocket"
    #: Messages in a stream of bytes.
    STREAM = "stream"
    #: Messages in datagrams.
    DATAGRAM = "datagram"


#: What each scheme stands for: what is spoken, whether over TLS, whether by a Unix socket.
_SCHEMES: Final = MappingProxyType(
    {
        "ws": (Speech.WEBSOCKET, False, False),
        "wss": (Speech.WEBSOCKET, True, False),
        "ws+unix": (Speech.WEBSOCKET, False, True),
        "tcp": (Speech.STREAM, False, False),
        "tls": (Speech.STREAM, True, False),
        "unix": (Speech.STREAM, False, True),
        "udp": (Speech.DATAGRAM, False, False),
    }
)
#: What a WebSocket client says to a server behind a Unix socket.
_UNIX_URI: Final = "ws://localhost/"


@dataclass(frozen=True, slots=True)
class BridgeAddress:
    """An address whose scheme is known. The rest is looked at by whoever connects or listens."""

    speech: Speech
    secure: bool
    is_unix: bool
    #: It may hold a password.
    text: str = field(repr=False)

    def to_connect(self) -> dict[str, Any]:
        """The arguments of ``connect()``, ``connect_tcp()`` or ``connect_udp()`` that say where. Raises
        :exc:`ValueError`.
        """
        if self.is_unix:
            path: dict[str, Any] = {"unix_path": self._path()}
            return {"uri": _UNIX_URI, **path} if self.speech is Speech.WEBSOCKET else path
        return {"uri": self.text} if self.speech is Speech.WEBSOCKET else self._host_and_port()

    def to_serve(self) -> dict[str, Any]:
        """The arguments of ``serve()``, ``serve_tcp()`` or ``serve_udp()`` that say where. Raises :exc:`ValueError`."""
        return {"unix_path": self._path()} if self.is_unix else self._host_and_port()

    def _path(self) -> str:
        path = self._rest()
        if not path.startswith("/"):
            raise ValueError("address of a Unix socket must have an absolute path: unix:///run/app.sock")
        return path

    def _host_and_port(self) -> dict[str, Any]:
        authority, _, path = self._rest().partition("/")
        if path:
            raise ValueError("address must end behind the port: what a path means is up to process_request and handler")
        try:
            host, port = parse_authority(authority)
        except ValueError as error:
            raise ValueError(f"address has no valid host and port: {error}") from None
        if port is None:
            port = DEFAULT_PORTS.get(self._scheme())
        if port is None:
            raise ValueError(f"address must have a port: {self._scheme()}://host:port")
        return {"host": host, "port": port}

    def _scheme(self) -> str:
        return self.text.partition("://")[0].lower()

    def _rest(self) -> str:
        return self.text.partition("://")[2]


def parse_address(address: str) -> BridgeAddress:
    """``ws://``, ``wss://``, ``ws+unix://``, ``tcp://``, ``tls://``, ``unix://`` or ``udp://`` and what follows.

    Raises :exc:`ValueError` or :exc:`TypeError` whose text names ``address`` and never shows it.
    """
    check_type("address", address, str)
    scheme, separator, _ = address.partition("://")
    known = _SCHEMES.get(scheme.lower())
    if not separator or known is None:
        raise ValueError(f"address must begin with one of {', '.join(f'{name}://' for name in _SCHEMES)}")
    return BridgeAddress(*known, address)
