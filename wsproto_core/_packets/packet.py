"""What a datagram holds: the codec of UDP, and the optional header (network byte order).

====== ==================== ==========================================================================================
bytes  field                meaning
====== ==================== ==========================================================================================
0      version and kind     the high four bits are the version, 1; the low four are a :class:`Kind`
1-4    sequence number      of a message; any other datagram tells the number that the next message will have
5-8    timestamp            the sender's clock as the datagram left, in microseconds modulo 2**32
9-12   echo                 ``ECHO`` only: the timestamp of the latest message received
13-16  held                 ``ECHO`` only: microseconds since that one came
====== ==================== ==========================================================================================

Behind it: the message (``MESSAGE``, ``ECHO``), 4 bytes to recognise (``PING``, ``PONG``), 16 bytes of token (``HELLO``,
``COOKIE``, ``WELCOME``, ``GOODBYE``), and behind the token of ``GOODBYE`` what a close frame holds (RFC 6455 §5.5.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique
from struct import Struct
from typing import Final, NamedTuple

from .._codes import is_wire_code
from .._types import MAX_CONTROL_PAYLOAD, Drop
from .._wire.close_payload import decode_close_payload

__all__ = [
    "TOKEN_SIZE",
    "DatagramCodec",
    "Kind",
    "Packet",
    "encode_packet",
    "microseconds",
    "parse_goodbye",
    "parse_packet",
]

TOKEN_SIZE: Final = 16
_PING_SIZE: Final = 4
_VERSION: Final = 0x10
_HEADER: Final = Struct("!BII")
_ECHO: Final = Struct("!II")
_CLOCK: Final = 0xFFFF_FFFF
#: What IPv4 has room for: 65 535 less its own header and that of UDP.
_MAX_DATAGRAM_SIZE: Final = 65_507


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramCodec:
    """How messages stand in datagrams, one in each. Both sides need the same ``header``, ``verify`` and ``text``.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument.
    """

    #: 9 bytes (17 where a timestamp is echoed) before each message, by which loss, duplicates, reordering, jitter and
    #: round trips are measured, duplicates dropped, and pings and goodbyes possible. Without it, datagram and message
    #: are the same.
    header: bool = True
    #: A client proves that it receives what is sent to its address before a server keeps anything for it. That takes
    #: two round trips, and the header.
    verify: bool = True
    #: Whether messages are text: received as ``str``; a datagram that is not UTF-8 is malformed.
    text: bool = False
    #: The largest datagram to send, header included, in bytes. By default what IPv4 can carry at all; 1200 goes
    #: through nearly every network in one piece.
    datagram_size: int = _MAX_DATAGRAM_SIZE
    #: What a full receive queue (``Limits.inbox_size``) gives up.
    drop: Drop = Drop.OLDEST

    def __post_init__(self) -> None:
        if self.verify and not self.header:
            raise ValueError(
                "verify needs the header: header=False goes with verify=False, for networks that you trust"
            )
        if type(self.datagram_size) is not int:  # pyright: ignore[reportUnnecessaryIsInstance]  # not all callers check types
            raise TypeError(f"datagram_size must be an integer, not {self.datagram_size!r}")
        if not 64 <= self.datagram_size <= _MAX_DATAGRAM_SIZE:
            raise ValueError(f"datagram_size must be from 64 to {_MAX_DATAGRAM_SIZE}, not {self.datagram_size!r}")
        if not isinstance(self.drop, Drop):  # pyright: ignore[reportUnnecessaryIsInstance]  # not all callers check types
            raise TypeError(f"drop must be a Drop, not {self.drop!r}")

    @property
    def max_payload(self) -> int:
        """Bytes of the largest message that may be sent."""
        return self.datagram_size - (_HEADER.size + _ECHO.size if self.header else 0)


@unique
class Kind(IntEnum):
    """What a datagram with a header is."""

    #: A message.
    MESSAGE = 0
    #: A message that echoes a timestamp.
    ECHO = 1
    #: Answered by a pong with the same four bytes, at once.
    PING = 2
    PONG = 3
    #: A client wants to speak; the token is the cookie, or zeros while it has none.
    HELLO = 4
    #: A server that keeps nothing asks for a hello with this cookie.
    COOKIE = 5
    #: A server answers a hello with its own token: it will listen now.
    WELCOME = 6
    #: It is over. Whoever does not know the token cannot say so.
    GOODBYE = 7


#: By the number that a header tells.
_KINDS: Final[tuple[Kind, ...]] = tuple(Kind)
_MESSAGES: Final = frozenset({Kind.MESSAGE, Kind.ECHO})


class Packet(NamedTuple):
    """A datagram with a header. ``bytes`` on the wire: :meth:`encode`."""

    kind: Kind
    sequence: int
    timestamp: int
    body: bytes = b""
    #: Echoed timestamp, and how long it was held, in microseconds. With ``Kind.ECHO`` only.
    echo: tuple[int, int] | None = None

    @property
    def is_message(self) -> bool:
        """Whether ``body`` is a message."""
        return self.kind in _MESSAGES

    def encode(self) -> bytes:
        """The datagram."""
        return encode_packet(*self)


def encode_packet(
    kind: Kind, sequence: int, timestamp: int, body: bytes = b"", echo: tuple[int, int] | None = None
) -> bytes:
    """The datagram that a :class:`Packet` of the same would be."""
    header = _HEADER.pack(_VERSION | kind, sequence & _CLOCK, timestamp)
    return header + body if echo is None else header + _ECHO.pack(*echo) + body


def parse_packet(data: bytes) -> Packet | None:
    """The packet that ``data`` is; ``None`` if it is none, which never is more than a reason to drop it."""
    if len(data) < _HEADER.size:
        return None
    first, sequence, timestamp = _HEADER.unpack_from(data)
    number: int = first - _VERSION
    if not 0 <= number < len(_KINDS):
        return None
    kind = _KINDS[number]
    if kind is not Kind.ECHO:
        body = data[_HEADER.size :]
        return Packet(kind, sequence, timestamp, body) if _fits(kind, len(body)) else None
    if len(data) < _HEADER.size + _ECHO.size:
        return None
    echo = _ECHO.unpack_from(data, _HEADER.size)
    return Packet(kind, sequence, timestamp, data[_HEADER.size + _ECHO.size :], (echo[0], echo[1]))


def parse_goodbye(body: bytes) -> tuple[bytes, int, str] | None:
    """Token, code (1005 if there is none) and reason of a goodbye; ``None`` for what no close frame may hold."""
    token, payload = body[:TOKEN_SIZE], body[TOKEN_SIZE:]
    if payload and (len(payload) < 2 or not is_wire_code(int.from_bytes(payload[:2], "big"))):
        return None
    try:
        return token, *decode_close_payload(payload)
    except UnicodeDecodeError:
        return None


def microseconds(seconds: float) -> int:
    """A time as headers tell it."""
    return int(seconds * 1_000_000) & _CLOCK


def _fits(kind: Kind, size: int) -> bool:
    """Whether the body of a ``kind`` may have ``size`` bytes."""
    if kind is Kind.MESSAGE:
        return True
    if kind in (Kind.PING, Kind.PONG):
        return size == _PING_SIZE
    if kind is Kind.GOODBYE:
        return TOKEN_SIZE <= size <= TOKEN_SIZE + MAX_CONTROL_PAYLOAD
    return size == TOKEN_SIZE
