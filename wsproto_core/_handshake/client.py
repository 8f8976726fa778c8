"""The client's half of the opening handshake (RFC 6455 §4.1): build a request, judge the response.

What lives here are pure functions; redirects are told, not followed, and nothing is retried here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from .._config import Limits
from .._errors import RemoteProtocolError
from .._events import Redirected, Rejected, Request
from .._extensions.base import Extension
from .._headers import Headers
from .._violations import Violation
from .headers import Credentials, authorization, has_option, options
from .keys import accept_token, is_valid_key
from .negotiation import check_extensions, check_subprotocols, confirm_extensions, offer_extensions
from .outcome import Agreement, Response
from .uri import Uri, host_header

__all__ = ["ClientOffer", "judge"]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
#: Headers of the request that are made here.
_OWN: Final = frozenset({"host", "upgrade", "connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOffer:
    """Everything that a client's opening handshake says.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument, for what cannot be sent.
    """

    uri: Uri
    key: str
    subprotocols: Sequence[str] = ()
    extensions: Sequence[Extension] = ()
    #: Further headers. ``Origin`` and ``Authorization`` may stand here or in the fields below, not in both.
    headers: Headers = field(default_factory=Headers)
    origin: str | None = None
    #: Left out, those of ``uri`` are sent.
    credentials: Credentials | None = None
    limits: Limits = field(default_factory=Limits)
    #: The opening handshake that makes this offer.
    request: Request = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "subprotocols", check_subprotocols(self.subprotocols))
        object.__setattr__(self, "extensions", check_extensions(self.extensions))
        if not is_valid_key(self.key):
            raise ValueError("key must hold 16 bytes in base64 (RFC 6455 §4.1)")
        _check_headers(self)
        object.__setattr__(self, "request", _request(self))


def _request(offer: ClientOffer) -> Request:
    """The opening handshake that makes ``offer`` (RFC 6455 §4.1)."""
    credentials = _credentials(offer)
    fields = {
        "Host": host_header(offer.uri),
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": offer.key,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": ", ".join(offer.subprotocols) or None,
        "Sec-WebSocket-Extensions": offer_extensions(offer.extensions),
        "Origin": offer.origin,
        "Authorization": authorization(credentials) if credentials else None,
    }
    own = [(name, value) for name, value in fields.items() if value is not None]
    return Request(
        method="GET",
        target=offer.uri.target,
        headers=Headers([*own, *offer.headers.lines()]),
        subprotocols=tuple(offer.subprotocols),
        credentials=credentials,
    )


def judge(response: Response, offer: ClientOffer) -> Agreement | Redirected | Rejected:
    """What a response to ``offer`` means.

    Raises :exc:`RemoteProtocolError` for a 101 that breaks RFC 6455 §4.1. Any other status is an answer: a redirect
    where it names one place to go, a refusal otherwise.
    """
    if response.status == 101:
        return _agreement(response, offer)
    locations = response.headers.all("location")
    if response.status in _REDIRECTS and len(locations) == 1 and locations[0]:
        return Redirected(response.status, locations[0], response.headers, response.body)
    return Rejected(response.status, response.headers, response.body)


def _check_headers(offer: ClientOffer) -> None:
    for name, _ in offer.headers.lines():
        if name.lower() in _OWN or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"headers: {name} is not the caller's to send here")
    if offer.origin is not None and "origin" in offer.headers:
        raise ValueError("headers: Origin is given by origin already")
    if _credentials(offer) is not None and "authorization" in offer.headers:
        raise ValueError("headers: Authorization is given by credentials or uri already")


def _credentials(offer: ClientOffer) -> Credentials | None:
    return offer.uri.credentials if offer.credentials is None else offer.credentials


def _agreement(response: Response, offer: ClientOffer) -> Agreement:
    for violation, is_kept in _RULES:
        if not is_kept(response.headers, offer):
            raise RemoteProtocolError(violation)
    negotiated = confirm_extensions(response.headers.all("sec-websocket-extensions"), offer.extensions, offer.limits)
    return Agreement(
        response=response,
        subprotocol=response.headers.get("sec-websocket-protocol"),
        transforms=negotiated.transforms,
        extensions=negotiated.names,
    )


# --- the rules for a 101 (RFC 6455 §4.1), in their order ----------------------------------------------------------


def _says_upgrade(headers: Headers, _: ClientOffer) -> bool:
    return options(headers.all("upgrade")) == ["websocket"]


def _says_connection(headers: Headers, _: ClientOffer) -> bool:
    return has_option(headers.all("connection"), "upgrade")


def _answers_key(headers: Headers, offer: ClientOffer) -> bool:
    return headers.all("sec-websocket-accept") == [accept_token(offer.key)]


def _chooses_offered(headers: Headers, offer: ClientOffer) -> bool:
    # RFC 6455 §11.3.4: the header must not come twice in a response.
    chosen = headers.all("sec-websocket-protocol")
    return not chosen or (len(chosen) == 1 and chosen[0] in offer.subprotocols)


_RULES: Final[tuple[tuple[Violation, Callable[[Headers, ClientOffer], bool]], ...]] = (
    (Violation.RESPONSE_UPGRADE, _says_upgrade),
    (Violation.RESPONSE_CONNECTION, _says_connection),
    (Violation.BAD_ACCEPT, _answers_key),
    (Violation.SUBPROTOCOL_NOT_OFFERED, _chooses_offered),
)
