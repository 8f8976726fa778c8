"""Every way to break the rules of the opening handshake, as two tables: for requests and for responses (RFC 6455 §4).

Each handshake breaks one rule; the rest of it is odd at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from hypothesis import strategies as st

from wsproto_core import Violation

from .handshakes import ACCEPT, Change, Head, HeaderLine, heads_with, requests, responses, websocket_keys

__all__ = ["REQUEST_OFFENCES", "RESPONSE_OFFENCES", "BadHandshake", "bad_requests", "bad_responses"]


@dataclass(frozen=True, slots=True)
class BadHandshake:
    """A request or a response that breaks one rule."""

    violation: Violation
    head: Head

    def __str__(self) -> str:
        return f"{self.violation.name}\n{self.head}"


def bad_requests(violations: Sequence[Violation] | None = None) -> st.SearchStrategy[BadHandshake]:
    """Requests that a server must refuse, for one of these ``violations`` or for any.

    The server answers for ``HOST`` only, and lets no other origin in than ``ORIGIN``; its limits are the default ones.
    """
    return _bad(requests(), REQUEST_OFFENCES, violations)


def bad_responses(violations: Sequence[Violation] | None = None) -> st.SearchStrategy[BadHandshake]:
    """Responses for which a client must fail the connection, for one of these ``violations`` or for any.

    The client offers the subprotocol ``chat`` and permessage-deflate without parameters; its limits are the default
    ones.
    """
    return _bad(responses(), RESPONSE_OFFENCES, violations)


def _bad(
    heads: st.SearchStrategy[Head], table: Mapping[Violation, Sequence[Change]], violations: Sequence[Violation] | None
) -> st.SearchStrategy[BadHandshake]:
    return st.one_of(
        [
            st.builds(
                BadHandshake, st.just(violation), heads_with(heads, table[violation], min_changes=1, max_changes=1)
            )
            for violation in violations or table
        ]
    )


# --- changes ----------------------------------------------------------------------------------------------------------


def _first_line(*lines: str) -> Change:
    """Another first line."""
    return lambda draw, head: replace(head, first_line=draw(st.sampled_from(lines)))


def _header(name: str, *alternatives: Sequence[str]) -> Change:
    """Another header of this name: missing, different, or more than one."""
    return lambda draw, head: head.replaced(name, *draw(st.sampled_from(alternatives)))


def _line(*lines: HeaderLine) -> Change:
    """One line more."""
    return lambda draw, head: head.extended([draw(st.sampled_from(lines))])


def _many(count: int, size: int) -> Change:
    """Many lines more, or long ones."""
    return lambda _, head: head.extended([HeaderLine(f"x-{index}", "a" * size) for index in range(count)])


def _bad_key(draw: st.DrawFn, head: Head) -> Head:
    """No key, two keys, keys of another size, keys that are not base64 or not in its one spelling."""
    key = draw(websocket_keys())
    wrong = ["", key[:-1], key + "=", key[:22], "A" * 24, f"{key[:10]} {key[10:]}", key[:-4] + "A===", "AAAA"]
    forms = [[], [key, key], *([one] for one in wrong)]
    return head.replaced("Sec-WebSocket-Key", *draw(st.sampled_from(forms)))


_GARBAGE: Final = (
    HeaderLine("no colon", "", before=""),
    HeaderLine("x-a", "b\x00c"),
    HeaderLine("x-a", "b\x7fc"),
    HeaderLine("x a", "b"),
    HeaderLine("", "b"),
    HeaderLine("x-a", "b\rc"),
)


def _broken_line(draw: st.DrawFn, head: Head) -> Head:
    """A line that is no header: no name, a name that is no token, a control character."""
    return head.extended([draw(st.sampled_from(_GARBAGE))])


def _long_target(_: st.DrawFn, head: Head) -> Head:
    return replace(head, first_line=f"GET /{'a' * 9000} HTTP/1.1")


def _wrong_accept(draw: st.DrawFn, head: Head) -> Head:
    """No answer to the key, two of them, or the answer to another one."""
    forms = [[], [""], ["x" + ACCEPT], [ACCEPT, ACCEPT], ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="], [f"{ACCEPT}, {ACCEPT}"]]
    return head.replaced("Sec-WebSocket-Accept", *draw(st.sampled_from(forms)))


# --- the tables -------------------------------------------------------------------------------------------------------

#: What makes a server refuse, and the changes that do it.
REQUEST_OFFENCES: Final[Mapping[Violation, Sequence[Change]]] = MappingProxyType(
    {
        Violation.BAD_REQUEST: (
            _first_line("GET / HTTP/1.1 x", "GET /", "GET  / HTTP/1.1", "", "hello", "GET / HTTP/11", "GET / http/1.1"),
            _broken_line,
        ),
        Violation.REQUEST_BODY: (_line(HeaderLine("Content-Length", "5"), HeaderLine("Transfer-Encoding", "chunked")),),
        Violation.METHOD_NOT_GET: (
            _first_line("POST / HTTP/1.1", "HEAD / HTTP/1.1", "get / HTTP/1.1", "OPTIONS * HTTP/1.1"),
        ),
        Violation.HTTP_VERSION: (_first_line("GET / HTTP/1.0", "GET / HTTP/2.0", "GET / HTTP/0.9"),),
        Violation.BAD_HOST: (
            _header("Host", [], ["example.com", "example.com"], [""], ["a b"], ["[::1"], ["a:b"], ["a:99999"]),
        ),
        Violation.HOST_NOT_ALLOWED: (_header("Host", ["elsewhere.example"], ["example.com.evil.example"]),),
        Violation.NO_UPGRADE: (_header("Upgrade", [], ["h2c"], ["websocket2"], [""]),),
        Violation.BAD_CONNECTION: (_header("Connection", [], ["keep-alive"], ["close"], ["upgrades"]),),
        Violation.BAD_KEY: (_bad_key,),
        Violation.UNSUPPORTED_VERSION: (
            _header("Sec-WebSocket-Version", [], ["8"], ["12"], ["14"], ["13, 8"], ["13", "13"], ["013"], [""]),
        ),
        Violation.BAD_SUBPROTOCOLS: (
            _header("Sec-WebSocket-Protocol", [""], [", ,"], ["a b"], ["chat, chat"], ["a/b"], ["(x)"]),
        ),
        Violation.BAD_EXTENSIONS: (
            _header(
                "Sec-WebSocket-Extensions", [""], ["a b"], ["a;"], ["a; b="], ['a; b="c'], ['a; b="c d"'], ["a; =b"]
            ),
        ),
        Violation.ORIGIN_NOT_ALLOWED: (
            _header(
                "Origin", ["http://elsewhere.example"], ["null"], ["http://example.com:81"], ["http://example.com@x"]
            ),
        ),
        Violation.HEADERS_TOO_BIG: (_many(1, 17_000), _many(50, 400)),
        Violation.TOO_MANY_HEADERS: (_many(101, 1),),
        Violation.TARGET_TOO_LONG: (_long_target,),
    }
)

#: What makes a client fail the connection, and the changes that do it.
RESPONSE_OFFENCES: Final[Mapping[Violation, Sequence[Change]]] = MappingProxyType(
    {
        Violation.BAD_RESPONSE: (
            _first_line("", "hello", "HTTP/2 101", "HTTP/1.1", "HTTP/1.1 1 x", "HTTP/1.1 1011 x", "GET / HTTP/1.1"),
            _broken_line,
        ),
        Violation.RESPONSE_TOO_BIG: (_many(1, 17_000), _many(101, 1)),
        Violation.RESPONSE_UPGRADE: (_header("Upgrade", [], ["h2c"], ["websocket, h2c"], ["websocket", "websocket"]),),
        Violation.RESPONSE_CONNECTION: (_header("Connection", [], ["keep-alive"], ["upgrades"]),),
        Violation.BAD_ACCEPT: (_wrong_accept,),
        Violation.SUBPROTOCOL_NOT_OFFERED: (
            _header("Sec-WebSocket-Protocol", ["other"], [""], ["Chat"], ["chat, other"], ["chat", "chat"]),
        ),
        Violation.EXTENSION_NOT_OFFERED: (
            _header("Sec-WebSocket-Extensions", ["x-other"], ["permessage-deflate, x-other"]),
        ),
        Violation.EXTENSION_PARAMETERS: (
            _header(
                "Sec-WebSocket-Extensions",
                [""],
                ["permessage-deflate; x"],
                ["permessage-deflate; server_max_window_bits=7"],
                ["permessage-deflate; server_max_window_bits"],
                ["permessage-deflate; client_max_window_bits=16"],
                ["permessage-deflate; client_no_context_takeover=1"],
                ["permessage-deflate; server_no_context_takeover; server_no_context_takeover"],
                ["permessage-deflate;"],
            ),
        ),
    }
)
