"""Through an HTTP proxy: a request for a tunnel, and what its answer means (RFC 9110 §9.3.6).

A generator, like the conversation in ``socks5``: it yields bytes to send, and is sent those that have come.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Final

from .._config import Limits
from .._errors import ProxyFailed, RemoteProtocolError
from .._events import Request
from .._headers import Headers
from .headers import authorization
from .http11 import TunnelReader, phrase, serialize_request
from .outcome import Response
from .proxy import Proxy, authority
from .uri import parse_authority

__all__ = ["open_tunnel"]

_DEFAULT_LIMITS: Final = Limits()
#: Whether a line of challenges names the scheme (RFC 9110 §11.6.1).
_OFFERS_BASIC: Final = re.compile(r"(?:^|,)[ \t]*basic(?![^ \t,])", re.IGNORECASE)


def open_tunnel(
    proxy: Proxy, host: str, port: int, *, limits: Limits = _DEFAULT_LIMITS
) -> Generator[bytes | None, bytes, bytes]:
    """Ask the HTTP ``proxy`` for a tunnel to ``host`` and ``port`` (RFC 9110 §9.3.6).

    Yields bytes to send, or ``None`` to be sent what was received (``b""`` at the end); returns what came out of the
    tunnel already. Raises :exc:`ProxyFailed`, and :exc:`ValueError` for a host that no request can name.
    """
    target = authority(host, port)
    yield serialize_request(_connect_request(proxy, target))
    reader = TunnelReader(limits)
    response: Response | None = None
    while response is None:
        received = yield None
        if not received:
            raise ProxyFailed(f"the proxy {proxy.address} ended the conversation")
        try:
            response = reader.feed(received)
        except RemoteProtocolError as offence:
            raise ProxyFailed(f"the proxy {proxy.address} broke a rule: {offence}") from None
    if not 200 <= response.status <= 299:
        raise ProxyFailed(f"the proxy {proxy.address} {_refusal(proxy, target, response)}", response.status)
    return reader.trailing()


def _connect_request(proxy: Proxy, target: str) -> Request:
    headers = [("Host", target)]
    if proxy.credentials is not None:
        headers.append(("Proxy-Authorization", authorization(proxy.credentials)))
    parse_authority(target)  # what a forged Uri holds must not become a line of its own
    return Request(method="CONNECT", target=target, headers=Headers(headers))


def _refusal(proxy: Proxy, target: str, response: Response) -> str:
    if response.status != 407:
        return f"refused a tunnel to {target} with HTTP status {response.status} ({phrase(response.status)})"
    challenges = response.headers.all("proxy-authenticate")
    if challenges and not any(map(_OFFERS_BASIC.search, challenges)):
        return "wants an authentication other than Basic, which is the only one known here (HTTP status 407)"
    return f"{'wants' if proxy.credentials is None else 'refused the'} credentials (HTTP status 407)"
