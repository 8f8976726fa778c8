"""What the ``wsproto`` library makes of a peer's bytes."""

from __future__ import annotations

from collections.abc import Iterable

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage
from wsproto.events import Event as TheirEvent
from wsproto.events import Ping as TheirPing
from wsproto.events import Pong as TheirPong
from wsproto.extensions import Extension, PerMessageDeflate

from wsproto_core import Message, Ping, Pong

from ..strategies import DeflateTerms
from .reading import Reading

__all__ = ["read_with_wsproto"]


def read_with_wsproto(pieces: Iterable[bytes], *, masked: bool, terms: DeflateTerms | None = None) -> Reading:
    """What ``wsproto`` makes of ``pieces`` from a peer that masks, or does not, on an open connection.

    It does not know that compressed data may hold a last block (RFC 7692 §7.2.3.4).
    """
    side = ConnectionType.SERVER if masked else ConnectionType.CLIENT
    translation = _Translation(Connection(side, [] if terms is None else [_extension(terms)]))
    for piece in pieces:
        if translation.is_over:
            break
        translation.read(piece)
    return translation.reading()


def _extension(terms: DeflateTerms) -> Extension:
    extension = PerMessageDeflate()
    extension.finalize(terms.header)
    return extension


class _Translation:
    """Their events into ours, parts of messages into messages."""

    def __init__(self, connection: Connection) -> None:
        self.is_over = False
        self._connection = connection
        self._told: list[Message | Ping | Pong] = []
        self._text = ""
        self._binary = b""
        self._goodbye: tuple[int, str] | None = None
        self._failure: int | None = None

    def read(self, piece: bytes) -> None:
        self._connection.receive_data(piece)
        for event in self._connection.events():
            self._take(event)

    def reading(self) -> Reading:
        return Reading(tuple(self._told), self._goodbye, self._failure)

    def _take(self, event: TheirEvent) -> None:
        match event:
            case TheirPing(payload):
                self._told.append(Ping(bytes(payload)))
            case TheirPong(payload):
                self._told.append(Pong(bytes(payload)))
            case TextMessage():
                self._text += event.data
                if event.message_finished:
                    self._told.append(self._text)
                    self._text = ""
            case BytesMessage():
                self._binary += bytes(event.data)
                if event.message_finished:
                    self._told.append(self._binary)
                    self._binary = b""
            case CloseConnection():
                self._end(event)
            case _:
                raise AssertionError(f"an open connection that is only fed told {event!r}")

    def _end(self, event: CloseConnection) -> None:
        """A close frame of the peer, or a failure, which leaves the connection as it was."""
        self.is_over = True
        if self._connection.state is ConnectionState.OPEN:
            self._failure = int(event.code)
        else:
            self._goodbye = int(event.code), event.reason or ""
