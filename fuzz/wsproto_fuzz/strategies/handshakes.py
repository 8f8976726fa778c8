"""Opening handshakes as HTTP/1.1 has them: plain ones, odd ones that are valid, and their parts (RFC 6455 §4).

A :class:`Head` is a request's or a response's head as data. A response answers a key that is not known when it is
drawn: :meth:`Head.answering` puts the answer in. Handshakes that break a rule are in ``handshake_offences``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from hypothesis import strategies as st

__all__ = [
    "ACCEPT",
    "HOST",
    "ORIGIN",
    "Head",
    "HeaderLine",
    "heads_with",
    "odd_requests",
    "odd_responses",
    "requests",
    "responses",
    "websocket_keys",
]

#: The host that requests name, and the origin, if they come from one.
HOST: Final = "example.com"
ORIGIN: Final = "http://example.com"
#: In a response, stands for the answer to the key.
ACCEPT: Final = "{accept}"

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class HeaderLine:
    """A line of a head: its name and value, and the blanks around the value."""

    name: str
    value: str
    before: str = " "
    after: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.before}{self.value}{self.after}"


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request or a response. ``bytes(head)`` is it on the wire."""

    first_line: str
    lines: tuple[HeaderLine, ...]

    def __bytes__(self) -> bytes:
        return "\r\n".join([self.first_line, *map(str, self.lines), "", ""]).encode("latin-1")

    def __str__(self) -> str:
        return "\n".join([self.first_line, *map(str, self.lines)])

    def answering(self, key: str) -> bytes:
        """The response, with the answer to ``key`` in the place of :data:`ACCEPT` (RFC 6455 §4.2.2)."""
        digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
        return bytes(self).replace(ACCEPT.encode(), base64.b64encode(digest))

    def value(self, name: str) -> str | None:
        """The value of the first line with this name, in any letter case."""
        return next((line.value for line in self.lines if line.name.lower() == name.lower()), None)

    def replaced(self, name: str, *values: str) -> Head:
        """The head with these values under ``name``, and no others: none at all removes it."""
        others = [line for line in self.lines if line.name.lower() != name.lower()]
        return replace(self, lines=(*others, *(HeaderLine(name, value) for value in values)))

    def extended(self, lines: Sequence[HeaderLine]) -> Head:
        """The head with further lines."""
        return replace(self, lines=(*self.lines, *lines))


def websocket_keys() -> st.SearchStrategy[str]:
    """Values of ``Sec-WebSocket-Key``: 16 bytes in base64."""
    return st.binary(min_size=16, max_size=16).map(lambda nonce: base64.b64encode(nonce).decode())


