"""The bytes that clients send: the opening request, and frames ready to go."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

from wsproto_core.frames import Frame, Opcode

__all__ = ["CLOSE", "KEY", "TAIL", "deflated", "deflated_frame", "request", "text"]

#: One key for all: a server cannot tell.
KEY: Final = b"\x37\xfa\x21\x3d"
#: What a compressed message lacks (RFC 7692 section 7.2.1).
TAIL: Final = b"\x00\x00\xff\xff"


def request(*, deflate: bool = False) -> bytes:
    """An opening handshake, as a browser's engine would have it at least."""
    lines = [
        "GET / HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *(["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"] if deflate else []),  # as browsers
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def text(size: int, *, masked: bool = True) -> bytes:
    """A text message of ``size`` bytes, all ASCII."""
    return bytes(Frame(Opcode.TEXT, b"x" * size, mask=KEY if masked else None))


def deflated(messages: Iterable[bytes]) -> list[bytes]:
    """The payloads of messages that are compressed one after the other (RFC 7692 section 7.2.1)."""
    compressor = zlib.compressobj(wbits=-15)
    return [(compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL) for data in messages]


def deflated_frame(payload: bytes) -> bytes:
    """The frame of a compressed text message."""
    return bytes(Frame(Opcode.TEXT, payload, reserved=4, mask=KEY))


#: A close frame with code 1000.
CLOSE: Final = bytes(Frame(Opcode.CLOSE, (1000).to_bytes(2, "big"), mask=KEY))
