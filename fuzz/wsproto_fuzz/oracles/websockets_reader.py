"""What the ``websockets`` library makes of a peer's bytes, by its sans-I/O protocol."""

from __future__ import annotations

from collections.abc import Iterable

from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, SERVER, Protocol

from wsproto_core import CloseCode, Message, Ping, Pong

from ..strategies import DeflateTerms
from .reading import Reading

__all__ = ["read_with_websockets"]


def read_with_websockets(pieces: Iterable[bytes], *, masked: bool, terms: DeflateTerms | None = None) -> Reading:
    """What ``websockets`` makes of ``pieces`` from a peer that masks, or does not, on an open connection.

    Its protocol hands over frames: whether a text is UTF-8 is found out here, at the end of the message.
    """
    protocol = Protocol(SERVER if masked else CLIENT, max_size=None)
    protocol.extensions = [] if terms is None else [_extension(terms, masked=masked)]
    for piece in pieces:
        protocol.receive_data(piece)
    return _Translation(protocol).reading()


def _extension(terms: DeflateTerms, *, masked: bool) -> Extension:
    server = (terms.server_no_context_takeover, terms.server_max_window_bits)
    client = (terms.client_no_context_takeover, terms.client_max_window_bits)
    remote, local = (client, server) if masked else (server, client)
    return PerMessageDeflate(remote[0], local[0], remote[1], local[1])


class _Translation:
    """Frames into messages."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._told: list[Message | Ping | Pong] = []
        self._gathered: list[Frame] = []
        self._goodbye: tuple[int, str] | None = None

    def reading(self) -> Reading:
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame), "the connection is open, so no handshake comes"
            try:
                self._take(frame)
            except UnicodeDecodeError:
                return Reading(tuple(self._told), None, CloseCode.INVALID_PAYLOAD)
        failed = self._protocol.parser_exc is not None
        sent = self._protocol.close_sent
        failure = int(sent.code) if failed and sent is not None else None
        return Reading(tuple(self._told), None if failed else self._goodbye, failure)

    def _take(self, frame: Frame) -> None:
        payload = bytes(frame.data)
        match frame.opcode:
            case Opcode.PING:
                self._told.append(Ping(payload))
            case Opcode.PONG:
                self._told.append(Pong(payload))
            case Opcode.CLOSE:
                code = int.from_bytes(payload[:2], "big") if payload else CloseCode.NO_STATUS_RECEIVED
                self._goodbye = code, payload[2:].decode()
            case _:
                self._gathered.append(frame)
                if frame.fin:
                    self._told.append(self._message())

    def _message(self) -> Message:
        frames, self._gathered = self._gathered, []
        payload = b"".join(bytes(frame.data) for frame in frames)
        return payload.decode() if frames[0].opcode is Opcode.TEXT else payload
