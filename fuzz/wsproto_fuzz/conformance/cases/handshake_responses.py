"""The opening handshake as a client sees it (RFC 6455 §4.1): its request, and what it makes of responses."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Final

from ...wire import Part, ping, text
from ..case import CLIENTS, Steps, family
from ..expecting import ExpectMessage, ExpectPong
from ..heard import Head
from ..responses import RESPONSE, Accepts, AsksFor, GivesUp, answering, more, response, without
from ..steps import send
from ..verdict import Verdict

__all__ = ["RESPONSES"]

_ECHO: Final[Steps] = (send(text("Hello")), ExpectMessage("Hello"))

# --------------------------------------------------------------------------------------------------------- the request


def _first_line(head: Head) -> str | None:
    words = head.first_line.split(" ")
    return None if len(words) == 3 and words[0] == "GET" and words[2] == "HTTP/1.1" else repr(head.first_line)


def _target(head: Head) -> str | None:
    is_right = head.target.startswith(("/", "http://", "https://")) and "#" not in head.target
    return None if is_right else f"the target {head.target!r}"


def _host(head: Head) -> str | None:
    hosts = head.all("Host")
    return None if len(hosts) == 1 and hosts[0] else f"Host is {hosts!r}"


def _upgrade(head: Head) -> str | None:
    return None if "websocket" in head.tokens("Upgrade") else f"Upgrade is {head.all('Upgrade')!r}"


def _connection(head: Head) -> str | None:
    return None if "upgrade" in head.tokens("Connection") else f"Connection is {head.all('Connection')!r}"


def _version(head: Head) -> str | None:
    versions = head.all("Sec-WebSocket-Version")
    return None if versions == ["13"] else f"Sec-WebSocket-Version is {versions!r}"


def _key(head: Head) -> str | None:
    keys = head.all("Sec-WebSocket-Key")
    try:
        is_right = len(keys) == 1 and len(base64.b64decode(keys[0], validate=True)) == 16
    except binascii.Error:
        is_right = False
    return None if is_right else f"Sec-WebSocket-Key is {keys!r}"


def _repeated(head: Head) -> str | None:
    repeated = [name for name in ("Host", "Origin", "Upgrade", "Content-Length") if len(head.all(name)) > 1]
    return f"{', '.join(repeated)} more than once" if repeated else None


def _subprotocols(head: Head) -> str | None:
    offered = [token for value in head.all("Sec-WebSocket-Protocol") for token in value.split(",")]
    names = [token.strip() for token in offered]
    return None if len(names) == len(set(names)) and "" not in names else f"Sec-WebSocket-Protocol is {names!r}"


def _server_fields(head: Head) -> str | None:
    return "Sec-WebSocket-Accept is for servers" if head.all("Sec-WebSocket-Accept") else None


_REQUEST: Final = (
    ("the first line is one of GET and HTTP/1.1", _first_line),
    ("the target is a path, or absolute, and has no fragment", _target),
    ("Host is there, once", _host),
    ("Upgrade has 'websocket'", _upgrade),
    ("Connection has 'Upgrade'", _connection),
    ("Sec-WebSocket-Version is 13", _version),
    ("Sec-WebSocket-Key is the base64 of 16 bytes", _key),
    ("nothing that must not be repeated is", _repeated),
    ("subprotocols are there once each", _subprotocols),
    ("no fields of a response", _server_fields),
)

# -------------------------------------------------------------------------------------------------- to be accepted

_VALID: Final = (
    ("nothing special", response()),
    ("no reason", response(first_line="HTTP/1.1 101 ")),
    ("another reason", response(first_line="HTTP/1.1 101 Web Socket Protocol Handshake")),
    ("names in lower case", response((name.lower(), value) for name, value in RESPONSE)),
    ("names in upper case", response((name.upper(), value) for name, value in RESPONSE)),
    ("Upgrade: WebSocket", answering("Upgrade", "WebSocket")),
    ("Upgrade: WEBSOCKET", answering("Upgrade", "WEBSOCKET")),
    ("Connection: upgrade", answering("Connection", "upgrade")),
    ("Connection: keep-alive, Upgrade", answering("Connection", "keep-alive, Upgrade")),
    ("Connection: keep-alive and, in another line, Upgrade", answering("Connection", "keep-alive", "Upgrade")),
    ("fields in reverse order", response(reversed(RESPONSE))),
    ("no space behind the colons", response().replace(": ", ":")),
    ("spaces around the values", response((name, f"   {value}   ") for name, value in RESPONSE)),
    ("unknown fields", more(("Server", "x/1 (y)"), ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("X-Empty", ""))),
    ("a cookie", more(("Set-Cookie", "a=b; HttpOnly"), ("Set-Cookie", "c=d"))),
    ("a field of 2000 bytes", more(("X-Long", "x" * 2000))),
    ("40 unknown fields", more(*((f"X-Field-{number}", "x") for number in range(40)))),
)


def _arrivals() -> Iterator[tuple[str, Steps]]:
    yield "byte by byte", (Accepts(write_size=1, gap=0.001), *_ECHO)
    yield "in pieces of 17 bytes with pauses of 10 ms", (Accepts(write_size=17, gap=0.01), *_ECHO)
    yield "with a message in the same write", (Accepts(behind=(text("first"),)), ExpectMessage("first"), *_ECHO)
    yield (
        "with a ping and two messages in the same write",
        (
            Accepts(behind=(ping(b"early"), text("first"), text("second"))),
            ExpectPong(b"early"),
            ExpectMessage("first"),
            ExpectMessage("second"),
        ),
    )
    frame = text("first")
    yield (
        "with half a message in the same write",
        (
            Accepts(behind=(Part(frame, stop=2),)),
            send(Part(frame, start=2)),
            ExpectMessage("first"),
        ),
    )


# ----------------------------------------------------------------------------------------------------- to be refused

#: Without a body, so that a client need not wait for one.
_STATUSES: Final = tuple(
    (line, response((*RESPONSE, ("Content-Length", "0")), line))
    for line in (
        "HTTP/1.1 200 OK",
        "HTTP/1.1 201 Created",
        "HTTP/1.1 400 Bad Request",
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.1 404 Not Found",
        "HTTP/1.1 426 Upgrade Required",
        "HTTP/1.1 500 Internal Server Error",
        "HTTP/1.1 503 Service Unavailable",
    )
)

_LINES: Final = tuple(
    (line, response(first_line=line))
    for line in (
        "HTTP/1.1 1010 Switching Protocols",
        "HTTP/1.1 10 Switching Protocols",
        "HTTP/1.1 101x Switching Protocols",
        "HTTP/1.1",
        "WebSocket/13 101 Switching Protocols",
        "101 Switching Protocols",
    )
)

_SOME_TOKEN: Final = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

_FIELDS: Final = (
    ("no Upgrade", without("Upgrade")),
    ("Upgrade: h2c", answering("Upgrade", "h2c")),
    ("Upgrade: web socket", answering("Upgrade", "web socket")),
    ("no Connection", without("Connection")),
    ("Connection: close", answering("Connection", "close")),
    ("Connection: not-upgrade", answering("Connection", "not-upgrade")),
    ("no Sec-WebSocket-Accept", without("Sec-WebSocket-Accept")),
    ("an empty Sec-WebSocket-Accept", answering("Sec-WebSocket-Accept", "")),
    ("the token of another key", answering("Sec-WebSocket-Accept", _SOME_TOKEN)),
    ("the key instead of the token", answering("Sec-WebSocket-Accept", "{key}")),
    ("a token with a letter more", answering("Sec-WebSocket-Accept", "{accept}x")),
    ("a token in quotes", answering("Sec-WebSocket-Accept", '"{accept}"')),
    ("two tokens", answering("Sec-WebSocket-Accept", _SOME_TOKEN, "{accept}")),
    ("a subprotocol that is not offered", more(("Sec-WebSocket-Protocol", "x-not-offered"))),
    ("two subprotocols that are not offered", more(("Sec-WebSocket-Protocol", "x-not-offered, x-neither"))),
    ("an extension that is not offered", more(("Sec-WebSocket-Extensions", "x-not-offered"))),
    ("an extension with parameters that is not offered", more(("Sec-WebSocket-Extensions", "x-not-offered; a=1"))),
    (
        "permessage-deflate, with a parameter that does not exist",
        more(("Sec-WebSocket-Extensions", "permessage-deflate; x-not-a-parameter")),
    ),
    (
        "permessage-deflate twice",
        more(("Sec-WebSocket-Extensions", "permessage-deflate, permessage-deflate")),
    ),
)

_NOT_HTTP: Final = (
    ("a line without colon", response().replace("Connection:", "Nonsense\r\nConnection:", 1)),
    ("a space before a colon", response().replace("Connection:", "Connection :", 1)),
    ("a field without name", more(("", "x"))),
    ("a name with a space", more(("X Name", "x"))),
    ("not HTTP at all", "220 mail.example.com ESMTP\r\n\r\n"),
    ("a frame instead of a response", "\x81\x05Hello\r\n\r\n"),
)

_ENDED_BY_LF: Final = response().replace("\r\n", "\n")

_REPAIRABLE: Final = (
    ("a NUL in a value", more(("X-Null", "a\0b"))),
    ("HTTP/1.0", response(first_line="HTTP/1.0 101 Switching Protocols")),
    ("no space behind the status", response(first_line="HTTP/1.1 101")),
    ("an extension that is empty", more(("Sec-WebSocket-Extensions", ""))),
    ("200 KB of fields", more(*((f"X-Field-{number}", "x" * 1000) for number in range(200)))),
    ("a field of 1 MB", more(("X-Long", "x" * 1_000_000))),
)

RESPONSES: Final = (
    *family(
        "handshake.21",
        "RFC 6455 §4.1",
        "A client's request has what it needs, and is well formed.",
        [(title, (AsksFor(fault), *_ECHO)) for title, fault in _REQUEST],
        peers=CLIENTS,
        opening=None,
    ),
    *family(
        "handshake.22",
        "RFC 6455 §4.1",
        "A response that has what it needs opens the connection, however it is written.",
        [(title, (Accepts(head), *_ECHO)) for title, head in _VALID],
        peers=CLIENTS,
        opening=None,
    ),
    *family(
        "handshake.23",
        "RFC 6455 §4.1",
        "How the bytes of a response, and those behind it, arrive makes no difference.",
        _arrivals(),
        peers=CLIENTS,
        opening=None,
    ),
    *family(
        "handshake.24",
        "RFC 6455 §4.1",
        "A status that is not 101 opens nothing.",
        [(title, (GivesUp(head),)) for title, head in (*_STATUSES, *_LINES)],
        peers=CLIENTS,
        opening=None,
    ),
    *family(
        "handshake.25",
        "RFC 6455 §4.1",
        "A client MUST fail the connection when a field is missing, or says what it must not say.",
        [(title, (GivesUp(head),)) for title, head in _FIELDS],
        peers=CLIENTS,
        opening=None,
    ),
    *family(
        "handshake.26",
        "RFC 9112 §5.1",
        "What is not HTTP opens nothing.",
        [(title, (GivesUp(head),)) for title, head in _NOT_HTTP],
        peers=CLIENTS,
        opening=None,
    ),
    *family(
        "handshake.27",
        "RFC 9112 §2.2",
        "A client may take LF for the end of a line, and repair some faults; those it is safer to give up for.",
        [
            ("lines that end in LF alone", (GivesUp(_ENDED_BY_LF, Verdict.PASS),)),
            *((title, (GivesUp(head, Verdict.LAX),)) for title, head in _REPAIRABLE),
        ],
        peers=CLIENTS,
        opening=None,
    ),
)
