"""What a handshake results in: the HTTP :class:`Response`, and the :class:`Agreement` that both sides hold afterwards.

What lives here has no behaviour; ``server`` makes both, ``client`` judges the first to make the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from .._drafts import draft_of
from .._extensions.base import MessageTransform
from .._headers import Headers, HeadersLike

__all__ = ["Agreement", "Response", "checked_response"]


@dataclass(frozen=True, slots=True, init=False)
class Response:
    """An HTTP response, on either side. What frames a body on the wire (``Content-Length``) may still be missing.

    Raises :exc:`ValueError` for ``headers`` that no message may carry.
    """

    status: int
    headers: Headers
    body: bytes
    #: Whether the body follows later, in pieces; ``body`` is empty then.
    streamed: bool

    def __init__(self, status: int, headers: HeadersLike = (), body: bytes = b"", *, streamed: bool = False) -> None:
        object.__setattr__(self, "status", status)
        object.__setattr__(self, "headers", headers if isinstance(headers, Headers) else Headers(headers))
        object.__setattr__(self, "body", body)
        object.__setattr__(self, "streamed", streamed)


_Draft: Final = draft_of(Response)


def checked_response(status: int, headers: Headers) -> Response:
    """A response without a body, whose headers somebody has checked already."""
    draft = _Draft()
    draft.status = status
    draft.headers = headers
    draft.body = b""
    draft.streamed = False
    draft.__class__ = Response
    return cast(Response, draft)


class Agreement(NamedTuple):
    """An accepted handshake: what was sent or received, and what holds from now on."""

    response: Response
    subprotocol: str | None = None
    #: In the order negotiated: applied in this order when sending, in reverse when receiving (RFC 6455 §9.1).
    transforms: tuple[MessageTransform, ...] = ()
    #: The names of the extensions in use, in the same order.
    extensions: tuple[str, ...] = ()
