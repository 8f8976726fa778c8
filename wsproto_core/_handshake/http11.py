"""HTTP/1.1 on the wire: requests and responses read through h11, and written (RFC 9112).

The only file that knows h11. What lives here moves between bytes and the classes that ``server`` and ``client`` judge;
it decides nothing about WebSocket. A reader holds at most ``Limits.header_size`` bytes of head, and 64 KiB of body,
besides what follows a complete head in the same read.

An opening handshake is two heads and no body: h11's events judge their parts, without the machine of an
``h11.Connection``. That is made for what it knows best: informational responses, and bodies. A request of the usual
shape does not come here: ``ordinary`` recognizes it.

A connection carries one request and one response. A refusal therefore says ``Connection: close``, and the end of the
connection delimits a body that is streamed: no chunks, and HTTP/1.0 understands it too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import ClassVar, Final

import h11

from .._config import Limits
from .._errors import RemoteProtocolError
from .._events import Request
from .._headers import Headers, received_headers
from .._violations import Violation
from .head import HeadOffences, HeadReader
from .outcome import Response
from .server import MAX_TARGET_SIZE

__all__ = [
    "MAX_BODY_SIZE",
    "RequestReader",
    "ResponseReader",
    "TunnelReader",
    "phrase",
    "serialize_request",
    "serialize_response",
]

#: Bytes of a refusal's body that a client keeps.
MAX_BODY_SIZE: Final = 64 * 1024

# h11 takes a time that grows with the square of a chunk header's or trailer's length; short pieces bound it.
_BODY_PIECE: Final = 1024
#: Method, blanks and version of a request line, generously.
_REQUEST_LINE_MARGIN: Final = 64
_HTTP_VERSION: Final = re.compile(rb"HTTP/[0-9]\.[0-9]")
_SWITCH: Final = "HTTP/1.1 101 Switching Protocols"
_SWITCHING_PROTOCOLS: Final = re.compile(rb"HTTP/1\.[0-9] 101(?: .*)?")
_BODILESS: Final = frozenset({204, 304})  # RFC 9110 §6.4.1
_BLANK: Final = b" \t"
_BLANKS: Final = (b" ", b"\t")
_PHRASES: Final = MappingProxyType({status.value: status.phrase for status in HTTPStatus})
#: What h11 repeats of the peer's bytes begins here.
_QUOTE: Final = re.compile(r":| b['\"]")

_REQUEST_OFFENCES: Final = HeadOffences(
    malformed=Violation.BAD_REQUEST,
    first_line_too_long=Violation.TARGET_TOO_LONG,
    too_big=Violation.HEADERS_TOO_BIG,
    too_many_lines=Violation.TOO_MANY_HEADERS,
)
_RESPONSE_OFFENCES: Final = HeadOffences(
    malformed=Violation.BAD_RESPONSE,
    first_line_too_long=Violation.RESPONSE_TOO_BIG,
    too_big=Violation.RESPONSE_TOO_BIG,
    too_many_lines=Violation.RESPONSE_TOO_BIG,
)


class RequestReader:
    """Reads one request head. It is not to be fed again once it has returned a request or raised."""

    __slots__ = ("_head", "_trailing")

    def __init__(self, limits: Limits) -> None:
        target_size = min(MAX_TARGET_SIZE, limits.header_size)
        self._head = HeadReader(
            size=limits.header_size,
            first_line_size=target_size + _REQUEST_LINE_MARGIN,
            max_headers=limits.max_headers,
            offences=_REQUEST_OFFENCES,
            check_first_line=partial(_check_request_line, target_size=target_size),
            max_empty_lines=1,  # RFC 9112 §2.2: a server should ignore at least one
        )
        self._trailing = b""

    def feed(self, data: bytes) -> Request | None:
        """The request, not yet judged, once its head is complete.

        Raises :exc:`RemoteProtocolError` as early as the bytes allow.
        """
        rest = self._head.feed(data)
        if rest is None:
            return None
        self._trailing = rest
        return _parse_request(self._head.take())

    def feed_eof(self) -> None:
        """The client has stopped sending before its request was complete.

        Raises :exc:`RemoteProtocolError` if it had begun one; without a single byte there is nobody to answer.
        """
        if self._head.pending:
            raise RemoteProtocolError(Violation.BAD_REQUEST, "the request ends within its head")

    def trailing(self) -> bytes:
        """What came after the head in the same read."""
        return self._trailing


class ResponseReader:
    """Reads one response. It is not to be fed again once it has returned a response or raised."""

    #: Of the request that is answered.
    _METHOD: ClassVar[str] = "GET"

    def __init__(self, limits: Limits) -> None:
        self._head = HeadReader(
            size=limits.header_size,
            first_line_size=limits.header_size,
            max_headers=limits.max_headers,
            offences=_RESPONSE_OFFENCES,
            check_first_line=_check_status_line,
        )
        # Made for what is no 101.
        self._http: h11.Connection | None = None
        self._final: h11.Response | h11.InformationalResponse | None = None
        self._body = bytearray()
        self._trailing = b""

    def feed(self, data: bytes) -> Response | None:
        """The response, not yet judged: a 101 at once, any other with its body, cut at 64 KiB.

        Other informational responses are skipped; they count towards ``Limits.header_size``. Raises
        :exc:`RemoteProtocolError` with ``BAD_RESPONSE`` or ``RESPONSE_TOO_BIG``.
        """
        rest: bytes | None = data
        if self._final is None:
            rest = self._read_heads(data)
        if rest is None or self._final is None:
            return None
        if self._final.status_code == 101:
            self._trailing = rest
            return self._response(self._final)
        return self._response(self._final) if self._body_ends(rest) else None

    def feed_eof(self) -> Response | None:
        """The server has stopped sending: the response with what there is of its body.

        ``None`` if not a single byte came, so that there is nothing to judge. Raises :exc:`RemoteProtocolError` with
        ``BAD_RESPONSE`` within a head.
        """
        if self._final is not None:
            return self._response(self._final)
        if self._head.pending:
            raise RemoteProtocolError(Violation.BAD_RESPONSE, "the response ends within its head")
        return None

    def trailing(self) -> bytes:
        """What came after the head of a 101 in the same read: the first frames."""
        return self._trailing

    def _read_heads(self, data: bytes) -> bytes | None:
        """Take heads up to the final one; what follows it."""
        rest = self._head.feed(data)
        while rest is not None:
            event = self._parse_head(self._head.take())
            if isinstance(event, h11.Response) or event.status_code == 101:
                self._final = event
                return rest
            rest = self._head.feed(rest)
        return None

    def _parse_head(self, lines: list[bytes]) -> h11.Response | h11.InformationalResponse:
        if not _SWITCHING_PROTOCOLS.fullmatch(lines[0]):
            return self._parse_answer(lines)
        try:
            return h11.InformationalResponse(status_code=101, headers=_fields(lines, Violation.BAD_RESPONSE))
        except h11.LocalProtocolError as error:
            raise _offence(error, Violation.BAD_RESPONSE) from None

    def _parse_answer(self, lines: list[bytes]) -> h11.Response | h11.InformationalResponse:
        """A head behind which there may be a body, or another head."""
        if self._http is None:
            self._http = _expectant_client(self._METHOD)
        event = _next_event(self._http, b"\r\n".join([*lines, b"", b""]), Violation.BAD_RESPONSE)
        assert isinstance(event, h11.Response | h11.InformationalResponse)  # the head is complete
        return event

    def _body_ends(self, data: bytes) -> bool:
        """Take a part of the body; whether nothing more is wanted."""
        pieces = (data[start : start + _BODY_PIECE] for start in range(0, len(data), _BODY_PIECE))
        return self._drain(b"") or any(self._drain(piece) for piece in pieces)

    def _drain(self, piece: bytes) -> bool:
        assert self._http is not None, "it has read the head"
        event = _next_event(self._http, piece, Violation.BAD_RESPONSE)
        while isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) >= MAX_BODY_SIZE:
                return True
            event = _next_event(self._http, b"", Violation.BAD_RESPONSE)
        return isinstance(event, h11.EndOfMessage)

    def _response(self, head: h11.Response | h11.InformationalResponse) -> Response:
        body = bytes(self._body[:MAX_BODY_SIZE])
        return Response(status=head.status_code, headers=_decoded(head), body=body)


class TunnelReader(ResponseReader):
    """Reads the answer to a CONNECT: no body, because behind a 2xx the tunnel begins (RFC 9110 §9.3.6), and nobody
    wants the others'.
    """

    _METHOD = "CONNECT"

    def feed(self, data: bytes) -> Response | None:
        """The response once its head is complete; raises as :meth:`ResponseReader.feed` does."""
        rest = self._read_heads(data)
        if rest is None or self._final is None:
            return None
        self._trailing = rest
        return self._response(self._final)

    def _parse_head(self, lines: list[bytes]) -> h11.Response | h11.InformationalResponse:
        return self._parse_answer(lines)  # a 101 would be none


def serialize_request(request: Request) -> bytes:
    """The bytes of a request without a body."""
    return _message(f"{request.method} {request.target} HTTP/1.1", request.headers)


def serialize_response(response: Response, *, method: str = "GET") -> bytes:
    """The bytes of a response to a request with that method.

    All but a 101 gain ``Connection: close``, and ``Content-Length`` where the status allows a body. A streamed body is
    sent after these bytes, by the caller, and ends with the connection.
    """
    if response.status == 101:
        return _message(_SWITCH, response.headers)
    added = _framing(response)
    head = _message(f"HTTP/1.1 {response.status} {phrase(response.status)}", response.headers, added)
    return head if method == "HEAD" or response.status in _BODILESS else head + response.body


def _check_status_line(line: bytes) -> None:
    if not line.startswith(b"HTTP/1."):
        raise RemoteProtocolError(Violation.BAD_RESPONSE, "the first line is not a status line of HTTP/1.1")
    if line.startswith(b"HTTP/1.0 1"):  # RFC 9110 §15.2
        raise RemoteProtocolError(Violation.BAD_RESPONSE, "HTTP/1.0 has no status 1xx")


def _check_request_line(line: bytes, *, target_size: int) -> None:
    parts = line.split(b" ")
    if len(parts) == 3 and len(parts[1]) > target_size:
        raise RemoteProtocolError(Violation.TARGET_TOO_LONG)
    if len(parts) != 3 or not _HTTP_VERSION.fullmatch(parts[2]):
        raise RemoteProtocolError(Violation.BAD_REQUEST, "the first line is not a request line")
    if not parts[2].startswith(b"HTTP/1."):
        raise RemoteProtocolError(Violation.HTTP_VERSION)


def _parse_request(lines: list[bytes]) -> Request:
    method, target, version = lines[0].split(b" ")
    fields = _fields(lines, Violation.BAD_REQUEST)
    _check_host_count(fields, version)
    try:
        event = h11.Request(method=method, target=target, headers=fields, http_version=version[5:])
    except h11.LocalProtocolError as error:
        raise _offence(error, Violation.BAD_REQUEST) from None
    return Request(
        method=method.decode("ascii"),
        target=target.decode("ascii"),
        headers=_decoded(event),
        http_version=version[5:].decode("ascii"),
    )


def _fields(lines: list[bytes], offence: Violation) -> list[tuple[bytes, bytes]]:
    """Names and values below the first line; what they may hold is for h11 to say."""
    fields: list[tuple[bytes, bytes]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if line.startswith(_BLANKS) and fields:  # RFC 9112 §5.2: the field before goes on
            name, before = fields.pop()
            value = before + b" " + line.strip(_BLANK)
        elif not colon:
            raise RemoteProtocolError(offence, "a header without a colon")
        fields.append((name, value.strip(_BLANK)))
    return fields


def _check_host_count(fields: list[tuple[bytes, bytes]], version: bytes) -> None:
    """h11 refuses the same requests, but as if they were no HTTP (RFC 9112 §3.2)."""
    hosts = sum([name.lower() == b"host" for name, _ in fields])
    if hosts > 1 or (hosts == 0 and version != b"HTTP/1.0"):
        raise RemoteProtocolError(Violation.BAD_HOST, f"there are {hosts}")


def _expectant_client(method: str) -> h11.Connection:
    """A connection that has sent an opening handshake or a CONNECT, so that h11 knows what a response to it may be."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_BODY_PIECE)
    headers = [("Host", "localhost")]
    if method == "GET":
        headers += [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    connection.send(h11.Request(method=method, target="/", headers=headers))
    connection.send(h11.EndOfMessage())
    return connection


def _next_event(
    connection: h11.Connection, data: bytes, offence: Violation
) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
    if data:  # to h11, no bytes are the end of the connection
        connection.receive_data(data)
    try:
        return connection.next_event()
    except h11.RemoteProtocolError as error:
        raise _offence(error, offence) from None


def _offence(error: h11.ProtocolError, violation: Violation) -> RemoteProtocolError:
    """h11's complaint as ours, without the bytes that it repeats."""
    return RemoteProtocolError(violation, _QUOTE.split(str(error), maxsplit=1)[0])


def _decoded(head: h11.Request | h11.Response | h11.InformationalResponse) -> Headers:
    # raw_items() keeps the names as sent.
    items = head.headers.raw_items()
    return received_headers([(name.decode("ascii"), value.decode("latin-1")) for name, value in items])


def _framing(response: Response) -> list[tuple[str, str]]:
    # RFC 9110 §7.8: who sends Upgrade lists it in Connection.
    added = [("Connection", "close, Upgrade" if "upgrade" in response.headers else "close")]
    if not response.streamed and response.status not in _BODILESS:
        added.append(("Content-Length", str(len(response.body))))
    return added


def _message(first_line: str, headers: Headers, added: Sequence[tuple[str, str]] = ()) -> bytes:
    fields = "".join([f"{name}: {value}\r\n" for name, value in (*headers.lines(), *added)])
    return f"{first_line}\r\n{fields}\r\n".encode("latin-1")


def phrase(status: int) -> str:
    """The words that go with ``status``: ``Unknown`` for one that HTTP has no name for."""
    return _PHRASES.get(status, "Unknown")
