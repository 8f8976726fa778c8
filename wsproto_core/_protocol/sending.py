"""Messages become frames: opcode, extensions, masking (RFC 6455 §6.1).

What lives here: the order of frames within a message and what is inside them. What must not: queues, which are in
``_driver/flow.py``, and time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .._errors import LocalProtocolError
from .._speedups import FrameBuffer, FrameQueue, utf8_of
from .._types import Buffer, Message, Opcode
from .states import OUTGOING, Part, Position, follow

if TYPE_CHECKING:
    from .._extensions.base import MessageTransform

__all__ = ["FIN", "Outgoing", "PreparedMessage", "Sender", "encode_message", "encoded", "payload_of"]

#: The bit of a frame that is the last of its message (RFC 6455 §5.2).
FIN: Final = 0x80
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
    """What :func:`payload_of` gives, as ``bytes``."""
    opcode, payload = payload_of(message)
    return opcode, bytes(payload)


def payload_of(message: Message | Buffer) -> tuple[Opcode, bytes | memoryview]:
    """Opcode and payload of ``message``, which never changes: a mutable buffer is copied, a long text need not be.

    Raises :exc:`LocalProtocolError` for text that is not valid Unicode and :exc:`TypeError` for anything else.
    """
    if isinstance(message, str):
        try:
            return Opcode.TEXT, utf8_of(message)
        except UnicodeEncodeError as error:
            raise LocalProtocolError(
                f"message: a lone surrogate at index {error.start} is not valid Unicode (RFC 6455 §8.1)"
            ) from None
    if isinstance(message, bytes):
        return Opcode.BINARY, bytes(message)  # a subclass is copied: compiled code takes only the type itself
    if isinstance(message, bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance]  # not all callers check types
        return Opcode.BINARY, bytes(message)
    raise TypeError(f"message must be str, bytes, bytearray or memoryview, not {type(message).__name__}")


class PreparedMessage:
    """A message encoded once, to be sent to many; see :meth:`ServerConnection.send_prepared`."""

    __slots__ = ("_encoded", "frame", "opcode", "payload")

    def __init__(self, message: Message | Buffer) -> None:
        opcode, payload = encode_message(message)
        self.opcode: Opcode = opcode
        self.payload: bytes = payload
        #: The frame that every server connection without extensions sends for it.
        self.frame: bytes = _plain_frame(FIN | self.opcode, self.payload)
        # The frames that servers with an extension send, by what these depend on.
        self._encoded: dict[tuple[int, Hashable], bytes] = {}

    @property
    def original(self) -> Message:
        """The message as it was, bytes-like as ``bytes``."""
        return str(self.payload, "utf-8") if self.opcode is Opcode.TEXT else self.payload

    def frame_by(self, transform: MessageTransform) -> bytes | None:
        """The frame that ``transform`` makes of it, once for all that make the same; ``None`` if only it makes that."""
        if transform.shared_key is None:
            return None
        key = transform.reserved_bits, transform.shared_key
        if key not in self._encoded:
            encoded = transform.encode(self.payload, True)
            self._encoded[key] = _plain_frame(FIN | transform.reserved_bits | self.opcode, encoded)
        return self._encoded[key]


class Outgoing:
    """A message, or the part of one, that has not yet become frames."""

    __slots__ = ("begins", "compress", "ends", "offset", "opcode", "payload", "urgent")

    def __init__(
        self,
        opcode: Opcode,
        payload: bytes | memoryview,
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
        #: How much of the payload has become frames, or is on its way to.
        self.offset = 0

    def advance(self, size: int) -> bool:
        """Go on by up to ``size`` bytes; return whether the message ends there."""
        self.offset = min(self.offset + size, len(self.payload))
        return self.ends and self.offset == len(self.payload)


class Sender:
    """Makes frames of messages for one connection, in ``frames``.

    ``entropy`` yields that many unpredictable bytes: a client masks with them (RFC 6455 §5.3), a server has none.
    """

    __slots__ = ("_active", "_first", "_frames", "_masks", "_position", "_transforms")

    def __init__(
        self,
        frames: FrameQueue,
        entropy: Callable[[int], bytes] | None = None,
        transforms: Sequence[MessageTransform] = (),
    ) -> None:
        self._frames = frames
        if entropy is not None:
            frames.mask(entropy)
        self._transforms = tuple(transforms)
        self._masks = entropy is not None
        self._position = Position.BETWEEN_MESSAGES
        # Of the message that is leaving: its transforms, and the first byte of its next frame without FIN.
        self._active: tuple[MessageTransform, ...] = ()
        self._first = 0

    @property
    def is_direct(self) -> bool:
        """Whether a message can be sent now, as it is."""
        return not self._transforms and self._position is Position.BETWEEN_MESSAGES

    @property
    def transforms(self) -> tuple[MessageTransform, ...]:
        """Those that may be applied to messages."""
        return self._transforms

    # --- what the application may send next ---------------------------------------------------------------------------

    def check_message(self) -> None:
        """Raise :exc:`LocalProtocolError` unless a whole message may be sent now."""
        if self._position is not Position.BETWEEN_MESSAGES:
            follow(OUTGOING, self._position, Part.MESSAGE)

    def part(self, opcode: Opcode, payload: bytes | memoryview, final: bool, compress: bool | None) -> Outgoing:
        """The next part of a message that the application sends in parts."""
        begins = self._position is Position.BETWEEN_MESSAGES
        self._position = follow(OUTGOING, self._position, _PARTS[opcode, final])
        return Outgoing(opcode, payload, compress, begins=begins, ends=final)

    # --- frames -------------------------------------------------------------------------------------------------------

    def message(self, opcode: int, payload: bytes | memoryview, compress: bool | None) -> None:
        """Make one frame of a whole message."""
        first = FIN | opcode
        for transform in self._chosen(len(payload), compress):
            first |= transform.reserved_bits
            payload = transform.encode(payload, True)
        self._frames.put_frame(first, payload, 0, len(payload))

    def prepared(self, message: PreparedMessage) -> bytes | None:
        """The frame of ``message``, if there is one that others send as well."""
        if self._masks:
            return None
        match self._chosen(len(message.payload), None):
            case ():
                return message.frame
            case (transform,):
                return message.frame_by(transform)
            case _:
                return None

    def next_frame(self, item: Outgoing, size: int) -> None:
        """Turn up to ``size`` more bytes of ``item`` into a frame; into none if a transform holds them back."""
        transforms = self.transforms_of(item)
        start, final = item.offset, item.advance(size)
        if transforms:
            self.put_encoded(encoded(transforms, memoryview(item.payload)[start : item.offset], final), final)
        elif start < item.offset or final:
            self._frames.put_frame(self._next_first(final), item.payload, start, item.offset)

    def transforms_of(self, item: Outgoing) -> tuple[MessageTransform, ...]:
        """The transforms for ``item``, which is the next to leave."""
        if item.begins and item.offset == 0:
            self._begin(item)
        return self._active

    def put_encoded(self, payload: bytes, final: bool) -> None:
        """Make a frame of what the transforms have made of the next piece; none if they hold it back."""
        if payload or final:
            self._frames.put_frame(self._next_first(final), payload, 0, len(payload))

    def _next_first(self, final: bool) -> int:
        first, self._first = self._first, Opcode.CONTINUATION  # RFC 7692 §6.1: the bits mark the first frame only
        return first | FIN if final else first

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


def encoded(transforms: Sequence[MessageTransform], data: Buffer, final: bool) -> bytes:
    """What ``transforms`` make of the next piece of a message."""
    for transform in transforms:
        data = transform.encode(data, final)
    return bytes(data)


def _plain_frame(first: int, payload: bytes) -> bytes:
    buffer = FrameBuffer()
    buffer.add(first, payload, 0, len(payload), b"", 0)
    return buffer.take()
