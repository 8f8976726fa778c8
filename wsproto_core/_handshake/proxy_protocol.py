"""Behind a proxy that speaks the PROXY protocol, versions 1 and 2: who the client is, told before anything else.

:func:`read_proxy_header` is a conversation: it yields how many bytes it wants and is sent what came. It never wants a
byte from behind the header, so what follows, TLS perhaps, still lies untouched in the socket::

    conversation = trusted.introduction(sock.getpeername())
    try:
        size = next(conversation)
        while True:
            size = conversation.send(sock.recv(size))
    except StopIteration as done:
        proxied = done.value

Whether there must be a header is decided by the address that connects, :class:`TrustedProxies`, and never guessed from
what comes: that would let any client choose its address (§2). Sections are those of HAProxy's ``proxy-protocol.txt``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from .._errors import RemoteProtocolError
from .._violations import Violation

__all__ = ["ProxiedAddress", "ProxiedFrom", "TrustedProxies", "read_proxy_header"]

#: Host and port, or the path of a Unix socket (empty for one without a name).
ProxiedAddress: TypeAlias = tuple[str, int] | str

#: Whoever comes by a Unix socket, among the names of those who are trusted.
_UNIX: Final = "unix:"

_VERSION_1: Final = b"PROXY "
_VERSION_2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
#: ``PROXY UNKNOWN`` and its line's end. Every header of version 2 is longer.
_SHORTEST: Final = 15
#: The worst case of version 1 (§2.1).
_LINE_SIZE: Final = 107
_HEAD_SIZE: Final = 16
#: Addresses and TLVs of version 2: room for every registered TLV, and less than what an HTTP header may have.
_BODY_SIZE: Final = 4096
_TCP_LINE: Final = re.compile(
    rb"PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n"
)
_UNKNOWN_LINE: Final = re.compile(rb"PROXY UNKNOWN( [^\r\n]*)?\r\n")
_SPACES_IN_TCP_LINE: Final = 5
#: Bytes of an address, by the byte for family and protocol: streams over IPv4, IPv6 and Unix sockets (§2.2).
_ADDRESS_SIZES: Final = MappingProxyType({0x11: 4, 0x21: 16, 0x31: 108})
_UNIX_STREAM: Final = 0x31
_LAST_FAMILY: Final = 3
_LAST_PROTOCOL: Final = 2

_ALPN: Final = 0x01
_AUTHORITY: Final = 0x02
_CRC32C: Final = 0x03
_UNIQUE_ID: Final = 0x05
_TLS: Final = 0x20
#: Castagnoli's polynomial, bits reversed (RFC 9260, appendix A).
_POLYNOMIAL: Final = 0x82F63B78


@dataclass(frozen=True, slots=True)
class ProxiedFrom:
    """What a proxy tells of the connection that it carries."""

    #: The client. ``None`` if the proxy speaks for itself (a health check) or does not know: then the addresses of the
    #: connection itself are right.
    source: ProxiedAddress | None = None
    #: What the client connected to.
    destination: ProxiedAddress | None = None
    #: Type and value of everything else that version 2 tells, in its order, as it came.
    tlvs: tuple[tuple[int, bytes], ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether there is no client to speak of: LOCAL, UNKNOWN, or a kind of address that is none for a stream."""
        return self.source is None

    @property
    def alpn(self) -> bytes | None:
        """The protocol that the client and the proxy agreed on in TLS."""
        return self.tlv(_ALPN)

    @property
    def authority(self) -> bytes | None:
        """The host that the client asked for: in TLS the server name."""
        return self.tlv(_AUTHORITY)

    @property
    def unique_id(self) -> bytes | None:
        """The proxy's name for the connection."""
        return self.tlv(_UNIQUE_ID)

    @property
    def tls(self) -> bytes | None:
        """What the proxy tells of the client's TLS, undecoded (§2.2.6)."""
        return self.tlv(_TLS)

    def tlv(self, kind: int) -> bytes | None:
        """The first value of type ``kind``."""
        return next((value for found, value in self.tlvs if found == kind), None)


