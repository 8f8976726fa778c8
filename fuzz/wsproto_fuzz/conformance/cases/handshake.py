"""The opening handshake (RFC 6455 §4): what servers must make of requests, and clients of responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...wire import text
from ..case import SERVERS, Steps, family
from ..expecting import ExpectMessage
from ..requests import REQUEST, Opens, Refuses, more, request, swapped, without
from ..steps import send
from ..verdict import Verdict
from .handshake_responses import RESPONSES

__all__ = ["CASES"]

_ECHO: Final[Steps] = (send(text("Hello")), ExpectMessage("Hello"))


_KEYS: Final = (
    ("the key of the example in RFC 6455 §1.3", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("a key with + and / in it", "++//++//++//++//++//+w=="),
    ("a key of zeros", "AAAAAAAAAAAAAAAAAAAAAA=="),
)


def _opened(titled: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, Steps]]:
    for title, head in titled:
        yield title, (Opens(head), *_ECHO)


def _refused(titled: tuple[tuple[str, str], ...], if_opened: Verdict = Verdict.FAIL) -> Iterator[tuple[str, Steps]]:
    for title, head in titled:
        yield title, (Refuses(head, if_opened=if_opened),)


# ----------------------------------------------------------------------------------------------- valid, if somewhat odd

_VALID: Final = (
    ("nothing special", request()),
    ("names in lower case", request((name.lower(), value) for name, value in REQUEST)),
    ("names in upper case", request((name.upper(), value) for name, value in REQUEST)),
    ("Upgrade: WebSocket", swapped("Upgrade", "WebSocket")),
    ("Upgrade: WEBSOCKET", swapped("Upgrade", "WEBSOCKET")),
    ("Connection: upgrade", swapped("Connection", "upgrade")),
    ("Connection: UPGRADE", swapped("Connection", "UPGRADE")),
    ("Connection: keep-alive, Upgrade", swapped("Connection", "keep-alive, Upgrade")),
    ("Connection: Upgrade,keep-alive", swapped("Connection", "Upgrade,keep-alive")),
    ("Connection: keep-alive and, in another line, Upgrade", swapped("Connection", "keep-alive", "Upgrade")),
    ("Connection with empty elements", swapped("Connection", ", ,Upgrade, ,")),
    ("fields in reverse order", request(reversed(REQUEST))),
    ("no space behind the colons", request().replace(": ", ":")),
    ("many spaces around the values", request((name, f"     {value}     ") for name, value in REQUEST)),
    ("tabs around the values", request((name, f"\t{value}\t") for name, value in REQUEST)),
    (
        "fields of a browser",
        more(("Origin", "http://{authority}"), ("User-Agent", "x/1 (y; z)"), ("Cookie", "a=b; c=d")),
    ),
    ("a field without value", more(("X-Empty", ""))),
    ("a value outside ASCII", more(("X-Name", "Gr\xf6\xdfe"))),
    ("the same unknown field three times", more(*[("X-Again", "x")] * 3)),
    ("40 unknown fields", more(*((f"X-Field-{number}", "x") for number in range(40)))),
    ("a field of 2000 bytes", more(("X-Long", "x" * 2000))),
    ("an unknown Sec-WebSocket field", more(("Sec-WebSocket-Unknown", "x"))),
    ("a query in the target", request(first_line="GET {target}?a=b&c=%20d HTTP/1.1")),
    ("a target in absolute form", request(first_line="GET http://{authority}{target} HTTP/1.1")),
)

#: What a server should take, and may refuse.
_DEBATABLE: Final = (
    ("Upgrade: h2c, websocket", swapped("Upgrade", "h2c, websocket")),
    ("Content-Length: 0", more(("Content-Length", "0"))),
    ("an empty line before the request", "\r\n" + request()),
    ("100 unknown fields", more(*((f"X-Field-{number}", "x") for number in range(100)))),
    ("a field of 12 KB", more(("X-Long", "x" * 12_000))),
    ("a folded value, a space before its second line", more(("X-Folded", "a\r\n b"))),
)

# ---------------------------------------------------------------------------------------------------- to be refused

_METHODS: Final = tuple(
    (f"{method} instead of GET", request(first_line=f"{method} {{target}} HTTP/1.1"))
    for method in ("POST", "PUT", "DELETE", "PATCH", "get", "GETX")
)

_PROTOCOLS: Final = (
    ("HTTP/1.0", request(first_line="GET {target} HTTP/1.0")),
    ("HTTP/0.9: a target and nothing behind it", request(first_line="GET {target}")),
    ("HTTP/2.0", request(first_line="GET {target} HTTP/2.0")),
    ("a protocol that is not HTTP", request(first_line="GET {target} WebSocket/13")),
    ("http/1.1 in lower case", request(first_line="GET {target} http/1.1")),
)

_FIELDS: Final = (
    ("no Host", without("Host")),
    ("two Hosts", swapped("Host", "{authority}", "example.com")),
    ("no Sec-WebSocket-Key", without("Sec-WebSocket-Key")),
    ("an empty key", swapped("Sec-WebSocket-Key", "")),
    ("a key of 15 bytes", swapped("Sec-WebSocket-Key", "eHh4eHh4eHh4eHh4eHh4")),
    ("a key of 17 bytes", swapped("Sec-WebSocket-Key", "eHh4eHh4eHh4eHh4eHh4eHg=")),
    ("a key that is not base64", swapped("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!==")),
    ("a key without its padding", swapped("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ")),
    ("two keys", swapped("Sec-WebSocket-Key", "{key}", "dGhlIHNhbXBsZSBub25jZQ==")),
    ("two keys in one line", swapped("Sec-WebSocket-Key", "{key}, dGhlIHNhbXBsZSBub25jZQ==")),
)

_NO_UPGRADE: Final = (
    ("no Upgrade", without("Upgrade")),
    ("Upgrade: h2c", swapped("Upgrade", "h2c")),
    ("Upgrade: websockets", swapped("Upgrade", "websockets")),
    ("Upgrade: web socket", swapped("Upgrade", "web socket")),
    ("no Connection", without("Connection")),
    ("Connection: keep-alive", swapped("Connection", "keep-alive")),
    ("Connection: not-upgrade", swapped("Connection", "not-upgrade")),
    ("nothing but Host", request(REQUEST[:1])),
)

_VERSIONS: Final = tuple(
    (f"version {version}", swapped("Sec-WebSocket-Version", version))
    for version in ("0", "12", "14", "99", "113", "255")
)

_STRANGE_VERSIONS: Final = (
    ("no version", without("Sec-WebSocket-Version")),
    ("an empty version", swapped("Sec-WebSocket-Version", "")),
    ("version 'abc'", swapped("Sec-WebSocket-Version", "abc")),
    ("version 13.0", swapped("Sec-WebSocket-Version", "13.0")),
    ("version -13", swapped("Sec-WebSocket-Version", "-13")),
    ("version 1 3", swapped("Sec-WebSocket-Version", "1 3")),
)

_NOT_HTTP: Final = (
    ("a space before a colon", request().replace("Upgrade:", "Upgrade :", 1)),
    ("a line without colon", request().replace("Upgrade: websocket", "Upgrade: websocket\r\nNonsense", 1)),
    ("a field without name", more(("", "x"))),
    ("a space in the name of a field", more(("X Name", "x"))),
    ("a NUL in the name of a field", more(("X\0Name", "x"))),
    ("a name outside ASCII", more(("X-Gr\xf6\xdfe", "x"))),
    ("a space in the target", request(first_line="GET {target}a b HTTP/1.1")),
    ("no target", request(first_line="GET HTTP/1.1")),
    ("a TLS record", "\x16\x03\x01\x00\x05hello\r\n\r\n"),
    ("two empty frames and an end of line", "\x81\x80abcd\x81\x80abcd\r\n\r\n"),
)

#: RFC 9112 §2.2 leaves the choice.
_ENDED_BY_LF: Final = (("lines that end in LF alone", request().replace("\r\n", "\n")),)

#: What RFC 9112 lets a server repair, though it need not.
_REPAIRABLE: Final = (
    ("a CR in a value", more(("X-Return", "a\rb"))),
    ("a NUL in a value", more(("X-Null", "a\0b"))),
    ("a space before the first field", request().replace("Host:", " Host:", 1)),
    ("two spaces in the first line", request(first_line="GET  {target} HTTP/1.1")),
    ("a space at the end of the first line", request(first_line="GET {target} HTTP/1.1 ")),
)

_TOO_BIG: Final = (
    ("a field of 1 MB", more(("X-Long", "x" * 1_000_000))),
    ("a target of 1 MB", request(first_line="GET {target}" + "x" * 1_000_000 + " HTTP/1.1")),
    ("20 000 fields", more(*((f"X-Field-{number}", "x") for number in range(20_000)))),
    ("1 MB without an end of line", "x" * 1_000_000),
)


# ------------------------------------------------------------------------------------------- subprotocols, extensions


def _subprotocols() -> Iterator[tuple[str, Steps]]:
    name = "Sec-WebSocket-Protocol"
    offers: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
        ("one is offered", ("chat",), ("chat",)),
        ("three are offered", ("chat, superchat, x-1",), ("chat", "superchat", "x-1")),
        ("two are offered in two lines", ("chat", "superchat"), ("chat", "superchat")),
        ("they differ in case only", ("Chat,chat",), ("Chat", "chat")),
        ("one has every kind of character", ("!#$%&'*+-.^_`|~09azAZ",), ("!#$%&'*+-.^_`|~09azAZ",)),
        ("fifty are offered", (", ".join(f"x-{number}" for number in range(50)),), tuple(f"x-{n}" for n in range(50))),
    )
    for title, lines, subprotocols in offers:
        yield title, (Opens(more(*((name, line) for line in lines)), subprotocols=subprotocols), *_ECHO)


_EXTENSIONS: Final = tuple(
    (f"Sec-WebSocket-Extensions: {value}", more(("Sec-WebSocket-Extensions", value)))
    for value in (
        "x-unheard-of",
        "x-unheard-of; a; b=1; c=d",
        "x-unheard-of, x-also-unheard-of",
        'x-unheard-of; a="b"',
        "x-permessage-deflate",
        "permessage-deflate-2; client_max_window_bits",
        "x-webkit-deflate-frame",
    )
)

_BAD_EXTENSIONS: Final = tuple(
    (f"Sec-WebSocket-Extensions: {value}", more(("Sec-WebSocket-Extensions", value)))
    for value in (
        "=",
        ";",
        "x-unheard-of;",
        "x-unheard-of; =1",
        "x-unheard-of; a=",
        'x-unheard-of; a="b',
        "x unheard of",
    )
)


def _slow() -> Iterator[tuple[str, Steps]]:
    yield "byte by byte", (Opens(write_size=1), *_ECHO)
    yield "byte by byte, with a pause of 1 ms behind each", (Opens(write_size=1, gap=0.001), *_ECHO)
    for size in (len(request()) // 2, 17):
        yield f"in pieces of {size} bytes with pauses of 10 ms", (Opens(write_size=size, gap=0.01), *_ECHO)


_REFUSE: Final = "A server that finds a request not to match MUST return an appropriate error code, such as 400."
_NOT_101: Final = range(200, 500)

CASES: Final = (
    *family(
        "handshake.1",
        "RFC 6455 §4.2.1",
        "A request that has what it needs opens the connection, however it is written.",
        _opened(_VALID),
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "handshake.2",
        "RFC 6455 §4.2.2",
        "Sec-WebSocket-Accept is the SHA-1 digest of the key and the GUID.",
        [(title, (Opens(key=key), *_ECHO)) for title, key in _KEYS],
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "handshake.3",
        "RFC 9110 §7.8",
        "A request that is unusual opens the connection, or is refused in good order.",
        [(title, (Opens(head, may_refuse=True), *_ECHO)) for title, head in _DEBATABLE],
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "handshake.4",
        "RFC 6455 §4.2.1",
        "How the bytes of a request arrive makes no difference.",
        _slow(),
        peers=SERVERS,
        opening=None,
    ),
    *family("handshake.5", "RFC 6455 §4.2.1", "The method is GET.", _refused(_METHODS), peers=SERVERS, opening=None),
    *family(
        "handshake.6",
        "RFC 6455 §4.2.1",
        "The request is one of HTTP/1.1 or higher.",
        [(title, (Refuses(head, range(400, 600)),)) for title, head in _PROTOCOLS],
        peers=SERVERS,
        opening=None,
    ),
    *family("handshake.7", "RFC 6455 §4.2.1", _REFUSE, _refused(_FIELDS), peers=SERVERS, opening=None),
    *family(
        "handshake.8",
        "RFC 6455 §4.2.1",
        "A request without 'websocket' in Upgrade and 'Upgrade' in Connection does not open a connection.",
        [(title, (Refuses(head, _NOT_101),)) for title, head in _NO_UPGRADE],
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "handshake.9",
        "RFC 6455 §4.2.2",
        "A server MUST answer an unknown version by an error code and by the versions that it knows.",
        [(title, (Refuses(head, fields=(("Sec-WebSocket-Version", "13"),)),)) for title, head in _VERSIONS],
        peers=SERVERS,
        opening=None,
    ),
    *family("handshake.10", "RFC 6455 §4.2.1", _REFUSE, _refused(_STRANGE_VERSIONS), peers=SERVERS, opening=None),
    *family(
        "handshake.11",
        "RFC 9112 §5.1",
        "What is not HTTP is answered by 400, or the connection ends.",
        _refused(_NOT_HTTP),
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "handshake.12",
        "RFC 9112 §2.2",
        "A server may take LF for the end of a line, and repair some faults; those it is safer to refuse.",
        (*_refused(_ENDED_BY_LF, Verdict.PASS), *_refused(_REPAIRABLE, Verdict.LAX)),
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "handshake.13",
        "RFC 9110 §5.4",
        "A server does not take a head of any size.",
        _refused(_TOO_BIG, Verdict.LAX),
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "handshake.14",
        "RFC 6455 §4.2.2",
        "A server chooses one of the subprotocols that are offered, or none.",
        _subprotocols(),
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "handshake.15",
        "RFC 6455 §9.1",
        "A server does not agree to an extension that it does not know, and opens the connection without it.",
        _opened(_EXTENSIONS),
        peers=SERVERS,
        opening=None,
    ),
    *family(
        "handshake.16",
        "RFC 6455 §9.1",
        "A server that receives Sec-WebSocket-Extensions outside of the grammar MUST fail the connection.",
        _refused(_BAD_EXTENSIONS, Verdict.LAX),
        peers=SERVERS,
        opening=None,
    ),
    *RESPONSES,
)
