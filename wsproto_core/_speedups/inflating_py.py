"""How a compressed message is inflated that comes at once and is short, as nearly every one (RFC 7692 §7.2.2).

This file runs in Python and, compiled with the C types of ``inflating_c.pxd``, as ``inflating_c``.

What lives here: the two calls of zlib for such a message. What must not: zlib itself, which nobody imports who does not
want compression, and whatever happens to other messages.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Final

from .._errors import RemoteProtocolError
from .._violations import Violation

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias
    from zlib import _Decompress  # pyright: ignore[reportPrivateUsage] - this type has no other name

    from .._types import Buffer

    #: An inflater, and what it does, bound once: compiled, what has a name takes longer to find.
    Stream: TypeAlias = tuple[_Decompress, Callable[[Buffer, int], bytes]]

__all__ = ["Inflating"]

#: Compressed bytes of a message that is inflated at once, at the most: no more than one step of a longer one.
_SHORT: Final = 4096
#: The end of every flush, which the wire does without (RFC 7692 §7.2.1), and empty blocks behind it: where a block may
#: begin they are nothing. Anywhere else they give output or make no sense. They are many, because within the table of
#: codes that a block begins with it takes some to tell.
_END: Final = b"\x00\x00\xff\xff" + 32 * b"\x00\x00\x00\xff\xff"


class Inflating:
    """What permessage-deflate begins with: the way in of a message.

    ``room`` is how many bytes the first step of one may inflate to, less one; 0 for any. Where it ``is_restarting``,
    every message begins with an empty window. ``fault`` is what an inflater raises.
    """

    __slots__ = ("_compressed", "_end", "_fault", "_is_restarting", "_room", "_stream")

    def __init__(self, room: int, *, is_restarting: bool, fault: type[Exception]) -> None:
        self._stream: Stream | None = None
        self._room: int = room
        self._is_restarting: bool = is_restarting
        self._fault: type[Exception] = fault
        self._end: bytes = _END  # compiled, what a module knows takes longer to find
        # Bytes of the incoming message so far.
        self._compressed: int = 0

    def decode(self, data: Buffer, final: bool) -> bytes:
        """Inflate a piece, all of it; memory stays within the limits while zlib is at work.

        Violations: ``INFLATED_TOO_BIG``, ``INFLATE_RATIO``, ``CORRUPT_COMPRESSION``. Corrupt is also a message that
        ends within a block: its end is missing. RFC 7692 §7.2.2 does not say so and many implementations deliver
        what there is. Blocks with BFINAL may stand anywhere (RFC 7692 §7.2.1, §7.2.3.4); as in any DEFLATE data,
        what follows one starts with an empty window, and has to be DEFLATE as well. A message that stops at such a
        block, or has no bytes at all, lacks the empty block that RFC 7692 §7.2.1 wants at its end but nothing else,
        and is taken.
        """
        try:
            if final and not self._compressed and 0 < len(data) <= _SHORT:
                inflated = self._decode_at_once(data)
            else:
                inflated = self._decode_in_steps(data, final)
            if final:
                self._end_message()
        except self._fault as error:
            raise RemoteProtocolError(Violation.CORRUPT_COMPRESSION, str(error)) from None
        return inflated

    def _decode_at_once(self, data: Buffer) -> bytes:
        inflater, decompress = self._stream or self._begin_stream()
        self._compressed = len(data)
        inflated = decompress(data, self._room)
        if inflater.eof or len(inflated) == self._room:
            return self._decode_on(inflated)
        return inflated

    def _end_message(self) -> None:
        """Feed what the sender took away, and see that a block may begin there (RFC 7692 §7.2.2)."""
        if self._compressed and self._stream is not None:
            inflater, decompress = self._stream
            # A block with BFINAL that needed some of these bytes has left the others unused.
            if decompress(self._end, 1) or inflater.eof:
                raise RemoteProtocolError(Violation.CORRUPT_COMPRESSION, "the message ends within a block")
            if self._is_restarting:
                self._stream = None  # RFC 7692 §7.1.1
        self._compressed = 0

    @abstractmethod
    def _begin_stream(self) -> Stream:
        """Make one, whose window is empty, and set it."""

    @abstractmethod
    def _decode_in_steps(self, data: Buffer, final: bool) -> bytes:
        """Inflate a piece of a message that is long, or comes in pieces, and count it."""

    @abstractmethod
    def _decode_on(self, inflated: bytes) -> bytes:
        """Go on behind a message that gave ``inflated``: it is too much, or a block with BFINAL is in it."""
