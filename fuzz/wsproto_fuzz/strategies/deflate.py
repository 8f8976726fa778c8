"""permessage-deflate as a sender may speak it (RFC 7692): parameters, and every way to compress a message.

A :class:`Deflater` is one direction of one connection; a :class:`Deflation` is how it compresses one message. What it
gives inflates with any zlib, and only an inflater that keeps (or drops) its context as agreed gets every message right.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from wsproto_core import Parameters, PerMessageDeflate

from .chunkings import cut_at

if TYPE_CHECKING:
    from zlib import _Compress  # pyright: ignore[reportPrivateUsage]  # the type has no other name

__all__ = [
    "CORRUPT_DEFLATE",
    "DeflateTerms",
    "Deflater",
    "Deflation",
    "deflate_streams",
    "deflate_terms",
    "deflated",
    "deflations",
]

_MAX_BITS: Final = 15
#: RFC 7692 §7.2.1: what a sender takes away from the end.
_TAIL: Final = b"\x00\x00\xff\xff"

#: What no inflater can read, whatever came before: a block of the reserved type, a stored block whose length is not
#: confirmed, a table of codes that is none.
CORRUPT_DEFLATE: Final = (
    b"\x06",
    b"\x07",
    b"\x00\x01\x00\x00\x00a",
    b"\x04\xff\xff\xff\xff\xff\xff",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeflateTerms:
    """What two sides have agreed on (RFC 7692 §7.1)."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    #: 9 to 15.
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15

    @property
    def parameters(self) -> Parameters:
        """Names and values, by which a client offers this, and a server agrees to it."""
        flags = ("server_no_context_takeover", "client_no_context_takeover")
        sizes = ("server_max_window_bits", "client_max_window_bits")
        return (
            *((name, None) for name in flags if getattr(self, name)),
            *((name, str(bits)) for name in sizes if (bits := getattr(self, name)) < _MAX_BITS),
        )

    @property
    def header(self) -> str:
        """The same as the value of ``Sec-WebSocket-Extensions``."""
        said = [name if value is None else f"{name}={value}" for name, value in self.parameters]
        return "; ".join(["permessage-deflate", *said])

    @property
    def extension(self) -> PerMessageDeflate:
        """The same, for an engine of ``wsproto_core``."""
        return PerMessageDeflate(
            server_no_context_takeover=self.server_no_context_takeover,
            client_no_context_takeover=self.client_no_context_takeover,
            server_max_window_bits=self.server_max_window_bits,
            client_max_window_bits=self.client_max_window_bits,
        )

    def deflater(self, *, client: bool) -> Deflater:
        """What one side compresses with."""
        if client:
            return Deflater(self.client_max_window_bits, keeps_context=not self.client_no_context_takeover)
        return Deflater(self.server_max_window_bits, keeps_context=not self.server_no_context_takeover)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deflation:
    """How one message is compressed. All of it is the sender's own business."""

    #: zlib's level; 0 stores.
    level: int = 6
    #: Positions, modulo the size, at which everything so far is flushed: a block ends there, and an empty one follows.
    flushes: tuple[int, ...] = ()
    #: Whether the last block is marked as the last of its stream (BFINAL, RFC 7692 §7.2.3.4). The context ends there.
    is_final: bool = False


class Deflater:
    """The sending half of permessage-deflate: ``window_bits`` is 9 to 15."""

    def __init__(self, window_bits: int = 15, *, keeps_context: bool = True) -> None:
        self._window_bits = window_bits
        self._keeps_context = keeps_context
        self._compressor: _Compress | None = None
        self._level = 6

    def compress(self, payload: bytes, how: Deflation) -> bytes:
        """The payload of a whole message, as RFC 7692 §7.2.1 wants it."""
        if self._compressor is None or how.level != self._level:
            self._compressor = zlib.compressobj(how.level, wbits=-self._window_bits)
            self._level = how.level
        pieces = [
            self._compressor.compress(part) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
            for part in cut_at(payload, how.flushes)
        ]
        pieces.append(self._end(how))
        if how.is_final or not self._keeps_context:
            self._compressor = None
        # RFC 7692 §7.2.3.6: where zlib has nothing to flush, an empty block stands for nothing.
        return b"".join(pieces).removesuffix(_TAIL) or b"\x00"

    def _end(self, how: Deflation) -> bytes:
        assert self._compressor is not None, "it has just compressed"
        # RFC 7692 §7.2.3.4: behind a last block, the beginning of an empty one whose end the receiver adds.
        return self._compressor.flush(zlib.Z_FINISH) + b"\x00" if how.is_final else b""


def deflated(payload: bytes) -> bytes:
    """One message, compressed in the usual way by a sender who has said nothing yet."""
    return Deflater().compress(payload, Deflation())


def deflate_terms() -> st.SearchStrategy[DeflateTerms]:
    """Any agreement. Shrinks towards one without parameters."""
    bits = st.sampled_from([15, 9, 10, 11, 12, 13, 14])
    return st.builds(
        DeflateTerms,
        server_no_context_takeover=st.booleans(),
        client_no_context_takeover=st.booleans(),
        server_max_window_bits=bits,
        client_max_window_bits=bits,
    )


def deflations() -> st.SearchStrategy[Deflation]:
    """Any way to compress a message. Shrinks towards the usual one."""
    return st.builds(
        Deflation,
        level=st.sampled_from([6, 0, 1, 9]),
        flushes=st.lists(st.integers(0, 1000), max_size=3).map(tuple),
        is_final=st.booleans(),
    )


def deflate_streams(
    terms: DeflateTerms, *, client: bool, max_messages: int = 5
) -> st.SearchStrategy[list[tuple[bytes, bytes]]]:
    """Messages of one side, in order: what each is, and what it is on the wire. Later ones repeat earlier ones, so that
    a lost context shows.
    """
    content = st.sampled_from([b"", b"Hello", b"Hello" * 100, b"abcdefgh" * 40, bytes(range(256)) * 3])
    plans = st.lists(st.tuples(content | st.binary(max_size=60), deflations()), max_size=max_messages)
    return plans.map(lambda plan: _stream(terms, client, plan))


def _stream(terms: DeflateTerms, client: bool, plan: Sequence[tuple[bytes, Deflation]]) -> list[tuple[bytes, bytes]]:
    deflater = terms.deflater(client=client)
    return [(payload, deflater.compress(payload, how)) for payload, how in plan]