@st.composite
def requests(draw: st.DrawFn) -> Head:
    """Opening handshakes as clients usually send them. Shrinks towards the shortest."""
    head = _request(draw(websocket_keys()), draw(_targets()))
    optional = [
        HeaderLine("Origin", ORIGIN),
        HeaderLine("Sec-WebSocket-Protocol", "chat, superchat"),
        HeaderLine("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        HeaderLine("User-Agent", "Mozilla/5.0"),
    ]
    return head.extended(draw(st.lists(st.sampled_from(optional), max_size=4, unique=True)))


def odd_requests() -> st.SearchStrategy[Head]:
    """Opening handshakes that are unusual in any number of ways, and valid (RFC 6455 §4.2.1, RFC 9110 §5)."""
    return heads_with(requests(), _ODD_REQUESTS, min_changes=1, max_changes=4)


def responses() -> st.SearchStrategy[Head]:
    """Responses as servers usually send them, with nothing negotiated."""
    return st.just(_RESPONSE)


def odd_responses() -> st.SearchStrategy[Head]:
    """Responses that are unusual in any number of ways, and valid (RFC 6455 §4.1)."""
    return heads_with(responses(), _ODD_RESPONSES, min_changes=1, max_changes=4)


#: A change to a head.
Change: TypeAlias = Callable[[st.DrawFn, Head], Head]


@st.composite
def heads_with(
    draw: st.DrawFn, heads: st.SearchStrategy[Head], changes: Sequence[Change], *, min_changes: int, max_changes: int
) -> Head:
    """Heads with some of these changes made to each, one after the other."""
    head = draw(heads)
    for change in draw(st.lists(st.sampled_from(changes), min_size=min_changes, max_size=max_changes, unique=True)):
        head = change(draw, head)
    return head


# --- the plain ones ---------------------------------------------------------------------------------------------------


def _request(key: str, target: str) -> Head:
    fields = {
        "Host": HOST,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    return Head(f"GET {target} HTTP/1.1", tuple(HeaderLine(name, value) for name, value in fields.items()))


_RESPONSE: Final = Head(
    "HTTP/1.1 101 Switching Protocols",
    (
        HeaderLine("Upgrade", "websocket"),
        HeaderLine("Connection", "Upgrade"),
        HeaderLine("Sec-WebSocket-Accept", ACCEPT),
    ),
)


def _targets() -> st.SearchStrategy[str]:
    return st.sampled_from(["/", "/chat", "/chat?room=1&x", "/%C3%A9/..//?", "/" + "a" * 2000])


# --- what is odd, and right -------------------------------------------------------------------------------------------


def _letter_case(draw: st.DrawFn, head: Head) -> Head:
    """Names of headers have no letter case (RFC 9110 §5.1)."""
    change = draw(st.sampled_from([str.lower, str.upper]))
    return replace(head, lines=tuple(replace(line, name=change(line.name)) for line in head.lines))


def _blanks(draw: st.DrawFn, head: Head) -> Head:
    """Blanks around a value mean nothing (RFC 9110 §5.5)."""
    before, after = draw(st.sampled_from(["", "  ", "\t"])), draw(st.sampled_from(["", " ", " \t "]))
    return replace(head, lines=tuple(replace(line, before=before, after=after) for line in head.lines))


def _order(draw: st.DrawFn, head: Head) -> Head:
    """The order of different headers means nothing (RFC 9110 §5.3)."""
    return replace(head, lines=tuple(draw(st.permutations(head.lines))))


def _unknown(draw: st.DrawFn, head: Head) -> Head:
    """Unknown headers are ignored, with any value that the grammar allows (RFC 9110 §5.1, §5.5)."""
    names = st.text(_LETTERS, min_size=1, max_size=10).map(lambda name: f"x-{name}")
    values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20)
    clean = values.map(lambda value: "".join(c for c in value if not "\x7f" <= c < "\xa0").strip(" \t"))
    return head.extended(draw(st.lists(st.builds(HeaderLine, names, clean), min_size=1, max_size=5)))


def _upgrade_in_capitals(draw: st.DrawFn, head: Head) -> Head:
    """The value of Upgrade has no letter case (RFC 6455 §4.1, §4.2.1)."""
    return head.replaced("Upgrade", draw(st.sampled_from(["WebSocket", "WEBSOCKET", "webSocket"])))


def _connection_list(draw: st.DrawFn, head: Head) -> Head:
    """Connection is a list of options, without letter case, also over several lines (RFC 9110 §7.6.1)."""
    forms = [["keep-alive, Upgrade"], ["upgrade"], ["UPGRADE,x"], [" , Upgrade ,"], ["keep-alive", "Upgrade"]]
    return head.replaced("Connection", *draw(st.sampled_from(forms)))


def _subprotocols(draw: st.DrawFn, head: Head) -> Head:
    """Subprotocols may come on several lines, with empty elements between them (RFC 6455 §11.3.4)."""
    forms = [["chat", "superchat"], [",chat,,superchat,"], ["v1.chat+json!#$%&'*"], ["a,b,c,d,e,f,g,h"]]
    return head.replaced("Sec-WebSocket-Protocol", *draw(st.sampled_from(forms)))


def _extensions(draw: st.DrawFn, head: Head) -> Head:
    """Extensions that nobody knows are declined, and so are offers that nobody can meet (RFC 6455 §9.1)."""
    forms = [
        ["x-unknown; a=1; b"],
        ["permessage-deflate", "x-other"],
        ['permessage-deflate; client_max_window_bits="10"'],
        ["permessage-deflate; server_max_window_bits=8, permessage-deflate"],
        ["permessage-deflate; x=1, permessage-deflate; server_max_window_bits=99"],
        ["permessage-deflate; client_max_window_bits; client_max_window_bits"],
        [" , permessage-deflate ; server_no_context_takeover ,, "],
    ]
    return head.replaced("Sec-WebSocket-Extensions", *draw(st.sampled_from(forms)))


def _absolute_target(_: st.DrawFn, head: Head) -> Head:
    """A target may be a whole URI (RFC 9112 §3.2.2)."""
    return replace(head, first_line=f"GET http://{HOST}/ HTTP/1.1")


def _no_content(draw: st.DrawFn, head: Head) -> Head:
    """No body, and said so."""
    return head.replaced("Content-Length", draw(st.sampled_from(["0"])))


def _phrase(draw: st.DrawFn, head: Head) -> Head:
    """What follows the status is for people (RFC 9112 §4)."""
    phrase = draw(st.sampled_from(["", "OK", "Web Socket Protocol Handshake", "\xe9 101"]))
    return replace(head, first_line=f"HTTP/1.1 101 {phrase}")


_ODD: Final[tuple[Change, ...]] = (_letter_case, _blanks, _order, _unknown, _upgrade_in_capitals, _connection_list)
_ODD_REQUESTS: Final[tuple[Change, ...]] = (*_ODD, _subprotocols, _extensions, _absolute_target, _no_content)
_ODD_RESPONSES: Final[tuple[Change, ...]] = (*_ODD, _phrase)