class TrustedProxies:
    """The addresses that speak the PROXY protocol, and are believed.

    ``addresses``: IP addresses and networks (``"::1"``, ``"10.0.0.0/8"``), and ``"unix:"`` for whoever comes by a Unix
    socket. Raises :exc:`ValueError` for any other text, and :exc:`TypeError` for anything but several texts.
    """

    __slots__ = ("_names", "_networks")

    def __init__(self, addresses: Iterable[str]) -> None:
        given = cast(object, addresses)  # by a user, who may not know the type
        is_several = isinstance(given, Iterable) and not isinstance(given, str)
        names = tuple(cast(Iterable[object], given)) if is_several else (None,)
        if not all(isinstance(name, str) for name in names):
            raise TypeError(f"proxied_by must be a list of addresses, not {given!r}")
        self._names = cast(tuple[str, ...], names)
        self._networks = tuple(_network(name) for name in self._names if name != _UNIX)

    def __repr__(self) -> str:
        return f"TrustedProxies({self._names!r})"

    def trusts(self, address: Any) -> bool:
        """Whether what connects from ``address``, as a socket's ``getpeername`` tells it, must begin with a header.

        An IPv4 address in IPv6's clothes (``::ffff:10.0.0.1``) is the IPv4 address.
        """
        if not self._names:
            return False
        match address:
            case str() | bytes():
                return _UNIX in self._names
            case (str(host), int(), *_):
                ip = _plain(ipaddress.ip_address(host))
                return any(ip in network for network in self._networks)
            case _:
                return False

    def introduction(self, address: Any) -> Generator[int, bytes, ProxiedFrom]:
        """The conversation with whoever connects from ``address``: :func:`read_proxy_header` if it is trusted; else one
        that wants nothing and learns nothing.
        """
        if not self.trusts(address):
            return ProxiedFrom()
        return (yield from read_proxy_header())


def read_proxy_header() -> Generator[int, bytes, ProxiedFrom]:
    """Read the header of version 1 or 2 that a connection begins with.

    Yields the number of bytes to read; is sent as many or fewer, or ``b""`` at the end. Raises
    :exc:`RemoteProtocolError`, as early as can be, for anything but a valid header: drop the connection. Time is the
    caller's: ``Timeouts.opening_timeout``, around this and the handshake.
    """
    header = b""
    while len(header) < _SHORTEST:
        header += yield from _some(_SHORTEST - len(header))
        if not any(header.startswith(magic[: len(header)]) for magic in (_VERSION_1, _VERSION_2)):
            raise _offence("it begins otherwise")
    if header.startswith(_VERSION_1):
        return _parse_line((yield from _read_line(header)))
    header += yield from _exactly(_HEAD_SIZE - _SHORTEST)
    _check_head(header)
    size = int.from_bytes(header[14:16])
    return _parse_body(header, (yield from _exactly(size)))


# --- reading ------------------------------------------------------------------------------------------------------


def _some(size: int) -> Generator[int, bytes, bytes]:
    received = yield size
    if not received:
        raise _offence("the connection ended within it")
    if len(received) > size:
        raise ValueError(f"wanted {size} bytes at most, not {len(received)}")
    return received


def _exactly(size: int) -> Generator[int, bytes, bytes]:
    data = b""
    while len(data) < size:
        data += yield from _some(size - len(data))
    return data


def _read_line(line: bytes) -> Generator[int, bytes, bytes]:
    while not line.endswith(b"\r\n"):
        size = min(_least_rest(line), _LINE_SIZE - len(line))
        if size <= 0:
            raise _offence("the line is too long")
        line += yield from _some(size)
    return line


def _least_rest(line: bytes) -> int:
    """How many more bytes an unfinished line has at the least: its end, and a space and a character for each field."""
    if line.endswith(b"\r"):
        return 1
    spaces = 0 if line.startswith(b"PROXY UNKNOWN") else _SPACES_IN_TCP_LINE - line.count(b" ")
    return 2 + 2 * max(0, spaces)


