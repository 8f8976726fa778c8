"""Proxies: which one to use for a URI, from an argument or from the environment's variables.

What lives here is parsing and choice. The conversations with a proxy are in ``http11`` and ``socks5``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from .._events import BasicCredentials
from .headers import authorization
from .uri import Uri, parse_authority

__all__ = ["Proxy", "authority", "choose_proxy", "parse_proxy", "proxy_from_environment"]

#: The schemes with their default ports. The three of SOCKS mean the same, that the proxy looks names up; GNOME's
#: settings write ``socks``.
_DEFAULT_PORTS: Final = MappingProxyType({"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080, "socks": 1080})
#: Bytes that RFC 1929 §2 has room for, in a name and in a password.
_SOCKS5_CREDENTIAL_SIZE: Final = 255
#: The variables that may name a proxy, by ``Uri.secure``. The one for HTTPS goes before the one for HTTP (RFC 6455
#: §4.1, item 3).
_VARIABLES: Final = MappingProxyType(
    {False: ("ws_proxy", "https_proxy", "http_proxy", "all_proxy"), True: ("wss_proxy", "https_proxy", "all_proxy")}
)
_SEPARATORS: Final = re.compile(r"[\s,]+")
_HOST_AND_PORT: Final = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::([0-9]*))?")


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy listens and how to speak to it. Raises :exc:`ValueError`, which never shows the credentials."""

    #: ``http``, ``https`` (TLS to the proxy), or ``socks5``, which may also be written ``socks5h`` or ``socks``.
    scheme: str
    #: An IPv6 address has no brackets.
    host: str
    port: int
    credentials: BasicCredentials | None = field(default=None)

    def __post_init__(self) -> None:
        if self.scheme not in _DEFAULT_PORTS:
            raise ValueError(f"proxy: the scheme must be one of {', '.join(_DEFAULT_PORTS)}")
        if not 1 <= self.port <= 65535:
            raise ValueError("proxy: the port must be one of 1-65535")
        try:
            parse_authority(self.address)
            if self.credentials is not None:
                _check_credentials(self.credentials, is_socks=self.is_socks)
        except ValueError as error:
            raise ValueError(f"proxy: {error}") from None

    @property
    def is_secure(self) -> bool:
        """Whether the way to the proxy itself is encrypted."""
        return self.scheme == "https"

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS5 rather than HTTP."""
        return self.scheme.startswith("socks")

    @property
    def address(self) -> str:
        """Host and port, for texts."""
        return authority(self.host, self.port)


def authority(host: str, port: int) -> str:
    """``host:port``, with brackets around IPv6: the target of CONNECT (RFC 9112 §3.2.3)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_proxy(text: str) -> Proxy:
    """Take ``http://user:password@host:port`` apart; without a scheme it is ``http``, as for curl.

    User name and password are percent-encoded. Raises :exc:`ValueError` whose text names ``proxy`` and never shows it,
    since it may hold a password.
    """
    before, separator, after = text.strip().partition("://")
    scheme, rest = (before.lower(), after) if separator else ("http", before)
    if scheme not in _DEFAULT_PORTS:
        raise ValueError(f"proxy must begin with one of {', '.join(_DEFAULT_PORTS)} and ://")
    rest = rest.removesuffix("/")
    if set(rest) & set("/?#"):
        raise ValueError("proxy ends after its host and port; in a password, / ? # are written %2F %3F %23")
    userinfo, _, address = rest.rpartition("@")
    try:
        host, port = parse_authority(address)
        credentials = _credentials(userinfo)
    except ValueError as error:
        raise ValueError(f"proxy: {error}") from None
    return Proxy(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port, credentials)


def choose_proxy(proxy: Proxy | str | bool | None, uri: Uri, environment: Mapping[str, str]) -> Proxy | None:
    """What the option ``proxy`` of a client means for ``uri``: ``True`` asks the environment, ``None`` and ``False`` go
    straight to the server. Raises :exc:`ValueError` as :func:`parse_proxy` does.
    """
    if proxy is True:
        return proxy_from_environment(uri, environment)
    if isinstance(proxy, str):
        return parse_proxy(proxy)
    return proxy if isinstance(proxy, Proxy) else None


def proxy_from_environment(uri: Uri, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy that the environment's variables name for ``uri``, if they do and ``no_proxy`` does not except it.

    The first one set counts: for ``wss`` of ``wss_proxy``, ``https_proxy`` and ``all_proxy``, for ``ws`` of
    ``ws_proxy``, ``https_proxy``, ``http_proxy`` and ``all_proxy``. Each is also read in upper case where there is no
    lower case one, which may be empty to hide it. ``HTTP_PROXY`` is not read in a CGI program (where
    ``REQUEST_METHOD`` is set), because there a client sets it by a header.

    ``no_proxy`` lists, between commas or blanks: hosts, which stand for their subdomains too (with or without ``.`` or
    ``*.`` before them), addresses and networks (``10.0.0.0/8``), each with a ``:port`` if only that one is meant; ``*``
    is everything.

    Raises :exc:`ValueError`, naming the variable and not its value, for a proxy that cannot be used: to go straight to
    the server instead would be a surprise.
    """
    # Copied, because os.environ of Windows answers for any case, and CGI makes a difference.
    variables = {name: value.strip() for name, value in environment.items() if name.lower().endswith("_proxy")}
    if "REQUEST_METHOD" in environment:
        variables.pop("HTTP_PROXY", None)
    if any(_covers(rule, uri) for rule in _SEPARATORS.split(_value("no_proxy", variables))):
        return None
    name = next((name for name in _VARIABLES[uri.secure] if _value(name, variables)), None)
    if name is None:
        return None
    try:
        return parse_proxy(_value(name, variables))
    except ValueError as error:
        raise ValueError(f"environment variable {name}: {error}") from None


def _credentials(userinfo: str) -> BasicCredentials | None:
    if not userinfo:
        return None
    username, _, password = userinfo.partition(":")
    try:
        return BasicCredentials(unquote(username, errors="strict"), unquote(password, errors="strict"))
    except UnicodeDecodeError:
        raise ValueError("user name and password must be UTF-8, percent-encoded") from None


def _check_credentials(credentials: BasicCredentials, *, is_socks: bool) -> None:
    """Raise :exc:`ValueError` for what the protocol cannot carry."""
    if not is_socks:
        authorization(credentials)
        return
    try:
        sizes = [len(text.encode()) for text in (credentials.username, credentials.password)]
    except UnicodeEncodeError:
        raise ValueError("credentials: lone surrogates cannot be encoded as UTF-8") from None
    if max(sizes) > _SOCKS5_CREDENTIAL_SIZE:
        raise ValueError("credentials: SOCKS5 has room for 255 bytes of user name or password (RFC 1929 §2)")


def _value(name: str, variables: Mapping[str, str]) -> str:
    return variables[name] if name in variables else variables.get(name.upper(), "")


def _covers(rule: str, uri: Uri) -> bool:
    """Whether one element of ``no_proxy`` means ``uri``."""
    if rule == "*":
        return True
    host, port = _split(rule)
    return port in ("", str(uri.port)) and _covers_host(host.lower(), uri.host.rstrip("."))


def _split(rule: str) -> tuple[str, str]:
    """Host and port; an IPv6 address needs no brackets where there is no port."""
    match = _HOST_AND_PORT.fullmatch(rule)
    return (match[1] or match[2] or "", match[3] or "") if match else (rule, "")


def _covers_host(rule: str, host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = rule.removeprefix("*").strip(".")
        return name != "" and f".{host}".endswith(f".{name}")
    try:
        return address in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return False  # a name, which is no suffix of an address
