"""The opening handshake as the tester makes it, on either side (RFC 6455 §4), and how the peer's part is judged.

A case that is about the handshake itself makes its own and has no :class:`Opening`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from wsproto_core import Role

from .compression import Deflate, parse_agreement
from .heard import Head
from .talk import Play, Talk, Unimplemented

__all__ = [
    "Opening",
    "accept_token",
    "await_head",
    "begin_deflate",
    "head_bytes",
    "make_key",
    "request_faults",
    "response_faults",
]

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


@dataclass(frozen=True, slots=True)
class Opening:
    """How the tester opens a connection that the case then needs."""

    #: What a tester as a client offers in ``Sec-WebSocket-Extensions``.
    offer: str | None = None
    #: What a tester as a server answers there, if the client offered permessage-deflate.
    answer: str | None = None
    #: Further fields of the tester's head.
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def needs_deflate(self) -> bool:
        """Whether the case cannot be played without permessage-deflate."""
        return self.offer is not None or self.answer is not None

    def play(self, talk: Talk) -> Play:
        """Open. Raises :exc:`Failed` if the peer does not, :exc:`Unimplemented` if it lacks the extension."""
        yield from self._as_client(talk) if talk.peer is Role.SERVER else self._as_server(talk)

    def _as_client(self, talk: Talk) -> Play:
        key = make_key(talk)
        fields = [
            ("Host", talk.authority),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Version", "13"),
            *([("Sec-WebSocket-Extensions", self.offer)] if self.offer else []),
            *self.fields,
        ]
        talk.send_head(head_bytes(f"GET {talk.target} HTTP/1.1", fields))
        head = yield from await_head(talk)
        for fault in response_faults(head, key):
            talk.fail(f"The opening handshake failed: {fault}.")
        extensions = ", ".join(head.all("Sec-WebSocket-Extensions"))
        self._begin(talk, extensions)

    def _as_server(self, talk: Talk) -> Play:
        head = yield from await_head(talk)
        for fault in request_faults(head):
            talk.fail(f"The opening handshake failed: {fault}.")
        offers = [token.partition(";")[0].strip() for token in head.tokens("Sec-WebSocket-Extensions")]
        answer = self.answer if self.answer and "permessage-deflate" in offers else None
        fields = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_token(head.all("Sec-WebSocket-Key")[0])),
            *([("Sec-WebSocket-Extensions", answer)] if answer else []),
            *self.fields,
        ]
        talk.send_head(head_bytes("HTTP/1.1 101 Switching Protocols", fields))
        self._begin(talk, answer or "")

    def _begin(self, talk: Talk, extensions: str) -> None:
        if extensions and not self.needs_deflate:
            talk.fail(f"The opening handshake failed: it agrees to {extensions!r}, which nobody offered.")
        if self.needs_deflate:
            begin_deflate(talk, extensions)
        talk.begin_frames()


def begin_deflate(talk: Talk, extensions: str) -> None:
    """Speak permessage-deflate as ``Sec-WebSocket-Extensions`` of the response says.

    Raises :exc:`Unimplemented` if it says nothing, :exc:`Failed` if it makes no sense.
    """
    if not extensions:
        raise Unimplemented("The peer did not agree to permessage-deflate.")
    agreement = parse_agreement(extensions)
    if agreement is None:
        talk.fail(f"The opening handshake failed: it agrees to {extensions!r}, which nobody offered.")
    talk.deflate = Deflate(agreement, talk.peer)
    talk.heard.inflate = talk.deflate.inflate


def make_key(talk: Talk) -> str:
    """A new ``Sec-WebSocket-Key`` (RFC 6455 §4.1)."""
    return base64.b64encode(talk.chance.randbytes(16)).decode()


def accept_token(key: str) -> str:
    """What ``Sec-WebSocket-Accept`` must say to a key (RFC 6455 §4.2.2)."""
    digest = hashlib.sha1((key + _GUID).encode("latin-1"), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def await_head(talk: Talk) -> Generator[float, None, Head]:
    """Wait for the head of the peer's request or response. Raises :exc:`Failed` if none comes."""
    heard = talk.heard
    yield from talk.until(lambda: heard.head is not None or heard.end is not None, talk.patience)
    if heard.head is None:
        came = "nothing" if heard.end is None else "the end of the stream"
        talk.fail(f"The opening handshake failed: instead of the peer's part came {came}.")
    return heard.head


def response_faults(head: Head, key: str, subprotocols: Collection[str] = ()) -> Iterator[str]:
    """What a client that offered ``subprotocols`` must not accept in a response (RFC 6455 §4.1)."""
    if head.status != 101:
        yield f"the response is {head.first_line[:60]!r}, not 101"
        return
    yield from _upgrade_faults(head)
    tokens = head.all("Sec-WebSocket-Accept")
    if tokens != [accept_token(key)]:
        yield f"Sec-WebSocket-Accept is {tokens!r}, not {accept_token(key)!r}"
    chosen = head.all("Sec-WebSocket-Protocol")
    if len(chosen) > 1 or not set(chosen) <= set(subprotocols):
        yield f"it chooses the subprotocol {', '.join(chosen)!r}, which nobody offered"


def request_faults(head: Head) -> Iterator[str]:
    """What a server must not accept in a request (RFC 6455 §4.2.1)."""
    words = head.first_line.split(" ")
    if len(words) != 3 or words[0] != "GET" or words[2] != "HTTP/1.1":
        yield f"the request begins with {head.first_line[:60]!r}"
        return
    yield from _upgrade_faults(head)
    if len(head.all("Host")) != 1:
        yield f"there are {len(head.all('Host'))} Host fields"
    if head.all("Sec-WebSocket-Version") != ["13"]:
        yield f"Sec-WebSocket-Version is {head.all('Sec-WebSocket-Version')!r}"
    keys = head.all("Sec-WebSocket-Key")
    if len(keys) != 1 or not _is_key(keys[0]):
        yield f"Sec-WebSocket-Key is {keys!r}"


def _upgrade_faults(head: Head) -> Iterator[str]:
    if "websocket" not in head.tokens("Upgrade"):
        yield f"Upgrade is {head.all('Upgrade')!r}"
    if "upgrade" not in head.tokens("Connection"):
        yield f"Connection is {head.all('Connection')!r}"


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False


def head_bytes(first_line: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """A head with its empty line."""
    return "".join([f"{first_line}\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"]).encode("latin-1")