# --- version 1 (§2.1) ---------------------------------------------------------------------------------------------


def _parse_line(line: bytes) -> ProxiedFrom:
    if _UNKNOWN_LINE.fullmatch(line):
        return ProxiedFrom()
    found = _TCP_LINE.fullmatch(line)
    if found is None:
        raise _offence("the line is malformed")
    family, *hosts, source_port, destination_port = (part.decode("ascii") for part in found.groups())
    kind = ipaddress.IPv4Address if family == "4" else ipaddress.IPv6Address
    try:
        source, destination = (str(kind(host)) for host in hosts)
    except ValueError as error:
        raise _offence(str(error)) from None
    ports = int(source_port), int(destination_port)
    if max(ports) > 0xFFFF:
        raise _offence("a port is larger than 65535")
    return ProxiedFrom((source, ports[0]), (destination, ports[1]))


# --- version 2 (§2.2) ---------------------------------------------------------------------------------------------


def _check_head(head: bytes) -> None:
    version_and_command, family_and_protocol = head[12], head[13]
    if version_and_command not in (0x20, 0x21):
        raise _offence(f"version and command are {version_and_command:#04x}")
    if family_and_protocol >> 4 > _LAST_FAMILY or family_and_protocol & 0x0F > _LAST_PROTOCOL:
        raise _offence(f"family and protocol are {family_and_protocol:#04x}")
    if int.from_bytes(head[14:16]) > _BODY_SIZE:
        raise _offence(f"it is longer than {_BODY_SIZE} bytes")


def _parse_body(head: bytes, body: bytes) -> ProxiedFrom:
    is_proxied, kind = head[12] == 0x21, head[13]
    size = _ADDRESS_SIZES.get(kind)
    if not is_proxied or size is None:
        return ProxiedFrom()
    end = 2 * size if kind == _UNIX_STREAM else 2 * size + 4
    if len(body) < end:
        raise _offence("it is too short for its addresses")
    tlvs = tuple(_tlvs(body[end:]))
    _check_sum(head + body[:end], tlvs)
    source, destination, ports = body[:size], body[size : 2 * size], body[2 * size : end]
    if kind == _UNIX_STREAM:
        return ProxiedFrom(_path(source), _path(destination), tlvs)
    return ProxiedFrom(_endpoint(source, ports[:2]), _endpoint(destination, ports[2:]), tlvs)


def _endpoint(address: bytes, port: bytes) -> tuple[str, int]:
    return str(ipaddress.ip_address(address)), int.from_bytes(port)


def _path(field: bytes) -> str:
    """A path ends at its first NUL; an abstract name begins with one, and ends before the padding."""
    name = field.rstrip(b"\x00") if field.startswith(b"\x00") else field.partition(b"\x00")[0]
    return name.decode("utf-8", "surrogateescape")


def _tlvs(data: bytes) -> Iterable[tuple[int, bytes]]:
    while data:
        end = 3 + int.from_bytes(data[1:3])
        if len(data) < max(3, end):
            raise _offence("a TLV is cut off")
        yield data[0], data[3:end]
        data = data[end:]


def _check_sum(before: bytes, tlvs: tuple[tuple[int, bytes], ...]) -> None:
    """Verify the checksum, which is computed with zeros in its own place, if there is one (§2.2.3)."""
    claimed = dict(tlvs).get(_CRC32C)
    if claimed is None:
        return
    whole = before
    for kind, value in tlvs:
        whole += bytes([kind]) + len(value).to_bytes(2) + (bytes(len(value)) if kind == _CRC32C else value)
    if claimed != _crc32c(whole).to_bytes(4):
        raise _offence("the checksum is wrong")


def _crc32c(data: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register ^ 0xFFFFFFFF


# --- both ---------------------------------------------------------------------------------------------------------


def _offence(detail: str) -> RemoteProtocolError:
    return RemoteProtocolError(Violation.BAD_PROXY_HEADER, detail)


def _network(name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(name)
    except ValueError as error:
        raise ValueError(f"proxied_by: {error}") from None


def _plain(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip
