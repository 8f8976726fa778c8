"""Messages become frames: opcode, extensions, masking (RFC 6455 §6.1).

What lives here: the order of frames within a message and what is inside them. What must not: queues, which are in
``_driver/flow.py``, and time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .._errors import LocalProtocolError
from .._speedups import encode_frame, encode_header
from .._types import Buffer, Message, Opcode
from .states import OUTGOING, Part, Position, follow

if TYPE_CHECKING:
    from .._extensions.base import MessageTransform

__all__ = ["Outgoing", "PreparedMessage", "Sender", "encode_message"]

_FIN: Final = 0x80
#: Up to this size header and payload are joined; above it they stay apart, because copying would cost more.
_JOIN_SIZE: Final = 4096
#: One call for entropy serves this many frames.
_KEYS_IN_POOL: Final = 64
#: The size of a message that is sent in parts, for deciding whether to compress it.
_UNKNOWN_SIZE: Final = 1 << 62

_PARTS: Final = MappingProxyType(
    {
        (Opcode.TEXT, False): Part.TEXT,
        (Opcode.TEXT, True): Part.LAST_TEXT,
        (Opcode.BINARY, False): Part.BINARY,
        (Opcode.BINARY, True): Part.LAST_BINARY,
    }
)


def encode_message(message: Message | Buffer) -> tuple[Opcode, bytes]:
    """Opcode and payload of ``message``; a mutable buffer is copied, so that it may change afterwards.

    Raises :exc:`LocalProtocolError` for text that is not valid Unicode and :exc:`TypeError` for anything else.
    """
    if isinstance(message, str):
        try:
            return Opcode.TEXT, message.encode()
        except UnicodeEncodeError as error:
            raise LocalProtocolError(
                f"message: a lone surrogate at index {error.start} is not valid Unicode (RFC 6455 §8.1)"
            ) from None
    if isinstance(message, bytes):
        return Opcode.BINARY, message
    if isinstance(message, bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance]  # not all callers check types
        return Opcode.BINARY, bytes(message)
    raise TypeError(f"message must be str, bytes, bytearray or memoryview, not {type(message).__name__}")


class PreparedMessage:
    """A message encoded once, to be sent to many; see :meth:`ServerConnection.send_prepared`."""

    __slots__ = ("frame", "opcode", "payload")

    def __init__(self, message: Message | Buffer) -> None:
        opcode, payload = encode_message(message)
        self.opcode: Opcode = opcode
        self.payload: bytes = payload
        #: The frame that every server connection without extensions sends for it.
        self.frame: bytes = encode_frame(_FIN | self.opcode, self.payload, None)

    @property
    def original(self) -> Message:
        """The message as it was, bytes-like as ``bytes``."""
        return str(self.payload, "utf-8") if self.opcode is Opcode.TEXT else self.payload


class Outgoing:
    """A message, or the part of one, that has not yet become frames."""

    __slots__ = ("begins", "compress", "ends", "offset", "opcode", "payload", "urgent")

    def __init__(
        self,
        opcode: Opcode,
        payload: bytes,
        compress: bool | None = None,
        *,
        begins: bool = True,
        ends: bool = True,
        urgent: bool = False,
    ) -> None:
        self.opcode = opcode
        self.payload = payload
        self.compress = compress
        #: Whether it goes ahead of ordinary messages that have not begun to leave.
        self.urgent = urgent
        #: Whether it is the first, and the last, part of its message.
        self.begins = begins
        self.ends = ends
        #: How much of the payload has become frames.
        self.offset = 0


class Sender:
    """Makes frames of messages for one connection.

    ``entropy`` yields that many unpredictable bytes: a client masks with them (RFC 6455 §5.3), a server has none.
    """

    __slots__ = ("_active", "_entropy", "_first", "_keys", "_position", "_transforms")

    def __init__(self, entropy: Callable[[int], bytes] | None, transforms: Sequence[MessageTransform] = ()) -> None:
        self._entropy = entropy
        self._transforms = tuple(transforms)
        self._keys = b""
        self._position = Position.BETWEEN_MESSAGES
        # Of the message that is leaving: its transforms, and the first byte of its next frame without FIN.
        self._active: tuple[MessageTransform, ...] = ()
        self._first = 0

    @property
    def is_plain(self) -> bool:
        """Whether a prepared frame can be sent as it is: not masked, not transformed."""
        return self._entropy is None and not self._transforms

    # --- what the application may send next ---------------------------------------------------------------------------

    def check_message(self) -> None:
        """Raise :exc:`LocalProtocolError` unless a whole message may be sent now."""
        if self._position is not Position.BETWEEN_MESSAGES:
            follow(OUTGOING, self._position, Part.MESSAGE)

    def part(self, opcode: Opcode, payload: bytes, final: bool, compress: bool | None) -> Outgoing:
        """The next part of a message that the application sends in parts."""
        begins = self._position is Position.BETWEEN_MESSAGES
        self._position = follow(OUTGOING, self._position, _PARTS[opcode, final])
        return Outgoing(opcode, payload, compress, begins=begins, ends=final)

    # --- frames -------------------------------------------------------------------------------------------------------

    def message(self, opcode: int, payload: bytes, compress: bool | None) -> list[bytes]:
        """The one frame of a whole message, as the buffers to write."""
        first = _FIN | opcode
        for transform in self._chosen(len(payload), compress):
            first |= transform.reserved_bits
            payload = transform.encode(payload, True)
        return self._frame(first, payload)

    def control(self, opcode: int, payload: bytes) -> bytes:
        """A control frame (RFC 6455 §5.5)."""
        return encode_frame(_FIN | opcode, payload, self._next_key())

    def next_frame(self, item: Outgoing, size: int) -> list[bytes]:
        """Turn up to ``size`` more bytes of ``item`` into a frame; nothing if a transform holds them back."""
        piece = item.payload[item.offset : item.offset + size]  # no copy where that is all of it
        if item.begins and item.offset == 0:
            self._begin(item)
        item.offset += len(piece)
        final = item.ends and item.offset == len(item.payload)
        for transform in self._active:
            piece = transform.encode(piece, final)
        if not piece and not final:
            return []
        first, self._first = self._first, Opcode.CONTINUATION  # RFC 7692 §6.1: the bits mark the first frame only
        return self._frame(first | _FIN if final else first, piece)

    def _begin(self, item: Outgoing) -> None:
        size = len(item.payload) if item.ends else _UNKNOWN_SIZE
        self._active = self._chosen(size, item.compress)
        self._first = item.opcode
        for transform in self._active:
            self._first |= transform.reserved_bits

    def _chosen(self, size: int, compress: bool | None) -> tuple[MessageTransform, ...]:
        """The transforms for a message. Only one with reserved bits has a choice: no other can tell the peer."""
        if not self._transforms:
            return ()
        return tuple(t for t in self._transforms if not t.reserved_bits or t.wants(size, compress))

    def _frame(self, first: int, payload: bytes) -> list[bytes]:
        key = self._next_key()
        if key is not None or len(payload) <= _JOIN_SIZE:
            return [encode_frame(first, payload, key)]
        return [encode_header(first, len(payload), None), payload]

    def _next_key(self) -> bytes | None:
        """A fresh masking key, never used before (RFC 6455 §5.3)."""
        if self._entropy is None:
            return None
        if not self._keys:
            self._keys = self._entropy(4 * _KEYS_IN_POOL)
        key, self._keys = self._keys[:4], self._keys[4:]
        return key
