"""Targets of the opening handshake: requests, responses, single headers, and URIs."""

from __future__ import annotations

from typing import Final

from wsproto_core import (
    Accepted,
    ClientConnection,
    Closed,
    Event,
    Headers,
    PerMessageDeflate,
    Redirected,
    Rejected,
    Request,
    ServerConnection,
    parse_uri,
)

from ..oracles import same_however_cut
from .choices import Choices

__all__ = ["headers", "request", "response", "uri"]

_HOST: Final = "example.com"
_REQUEST: Final = (
    b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)
_FIELDS: Final = (
    b"Sec-WebSocket-Extensions",
    b"Sec-WebSocket-Protocol",
    b"Authorization",
    b"Origin",
    b"Cookie",
    b"Connection",
    b"Content-Length",
    b"X",
)
_SEVERAL: Final = (1, 2, 7, 50)


def request(data: bytes) -> object:
    """Any bytes from a client: the same however they are cut, and always answered by an HTTP response or by nothing."""
    return same_however_cut(_ask, data, _arrivals(data))


def response(data: bytes) -> object:
    """Any bytes from a server: the same however they are cut. ``{accept}`` in them becomes the answer to the key."""
    accept = b"ICX+Yqv66kxgM0FcWaLWlFLwTAI="  # to a key of 16 zeros
    wire = data.replace(b"{accept}", accept)
    return same_however_cut(_tell, wire, _arrivals(wire))


def headers(data: bytes) -> object:
    """Any value in one header of a request that is right without it."""
    choices = Choices(data)
    name = choices.choose(_FIELDS)
    value = choices.rest()
    if not set(value) & set(b"\r\n\x00"):
        try:
            Headers([(name.decode(), value.decode("latin-1"))])
        except ValueError:
            pass
    return name, request(_REQUEST + name + b": " + value + b"\r\n\r\n")


def uri(data: bytes) -> object:
    """Any text as a URI: refused, or taken apart so that a client can ask for it and a server understands."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        parsed = parse_uri(text)
    except ValueError as error:
        return _words(error, text)
    client = ClientConnection(parsed, entropy=bytes)
    client.connect()
    lines = b"".join(client.data_to_send()).split(b"\r\n")
    assert len(lines) == 8 + (parsed.credentials is not None), lines
    seen = _ask([b"\r\n".join(lines)])
    assert seen[:1] == ("open",), seen
    return parsed.secure, parsed.credentials is not None, ":" in parsed.host, parsed.target.count("%") > 0


def _words(error: ValueError, text: str) -> str:
    """What the error says, which may be logged: never the URI, which may hold a password."""
    words = str(error)
    assert len(text) < 8 or text not in words, words
    return words


def _arrivals(data: bytes) -> list[list[bytes]]:
    return [[data[start : start + size] for start in range(0, len(data), size)] for size in _SEVERAL]


def _ask(pieces: list[bytes]) -> tuple[object, ...]:
    """What a server makes of a request."""
    server = ServerConnection(subprotocols=["chat"], extensions=[PerMessageDeflate()], now=0.0)
    for piece in pieces:
        for event in server.receive_data(piece, 0.0):
            match event:
                case Request():
                    server.accept()
                    written = b"".join(server.data_to_send())
                    _check_response(written, event)
                    return ("refused" if event.violation else "open", event.violation, event.detail, server.extensions)
                case Closed(report):
                    written = b"".join(server.data_to_send())
                    assert written.startswith(b"HTTP/1.1 4") or written.startswith(b"HTTP/1.1 5"), written
                    return ("closed", report.violation, report.http_status)
                case _:
                    raise AssertionError(f"before it is answered, a request tells {event!r}")
    assert not server.data_to_send(), "nothing is said before the request is complete"
    return ("waits",)


def _check_response(written: bytes, asked: Request) -> None:
    """Whatever was asked, the answer is one head that nobody could break out of."""
    head, _, _ = written.partition(b"\r\n\r\n")
    status = int(head[9:12])
    assert (status == 101) is (asked.violation is None), head
    assert asked.violation is None or status == asked.violation.http_status, head
    assert b"\n" not in head.replace(b"\r\n", b""), head


def _tell(pieces: list[bytes]) -> tuple[object, ...]:
    """What a client makes of a response."""
    client = ClientConnection(
        f"ws://{_HOST}/", entropy=bytes, subprotocols=["chat"], extensions=[PerMessageDeflate()], now=0.0
    )
    client.connect()
    client.data_to_send()
    events: list[Event] = []
    for piece in pieces:
        events += client.receive_data(piece, 0.0)
        if events:
            return _answer(events[0], client)
    events += client.receive_eof(0.0)
    return ("end", _answer(events[0], client))


def _answer(event: Event, client: ClientConnection) -> tuple[object, ...]:
    match event:
        case Accepted():
            return ("open", event.subprotocol, event.extensions)
        case Rejected() | Redirected():
            assert len(event.body) <= 64 * 1024
            return (type(event), event.status, client.state)
        case Closed(report):
            return ("closed", report.violation)
        case _:
            raise AssertionError(f"a response begins with {event!r}")
