"""The server's side: a request comes in, the application accepts or rejects it, and a connection may follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self

from .._config import Limits, Timeouts
from .._errors import ConnectionClosed, LocalProtocolError, OutboxFull, RemoteProtocolError
from .._events import Event, Request
from .._handshake.http11 import RequestReader, serialize_response
from .._handshake.ordinary import read_ordinary
from .._handshake.outcome import Response
from .._handshake.policy import OriginRule, ServerPolicy
from .._handshake.server import BY_POLICY, ByPolicy, accept, judge, refuse, reject
from .._headers import HeadersLike
from .._protocol.states import Phase
from .._types import Buffer, Initiator, Receive, Role, Timer
from .._violations import Violation
from .arguments import as_bytes
from .connection import DEFAULT_FRAGMENT_SIZE, Connection
from .sealing import wire_limits

if TYPE_CHECKING:
    from .._extensions.base import Extension
    from .._pipeline.session import PipelineSession

__all__ = ["ServerConnection"]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


class ServerConnection(Connection):
    """The server's side of one connection (RFC 6455 §4.2).

    ``origins``: exact strings, compiled patterns, ``SAME_ORIGIN``, and ``None`` for an absent ``Origin``; left out,
    any origin is welcome. ``hosts``: names (``*.example.com``, ``example.com:8080``) that this server answers for;
    left out, any. ``subprotocols``: in the server's order of preference, or a callable that is given those offered
    and returns one of them or ``None``. ``extensions``: what may be negotiated, such as ``PerMessageDeflate()``.
    ``receive``: how much of a message to gather. Messages larger than ``fragment_size`` bytes leave in fragments.
    ``pipeline`` seals what is sent and opens what comes, which then must be whole messages; see :class:`Pipeline`.
    ``now`` starts the opening timer; left out, the first bytes do.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument.
    """

    __slots__ = ("_early", "_policy", "_reader", "_refusing", "_speaks_http", "request", "response")

    def __init__(
        self,
        *,
        origins: Sequence[OriginRule] | None = None,
        hosts: Sequence[str] | None = None,
        subprotocols: Sequence[str] | Callable[[tuple[str, ...]], str | None] = (),
        extensions: Sequence[Extension] = (),
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        receive: Receive = Receive.MESSAGES,
        fragment_size: int = DEFAULT_FRAGMENT_SIZE,
        pipeline: PipelineSession | None = None,
        now: float | None = None,
    ) -> None:
        policy = ServerPolicy(
            origins=origins,
            hosts=hosts,
            subprotocols=subprotocols,
            extensions=tuple(extensions),
            limits=wire_limits(limits, pipeline),
        )
        self._begin(policy, timeouts, receive, fragment_size, pipeline, now)

    @classmethod
    def by_policy(
        cls,
        policy: ServerPolicy,
        timeouts: Timeouts,
        receive: Receive,
        pipeline: PipelineSession | None,
        now: float,
    ) -> Self:
        """A connection of a server whose rules are the same for all: they are checked once. For plans.

        ``policy.limits`` are those of the wire, where there is a pipeline.
        """
        self = cls.__new__(cls)
        self._begin(policy, timeouts, receive, DEFAULT_FRAGMENT_SIZE, pipeline, now)
        return self

    def _begin(
        self,
        policy: ServerPolicy,
        timeouts: Timeouts,
        receive: Receive,
        fragment_size: int,
        pipeline: PipelineSession | None,
        now: float | None,
    ) -> None:
        # Until the request is accepted.
        self._policy: ServerPolicy | None = policy
        # While a request comes that is not ordinary.
        self._reader: RequestReader | None = None
        # Whether request and response go over this transport: not where somebody else has parsed the one.
        self._speaks_http = True
        # What a client sent before it was answered, which it must not, but which is not lost.
        self._early = b""
        self._refusing: int | None = None
        #: The request, once it has come.
        self.request: Request | None = None
        #: What was answered, once it was. A connection made by :meth:`from_request` sends none of it: that is the
        #: embedder's part.
        self.response: Response | None = None
        super().__init__(
            Role.SERVER,
            limits=policy.limits,
            timeouts=timeouts,
            receive=receive,
            fragment_size=fragment_size,
            pipeline=pipeline,
            entropy=None,
            now=now,
        )

    @classmethod
    def from_request(
        cls,
        request: Request,
        *,
        origins: Sequence[OriginRule] | None = None,
        hosts: Sequence[str] | None = None,
        subprotocols: Sequence[str] | Callable[[tuple[str, ...]], str | None] = (),
        extensions: Sequence[Extension] = (),
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        receive: Receive = Receive.MESSAGES,
        fragment_size: int = DEFAULT_FRAGMENT_SIZE,
        pipeline: PipelineSession | None = None,
        now: float,
    ) -> Self:
        """A connection whose request somebody else has parsed: an HTTP/2 or HTTP/3 stack, or a web server.

        :attr:`request` is there at once. After :meth:`accept` or :meth:`reject` send :attr:`response` in your own
        way; from then on :meth:`data_to_send` and :meth:`receive_data` carry WebSocket frames only. An HTTP/2 request
        is ``Request(method="CONNECT", protocol="websocket", http_version="2", ...)`` (RFC 8441).
        """
        self = cls(
            origins=origins,
            hosts=hosts,
            subprotocols=subprotocols,
            extensions=extensions,
            limits=limits,
            timeouts=timeouts,
            receive=receive,
            fragment_size=fragment_size,
            pipeline=pipeline,
            now=now,
        )
        self._speaks_http = False
        self.request = judge(request, self._unanswered_policy)
        return self

    # --- verbs --------------------------------------------------------------------------------------------------------

    def accept(self, subprotocol: str | ByPolicy | None = BY_POLICY, headers: HeadersLike = ()) -> None:
        """Answer with 101, or with the refusal that ``request.violation`` calls for (RFC 6455 §4.2.2).

        ``subprotocol``: one of those offered, or ``None``; left out, the connection's own rule chooses. ``headers``
        are added to the response. Raises :exc:`LocalProtocolError`, naming the argument, and then nothing was sent.
        """
        request = self._undecided()
        if request.violation is not None:
            self._undelivered += self._refuse(RemoteProtocolError(request.violation, request.detail))
            return
        agreement = accept(request, self._unanswered_policy, subprotocol, headers)
        self._policy = None
        self._answer(agreement.response)
        early, self._early = self._early, b""
        events = self._open(agreement.subprotocol, agreement.extensions, agreement.transforms, early)
        self._undelivered += events
        if self._transport_ended:
            self._undelivered = self._transport_end(self._now, None)

    def reject(self, status: int, headers: HeadersLike = (), body: Buffer | None = b"") -> None:
        """Answer with an HTTP response instead: a refusal, a redirect, a health check, a page.

        ``body=None`` announces one that follows by :meth:`reject_data`. Raises :exc:`LocalProtocolError`, naming the
        argument, and then nothing was sent.
        """
        self._undecided()
        self._answer(reject(status, headers, None if body is None else as_bytes("body", body)))
        self._refusing = status
        if body is not None:
            self._refused(status)

    def reject_data(self, data: Buffer, *, final: bool) -> None:
        """More of the body that :meth:`reject` began. Raises :exc:`LocalProtocolError`; :exc:`OutboxFull` without
        room.
        """
        checked = as_bytes("data", data)
        if self._refusing is None:
            raise LocalProtocolError("no rejection with body=None has begun")
        if self._closing.report is not None:
            raise ConnectionClosed.from_report(self._closing.report)
        if not self._outbox.has_room:
            raise OutboxFull(f"{self._outbox.size} bytes wait already")
        if self._speaks_http and self._has_body():
            self._outbox.put_bytes(checked)
        if final:
            self._refused(self._refusing)

    # --- opening ------------------------------------------------------------------------------------------------------

    def receive_eof(self, now: float) -> list[Event]:
        """The client will send no more bytes. A request that came before is still answered."""
        if self._closing.phase is not Phase.CONNECTING:
            return super().receive_eof(now)
        self._now = now
        if self.request is not None:
            self._transport_ended = True
            return self._with_undelivered([])
        try:
            if self._reader is not None:
                self._reader.feed_eof()
        except RemoteProtocolError as offence:
            self._transport_ended = True
            return self._refuse(offence)
        return super().receive_eof(now)

    def _receive_handshake(self, data: bytes) -> list[Event]:
        try:
            if self._refusing is not None:
                return []
            if self.request is not None:
                return self._keep_early(data)
            self.request = self._read(data)
        except RemoteProtocolError as offence:
            return self._refuse(offence)
        return [] if self.request is None else [self.request]

    def _read(self, data: bytes) -> Request | None:
        """The request, judged, once it is complete."""
        policy, reader = self._unanswered_policy, self._reader
        if reader is None:
            ordinary = read_ordinary(data, policy)
            if ordinary is not None:
                request, self._early = ordinary
                return request
            self._reader = reader = RequestReader(policy.limits)
        unjudged = reader.feed(data)
        if unjudged is None:
            return None
        self._early = reader.trailing()
        self._reader = None
        return judge(unjudged, policy)

    @property
    def _unanswered_policy(self) -> ServerPolicy:
        assert self._policy is not None, "the request has not been accepted yet"
        return self._policy

    def _keep_early(self, data: bytes) -> list[Event]:
        self._early += data
        if len(self._early) > self._limits.header_size:
            raise RemoteProtocolError(Violation.BAD_REQUEST, "too much was sent before the answer")
        return []

    def _undecided(self) -> Request:
        """The request that waits for an answer. Raises :exc:`LocalProtocolError` if none does, and
        :exc:`ConnectionClosed` if it was too late for one.
        """
        if self._refusing is not None or self._decoder is not None:
            raise LocalProtocolError("the request has been answered already")
        if self._closing.report is not None:
            raise ConnectionClosed.from_report(self._closing.report)
        if self.request is None:
            raise LocalProtocolError("there is no request to answer yet")
        return self.request

    def _refuse(self, offence: RemoteProtocolError, timer: Timer | None = None) -> list[Event]:
        """Answer as the RFC says and end it."""
        http_version = "1.1" if self.request is None else self.request.http_version
        response = refuse(offence.violation, offence.detail, http_version=http_version)
        self._answer(response)
        self._closing.http_status = response.status
        return [self._handshake_offence(offence, timer)]

    def _refused(self, status: int) -> None:
        """A response other than 101 is complete."""
        self._closing.refused(status, Initiator.LOCAL)
        self._undelivered.append(self._settled())

    def _answer(self, response: Response) -> None:
        self.response = response
        if self._speaks_http:
            self._outbox.put_bytes(serialize_response(response, method=self._method()))

    def _method(self) -> str:
        return "GET" if self.request is None else self.request.method

    def _has_body(self) -> bool:
        """Whether the response to this request shows its body (RFC 9110 §9.3.2)."""
        return self._method() != "HEAD"

    def _opening_timed_out(self) -> list[Event]:
        if self.request is None:
            return self._refuse(RemoteProtocolError(Violation.HANDSHAKE_TIMEOUT), Timer.OPENING)
        if self._refusing is None:  # the application did not decide in time
            self._answer(Response(status=HTTPStatus.SERVICE_UNAVAILABLE))
        self._closing.http_status = self._refusing or HTTPStatus.SERVICE_UNAVAILABLE
        self._closing.give_up()
        return [self._settled(timer=Timer.OPENING)]
