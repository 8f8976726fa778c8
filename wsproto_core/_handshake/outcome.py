"""What a handshake results in: the HTTP :class:`Response`, and the :class:`Agreement` that both sides hold afterwards.

What lives here has no behaviour; ``server`` makes both, ``client`` judges the first to make the second.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .._extensions.base import MessageTransform
from .._headers import Headers

__all__ = ["Agreement", "Response"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An HTTP response, on either side. What frames a body on the wire (``Content-Length``) may still be missing."""

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    #: Whether the body follows later, in pieces; ``body`` is empty then.
    streamed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """An accepted handshake: what was sent or received, and what holds from now on."""

    response: Response
    subprotocol: str | None = None
    #: In the order negotiated: applied in this order when sending, in reverse when receiving (RFC 6455 §9.1).
    transforms: tuple[MessageTransform, ...] = ()
    #: The names of the extensions in use, in the same order.
    extensions: tuple[str, ...] = ()
