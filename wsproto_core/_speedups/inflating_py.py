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
    from zlib import _Decompress  # pyright: ignore[reportPrivateUsage] - this type has no other name

    from .._types import Buffer

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

    __slots__ = ("_compressed", "_end", "_fault", "_inflater", "_is_restarting", "_room")

    def __init__(self, room: int, *, is_restarting: bool, fault: type[Exception]) -> None:
        self._inflater: _Decompress | None = None
        self._room: int = room
        self._is_restarting: bool = is_restarting
        self._fault: type[Exception] = fault
        self._end: bytes = _END  # compiled, what a module knows takes longer to find
        # Bytes of the incoming message so far, if it is long or comes in pieces.
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
            if not final or self._compressed or not 0 < len(data) <= _SHORT:
                return self._decode_in_steps(data, final)
            inflater = self._inflater
            if inflater is None:
                inflater = self._new_inflater()
            inflated = inflater.decompress(data, self._room)
            if inflater.eof or len(inflated) == self._room:
                return self._decode_on(inflated, len(data))
            self._end_message(inflater)
        except self._fault as error:
            raise RemoteProtocolError(Violation.CORRUPT_COMPRESSION, str(error)) from None
        return inflated

    def _end_message(self, inflater: _Decompress) -> None:
        """Feed what the sender took away, and see that a block may begin there (RFC 7692 §7.2.2)."""
        # A block with BFINAL that needed some of these bytes has left the others unused.
        if inflater.decompress(self._end, 1) or inflater.eof:
            raise RemoteProtocolError(Violation.CORRUPT_COMPRESSION, "the message ends within a block")
        if self._is_restarting:
            self._inflater = None  # RFC 7692 §7.1.1

    @abstractmethod
    def _new_inflater(self) -> _Decompress:
        """Make one, and set it."""

    @abstractmethod
    def _decode_in_steps(self, data: Buffer, final: bool) -> bytes:
        """Inflate a piece of a message that is long, or comes in pieces."""

    @abstractmethod
    def _decode_on(self, inflated: bytes, size: int) -> bytes:
        """Go on behind the first ``size`` bytes of a message, which are all of them and gave ``inflated``: it is too
        much, or a block with BFINAL is among them.
        """
