"""Whom a server speaks to: :class:`ServerPolicy`, with the rules for ``Origin`` and ``Host``.

What lives here is configuration, checked once when built, and the question whether one value is on one list.
Which violation an answer leads to is in ``server``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, cast

from .._config import Limits
from .._extensions.base import Extension
from .negotiation import Subprotocols, check_extensions, check_subprotocols
from .uri import parse_authority

__all__ = ["SAME_ORIGIN", "OriginRule", "SameOrigin", "ServerPolicy", "allows_host", "allows_origin"]


class SameOrigin(Enum):
    """The type of :data:`SAME_ORIGIN`."""

    SAME_ORIGIN = "same origin"

    def __repr__(self) -> str:
        return self.name


#: Allows an ``Origin`` whose host and port are those of the request's ``Host``. The scheme is not compared, because a
#: server behind a TLS proxy cannot know its own; a missing port stands for the default one of the origin's scheme.
SAME_ORIGIN: Final = SameOrigin.SAME_ORIGIN

#: An exact origin, a pattern that must match a whole one, ``None`` for requests without any, or :data:`SAME_ORIGIN`.
OriginRule: TypeAlias = str | re.Pattern[str] | Literal[SameOrigin.SAME_ORIGIN] | None

_SERIALISED_ORIGIN: Final = re.compile(r"null|[a-z][a-z0-9+.\-]*://[^/?#\s]+", re.IGNORECASE)
_DEFAULT_PORTS: Final = MappingProxyType({"http": 80, "https": 443})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPolicy:
    """What a server requires of an opening handshake, and what it offers.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument, for rules that could never match.
    """

    #: Who may connect from a browser (RFC 6455 §10.2); ``None`` asks nobody. A pattern sees what an attacker wrote, up
    #: to ``Limits.header_size``: it should not backtrack.
    origins: Sequence[OriginRule] | None = None
    #: The hosts answered for: ``host`` with any port, ``host:port``, ``*.example.com`` for every subdomain. ``None``
    #: means any. A request without a port is on port 80 or 443.
    hosts: Sequence[str] | None = None
    subprotocols: Subprotocols = ()
    extensions: Sequence[Extension] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.origins is not None:
            _freeze(self, "origins", _check_origins(self.origins))
        if self.hosts is not None:
            _freeze(self, "hosts", _check_hosts(self.hosts))
        _freeze(self, "extensions", check_extensions(self.extensions))
        if not callable(self.subprotocols):
            _freeze(self, "subprotocols", check_subprotocols(self.subprotocols))


def allows_host(host: str, port: int | None, hosts: Iterable[str]) -> bool:
    """Whether a rule of ``hosts`` covers this host; ``port`` is ``None`` where the request named none."""
    return any(_host_matches(host.removesuffix("."), port, *parse_authority(rule)) for rule in hosts)


def allows_origin(origin: str | None, host: str, origins: Iterable[OriginRule]) -> bool:
    """Whether a rule of ``origins`` allows this ``Origin``; ``host`` is the request's ``Host`` header."""
    return any(_origin_matches(origin, host, rule) for rule in origins)


def _freeze(policy: ServerPolicy, name: str, value: object) -> None:
    object.__setattr__(policy, name, value)


def _check_origins(origins: Sequence[OriginRule]) -> tuple[OriginRule, ...]:
    if isinstance(origins, str):
        raise TypeError("origins must be a sequence, not one string")
    return tuple(map(_check_origin, origins))


def _check_origin(rule: object) -> OriginRule:
    if rule is None or isinstance(rule, SameOrigin):
        return rule
    if not isinstance(rule, str):
        return _check_pattern(rule)
    if not _SERIALISED_ORIGIN.fullmatch(rule):
        raise ValueError(f"origins: {rule!r} is not an origin such as 'https://example.com' (RFC 6454 §6.2)")
    return rule


def _check_pattern(rule: object) -> re.Pattern[str]:
    if not isinstance(rule, re.Pattern):
        raise TypeError(f"origins holds strings, patterns, SAME_ORIGIN and None, not {rule!r}")
    pattern = cast("re.Pattern[str] | re.Pattern[bytes]", rule)
    if isinstance(pattern.pattern, bytes):
        raise TypeError(f"origins: {pattern!r} is a pattern of bytes, but an origin is a string")
    return cast("re.Pattern[str]", rule)


def _check_hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    if isinstance(hosts, str):
        raise TypeError("hosts must be a sequence of strings, not one string")
    for rule in hosts:
        _check_host(rule)
    return tuple(hosts)


def _check_host(rule: str) -> None:
    try:
        parse_authority(rule)
    except ValueError as error:
        raise ValueError(f"hosts: {rule!r} is not a host: {error}") from None
    if "*" in rule.removeprefix("*."):
        raise ValueError(f"hosts: {rule!r} may have an asterisk as its first label only")


def _host_matches(host: str, port: int | None, rule_host: str, rule_port: int | None) -> bool:
    if rule_port is not None and port != rule_port and not (port is None and rule_port in (80, 443)):
        return False
    if rule_host.startswith("*."):
        return host.endswith(rule_host[1:]) and host != rule_host[1:]
    return host == rule_host.removesuffix(".")


def _origin_matches(origin: str | None, host: str, rule: OriginRule) -> bool:
    if origin is None or rule is None:
        return origin is rule
    if isinstance(rule, SameOrigin):
        return _is_same_origin(origin, host)
    if isinstance(rule, str):
        return _folded(origin) == _folded(rule)
    return rule.fullmatch(origin) is not None


def _folded(origin: str) -> str:
    """Scheme and host in lower case, without the scheme's default port (RFC 6454 §6.2)."""
    origin = origin.lower()
    scheme = origin.partition("://")[0]
    return origin.removesuffix(f":{_DEFAULT_PORTS[scheme]}") if scheme in _DEFAULT_PORTS else origin


def _is_same_origin(origin: str, host: str) -> bool:
    scheme, _, authority = origin.partition("://")
    default_port = _DEFAULT_PORTS.get(scheme.lower())
    if default_port is None:
        return False
    try:
        there, here = parse_authority(authority), parse_authority(host)
    except ValueError:
        return False
    return (there[0], there[1] or default_port) == (here[0], here[1] or default_port)
