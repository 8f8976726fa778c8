"""Redirects of an opening handshake (RFC 9110 §15.4): where the next attempt goes, and what it may take along.

What lives here is a pure function of the attempt before and its answer. Whoever connects decides how many it follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urldefrag, urljoin

from .._errors import HandshakeRejected, RedirectFailed
from .._events import Redirected
from .._headers import Headers
from .headers import Credentials
from .uri import Uri, host_header, parse_uri

__all__ = ["DEFAULT_MAX_REDIRECTS", "Destination", "redirected"]

DEFAULT_MAX_REDIRECTS: Final = 10

#: Headers that may hold a secret, whatever the server calls them: at another origin they would be given away.
_SECRET: Final = re.compile(r"auth|cookie|credential|key|passw|secret|session|signature|token", re.IGNORECASE)
#: Everything printable: only what no URI holds is encoded, which keeps the bytes of a Location that is not ASCII.
_AS_IT_IS: Final = "".join(map(chr, range(0x21, 0x7F)))
_HTTP: Final[Mapping[str, str]] = MappingProxyType({"http": "ws", "https": "wss"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where one attempt goes, and those options of a client that a redirect may change."""

    uri: Uri
    headers: Headers = field(default_factory=Headers)
    credentials: Credentials | None = None
    #: Where the attempts before it went, the first one first.
    earlier: tuple[Uri, ...] = ()


def redirected(
    destination: Destination, refusal: HandshakeRejected, *, max_redirects: int = DEFAULT_MAX_REDIRECTS
) -> Destination:
    """Where ``refusal``, the answer at ``destination``, points to.

    At another origin (scheme, host or port) the credentials stay behind: those of the URI and of the option, and every
    header whose name sounds like a secret (``Authorization``, ``Cookie``, ``X-Api-Key`` …).

    Raises ``refusal`` itself if it is no redirect, or if ``max_redirects`` is 0; :exc:`RedirectFailed` if it is one
    that must not be followed: from ``wss`` to ``ws``, to where an attempt has been already, to no URI, with a user name
    in it, or one too many.
    """
    event = refusal.event
    if not isinstance(event, Redirected) or max_redirects == 0:
        raise refusal
    if len(destination.earlier) >= max_redirects:
        raise RedirectFailed(event, f"more than {max_redirects} redirects") from refusal
    try:
        uri = _resolve(event.location, destination.uri)
    except ValueError as error:
        raise RedirectFailed(event, str(error)) from refusal
    earlier = (*destination.earlier, destination.uri)
    if any(_place(uri) == _place(known) for known in earlier):
        raise RedirectFailed(event, "it leads round in a circle") from refusal
    if _origin(uri) == _origin(destination.uri):
        return replace(destination, uri=replace(uri, credentials=destination.uri.credentials), earlier=earlier)
    return Destination(uri=uri, headers=_harmless(destination.headers), earlier=earlier)


def _resolve(location: str, base: Uri) -> Uri:
    """The URI that ``location`` means at ``base``. Raises :exc:`ValueError`, which shows neither."""
    try:
        escaped = quote(location, safe=_AS_IT_IS, encoding="latin-1", errors="strict")
        scheme = "wss" if base.secure else "ws"
        text = urldefrag(urljoin(f"{scheme}://{host_header(base)}{base.target}", escaped)).url
        before, separator, after = text.partition("://")
        uri = parse_uri(_HTTP.get(before.lower(), before) + separator + after)
    except ValueError:
        raise ValueError("its Location is no ws, wss, http or https URI") from None
    if uri.credentials is not None:
        # RFC 9110 §4.2.4: from an untrusted source an error, since it hides where it leads.
        raise ValueError("its Location holds a user name")
    if base.secure and not uri.secure:
        raise ValueError("it leads from wss to ws, where anybody could listen")
    return uri


def _origin(uri: Uri) -> tuple[bool, str, int]:
    return uri.secure, uri.host, uri.port


def _place(uri: Uri) -> tuple[bool, str, int, str]:
    return (*_origin(uri), uri.target)


def _harmless(headers: Headers) -> Headers:
    return Headers([(name, value) for name, value in headers.lines() if not _SECRET.search(name)])
