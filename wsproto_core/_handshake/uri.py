"""``ws`` and ``wss`` URIs and the authority part they share with ``Host`` and ``Origin`` (RFC 6455 §3, RFC 3986).

What lives here: parsing and the check of every character. Resolving a name or connecting to it is not.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

from .._events import BasicCredentials
from .headers import authorization

__all__ = ["Uri", "host_header", "parse_authority", "parse_uri"]

#: The schemes of RFC 6455 §3 with their default ports.
DEFAULT_PORTS: Final = MappingProxyType({"ws": 80, "wss": 443})

# A host name has at most 253 characters. The bound comes before IDNA, whose time grows faster than its input.
_HOST_LENGTH: Final = 255
_REG_NAME: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]++|%[0-9A-Fa-f]{2})++")  # RFC 3986 §3.2.2
_PORT: Final = re.compile(r"[0-9]{0,5}")
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f]")
# Everything that RFC 3986 allows in a path or query, and "%", so that what is escaped already stays as it is.
_TARGET_SAFE: Final = "/?%:@!$&'()*+,;=-._~[]"


@dataclass(frozen=True, slots=True)
class Uri:
    """Where a client goes: the parts of a ``ws`` or ``wss`` URI."""

    secure: bool
    #: In lower case and ASCII; an IPv6 address has no brackets.
    host: str
    port: int
    #: Path and query, percent-encoded; never empty.
    target: str
    credentials: BasicCredentials | None = field(default=None)


def parse_uri(uri: str) -> Uri:
    """Take a ``ws`` or ``wss`` URI apart (RFC 6455 §3).

    Raises :exc:`ValueError` whose text names ``uri`` and never shows it, since it may hold a password.
    """
    if _FORBIDDEN.search(uri):
        raise ValueError("uri must not hold spaces or control characters")
    if "#" in uri:
        raise ValueError("uri must not have a fragment (RFC 6455 §3)")
    scheme, separator, rest = uri.partition("://")
    default_port = DEFAULT_PORTS.get(scheme.lower())
    if not separator or default_port is None:
        raise ValueError("uri must begin with ws:// or wss://")
    authority, target = _split_target(rest)
    userinfo, _, address = authority.rpartition("@")
    host, port = _host_and_port(address)
    return Uri(
        secure=scheme.lower() == "wss",
        host=host,
        port=default_port if port is None else port,
        target=_encode_target(target),
        credentials=_credentials(userinfo),
    )


def host_header(uri: Uri) -> str:
    """The value of ``Host``: no port where it is the scheme's own, brackets around IPv6 (RFC 6455 §4.1, item 4)."""
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    return host if uri.port == DEFAULT_PORTS["wss" if uri.secure else "ws"] else f"{host}:{uri.port}"


def parse_authority(text: str) -> tuple[str, int | None]:
    """Host, in lower case and without brackets, and port of ``host[:port]`` (RFC 9110 §7.2).

    Raises :exc:`ValueError`, which does not show ``text``, for anything else.
    """
    if not text.startswith("["):
        host, _, port = text.partition(":")
        return _reg_name(host), _port(port)
    host, bracket, rest = text[1:].partition("]")
    if not bracket:
        raise ValueError("an IPv6 address lacks its closing bracket")
    if rest and not rest.startswith(":"):
        raise ValueError("something other than a port follows the host")
    return _ipv6(host), _port(rest[1:])


def _split_target(rest: str) -> tuple[str, str]:
    end = next((at for at, character in enumerate(rest) if character in "/?"), len(rest))
    return rest[:end], rest[end:]


def _encode_target(target: str) -> str:
    if not target.startswith("/"):
        target = "/" + target  # RFC 6455 §3: an empty path is "/"
    try:
        return quote(target, safe=_TARGET_SAFE)
    except UnicodeEncodeError:
        raise ValueError("uri must not hold lone surrogates") from None


def _host_and_port(address: str) -> tuple[str, int | None]:
    try:
        host, port = parse_authority(_to_ascii(address))
    except ValueError as error:
        raise ValueError(f"uri has no valid host and port: {error}") from None
    if port == 0:
        raise ValueError("uri has no valid host and port: the port is 0")
    return host, port


def _to_ascii(address: str) -> str:
    if address.isascii():
        return address
    host, colon, port = address.partition(":")
    if len(host) > _HOST_LENGTH:
        raise ValueError("the host is too long")
    try:
        return host.encode("idna").decode() + colon + port
    except UnicodeError:
        raise ValueError("the host is not a valid internationalised name") from None


def _ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise ValueError("what the brackets hold is not an IPv6 address") from None
    if address.scope_id is not None:
        raise ValueError("an IPv6 zone belongs to this machine, not on the wire (RFC 6874 §4)")
    return str(address)


def _reg_name(host: str) -> str:
    if len(host) > _HOST_LENGTH or not _REG_NAME.fullmatch(host):
        raise ValueError("the host is empty, too long or holds a character that no host may have")
    return host.lower()


def _port(text: str) -> int | None:
    if not text:
        return None  # RFC 3986 §3.2.3: an empty port is the default one
    if not _PORT.fullmatch(text):
        raise ValueError("the port is not a number")
    if int(text) > 65535:
        raise ValueError("the port is greater than 65535")
    return int(text)


def _credentials(userinfo: str) -> BasicCredentials | None:
    if not userinfo:
        return None
    username, _, password = userinfo.partition(":")
    try:
        credentials = BasicCredentials(unquote(username, errors="strict"), unquote(password, errors="strict"))
        authorization(credentials)
    except ValueError:
        raise ValueError("uri holds a username or password that HTTP cannot carry (RFC 7617 §2)") from None
    return credentials
