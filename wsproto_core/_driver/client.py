"""The client's side: a request goes out, and the server's answer decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from .._config import Limits, Timeouts
from .._errors import LocalProtocolError, RemoteProtocolError
from .._events import Accepted, BasicCredentials, BearerCredentials, Event
from .._handshake.client import ClientOffer, judge
from .._handshake.http11 import ResponseReader, serialize_request
from .._handshake.keys import make_key
from .._handshake.outcome import Agreement, Response
from .._handshake.uri import Uri, parse_uri
from .._headers import Headers, HeadersLike
from .._protocol.states import Phase
from .._types import Initiator, Receive, Role
from .connection import DEFAULT_FRAGMENT_SIZE, Connection
from .sealing import wire_limits

if TYPE_CHECKING:
    from .._extensions.base import Extension
    from .._pipeline.session import PipelineSession

__all__ = ["ClientConnection"]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


class ClientConnection(Connection):
    """The client's side of one connection (RFC 6455 §4.1).

    ``uri``: ``ws://`` or ``wss://``; whoever makes the transport takes host, port and TLS from :attr:`uri`.
    ``entropy``: a source of unpredictable bytes for keys and masks, ``os.urandom`` in nearly every case.
    ``subprotocols`` and ``extensions`` are offered in this order. ``headers`` are added to the request, ``origin``
    and ``credentials`` as well (credentials in the URI count too). ``receive``, ``fragment_size``, ``pipeline``
    and ``now`` are as in :class:`ServerConnection`.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument.
    """

    __slots__ = ("_offer", "_reader", "response", "uri")

    # budget: one parameter a line
    def __init__(
        self,
        uri: str | Uri,
        *,
        entropy: Callable[[int], bytes],
        subprotocols: Sequence[str] = (),
        extensions: Sequence[Extension] = (),
        headers: HeadersLike = (),
        origin: str | None = None,
        credentials: BasicCredentials | BearerCredentials | None = None,
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        receive: Receive = Receive.MESSAGES,
        fragment_size: int = DEFAULT_FRAGMENT_SIZE,
        pipeline: PipelineSession | None = None,
        now: float | None = None,
    ) -> None:
        limits = wire_limits(limits, pipeline)
        #: Where to connect to, in parts.
        self.uri: Uri = parse_uri(uri) if isinstance(uri, str) else uri
        self._offer = ClientOffer(
            uri=self.uri,
            key=make_key(entropy),
            subprotocols=subprotocols,
            extensions=tuple(extensions),
            headers=Headers(headers),
            origin=origin,
            credentials=credentials,
            limits=limits,
        )
        self._reader: ResponseReader | None = None
        #: The server's answer, once it has come.
        self.response: Response | None = None
        super().__init__(
            Role.CLIENT,
            limits=limits,
            timeouts=timeouts,
            receive=receive,
            fragment_size=fragment_size,
            pipeline=pipeline,
            entropy=entropy,
            now=now,
        )

    def connect(self, *, now: float | None = None) -> None:
        """Queue the opening handshake; :class:`Accepted`, :class:`Rejected` or :class:`Redirected` will answer it.

        Raises :exc:`LocalProtocolError` the second time.
        """
        if self._reader is not None or self._closing.phase is not Phase.CONNECTING:
            raise LocalProtocolError("connect() was called before")
        if now is not None:
            self._start(now)
        self._reader = ResponseReader(self._limits)
        self._outbox.put_bytes(serialize_request(self._offer.request))

    def receive_eof(self, now: float) -> list[Event]:
        """The server will send no more bytes. A refusal's body may end so."""
        if self._closing.phase is Phase.CONNECTING and self._reader is not None:
            self._now = now
            self._transport_ended = True
            events = self._judge_answer(self._reader.feed_eof)
            if events:
                return self._with_undelivered(events)
        return super().receive_eof(now)

    def _receive_handshake(self, data: bytes) -> list[Event]:
        reader = self._reader
        if reader is None:
            raise LocalProtocolError("connect() comes before receive_data()")
        return self._judge_answer(lambda: reader.feed(data))

    def _judge_answer(self, read: Callable[[], Response | None]) -> list[Event]:
        """What the answer means, once ``read`` returns it whole."""
        try:
            response = read()
            if response is None:
                return []
            self.response = response
            answer = judge(response, self._offer)
        except RemoteProtocolError as offence:
            self._abort = True
            return [self._handshake_offence(offence)]
        if isinstance(answer, Agreement):
            return self._accepted(answer)
        self._closing.refused(response.status, Initiator.PEER)
        return [answer, self._settled()]

    def _accepted(self, agreement: Agreement) -> list[Event]:
        assert self._reader is not None, "a response was read"
        rest, self._reader = self._reader.trailing(), None
        event = Accepted(agreement.response.headers, agreement.subprotocol, agreement.extensions)
        frames = self._open(agreement.subprotocol, agreement.extensions, agreement.transforms, rest)
        return [event, *frames]
