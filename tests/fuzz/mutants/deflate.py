"""permessage-deflate (RFC 7692) of the reference peer: what is agreed on, and the two halves of one connection."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

__all__ = ["Corrupt", "Deflate", "Terms", "TooBig"]

#: The end of every flush, which the wire does without (RFC 7692 §7.2.1).
TAIL = b"\x00\x00\xff\xff"


class Corrupt(Exception):
    """Not DEFLATE."""


class TooBig(Exception):
    """A message that inflates to more than allowed."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What both sides keep to (RFC 7692 §7.1)."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | None = None

    def __str__(self) -> str:
        """As in Sec-WebSocket-Extensions."""
        flags = ("server_no_context_takeover", "client_no_context_takeover")
        bits = ("server_max_window_bits", "client_max_window_bits")
        words = ["permessage-deflate", *(name for name in flags if getattr(self, name))]
        words += [f"{name}={getattr(self, name)}" for name in bits if getattr(self, name) is not None]
        return "; ".join(words)


class Deflate:
    """One connection's compressor and inflater."""

    def __init__(self, terms: Terms, is_server: bool) -> None:
        own, other = ("server", "client") if is_server else ("client", "server")
        self.own_bits: int = getattr(terms, f"{own}_max_window_bits") or 15
        self.own_restarts: bool = getattr(terms, f"{own}_no_context_takeover")
        self.other_bits: int = getattr(terms, f"{other}_max_window_bits") or 15
        self.other_restarts: bool = getattr(terms, f"{other}_no_context_takeover")
        self.compressor = self.new_compressor()
        self.inflater = self.new_inflater()

    def new_compressor(self) -> zlib._Compress:
        """zlib has no window of 8 bits: stored blocks look back nowhere."""
        return zlib.compressobj(0 if self.own_bits == 8 else 6, zlib.DEFLATED, -max(9, self.own_bits))

    def new_inflater(self) -> zlib._Decompress:
        """A window that is larger than needed does no harm."""
        return zlib.decompressobj(-max(9, self.other_bits))

    def compress(self, message: bytes) -> bytes:
        """A whole message (RFC 7692 §7.2.1)."""
        data = self.compressor.compress(message) + self.compressor.flush(zlib.Z_SYNC_FLUSH)
        self.message_compressed()
        return self.strip(data)

    def message_compressed(self) -> None:
        """Keep the context for the next message, or not (RFC 7692 §7.1.1)."""
        if self.own_restarts:
            self.compressor = self.new_compressor()

    def strip(self, data: bytes) -> bytes:
        """Take the tail away (RFC 7692 §7.2.1)."""
        return data.removesuffix(TAIL)

    def inflate(self, data: bytes, room: int) -> bytes:
        """A piece of a message. Raises :exc:`Corrupt`, or :exc:`TooBig` for more than ``room`` bytes."""
        inflated = bytearray()
        while data:
            try:
                inflated += self.inflater.decompress(data, room + 1 - len(inflated))
            except zlib.error as error:
                raise Corrupt(str(error)) from None
            if len(inflated) > room:
                raise TooBig
            data = self.inflater.unused_data
            if self.inflater.eof:  # a block with BFINAL: what follows is a new stream (RFC 7692 §7.2.3.4)
                self.inflater = self.new_inflater()
        return bytes(inflated)

    def finish(self, room: int) -> bytes:
        """The rest of a message (RFC 7692 §7.2.2)."""
        rest = self.inflate(TAIL, room)
        self.message_inflated()
        return rest

    def message_inflated(self) -> None:
        """Keep the context for the next message, or not (RFC 7692 §7.1.1)."""
        if self.other_restarts:
            self.inflater = self.new_inflater()
