"""Frames on their way out: messages in, bytes out, with as few buffers as can be.

A whole message that nothing stands in the way of becomes a frame in one call, written straight to where it leaves from.

This file runs in Python and, compiled with the C types of ``frames_c.pxd``, as ``frames_c``.

What lives here: the order of what is ready to leave, and masking keys (RFC 6455 §5.3). What must not: extensions,
fragmentation, and what may be sent when.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .leaves_py import FrameBuffer

if TYPE_CHECKING:
    from .._types import Buffer, Message

__all__ = ["FrameQueue"]

_WHOLE_TEXT: Final = 0x81
_WHOLE_BINARY: Final = 0x82
#: Buffers are joined up to this size. Larger ones are handed over side by side, for a vectored write.
_JOIN_SIZE: Final = 0x10000
#: The longest character of UTF-8.
_CHARACTER_SIZE: Final = 4
_KEY_SIZE: Final = 4
#: C's numbers end. What higher limits would let pass goes the long way, which is as good.
_HIGHEST_LIMIT: Final = 0x7FFFFFFF
#: One call for entropy serves 64 frames.
_POOL_SIZE: Final = 256


class FrameQueue:
    """What is ready to leave, in its final order.

    ``max_size``: with this many bytes queued, :meth:`put_message` takes no more. ``max_payload``: nor does it take a
    message that may be longer.
    """

    __slots__ = (
        "_ahead",
        "_entropy",
        "_key_at",
        "_keys",
        "_last",
        "_max_payload",
        "_max_size",
        "_max_text",
        "_whole",
        "bytes_taken",
        "is_direct",
        "is_open",
        "messages",
        "size",
    )

    def __init__(self, *, max_size: int, max_payload: int) -> None:
        #: Whether messages may be sent at all.
        self.is_open: bool = False
        #: Whether a message becomes a frame as it is, at once: nothing is to be done to it, nor to go before it.
        self.is_direct: bool = False
        #: How many messages :meth:`put_message` has taken, and whoever else counts here.
        self.messages: int = 0
        #: Bytes that wait to be taken, and that have been.
        self.size: int = 0
        self.bytes_taken: int = 0
        self._max_size = min(max_size, _HIGHEST_LIMIT)
        self._max_payload = min(max_payload, _HIGHEST_LIMIT)
        self._max_text = min(self._max_payload, _JOIN_SIZE)  # longer ones need not be copied, the long way
        self._entropy: Callable[[int], bytes] | None = None
        self._keys = b""
        self._key_at = 0
        # In the order they leave: what overtakes messages, buffers that are whole, and the one that still grows.
        self._ahead = FrameBuffer()
        self._whole: list[bytes | memoryview] = []
        self._last = FrameBuffer()

    def mask(self, entropy: Callable[[int], bytes]) -> None:
        """Mask every frame from now on; ``entropy`` yields that many unpredictable bytes."""
        self._entropy = entropy

    # --- in -----------------------------------------------------------------------------------------------------------

    def put_message(self, message: Message | Buffer) -> bool:
        """Queue ``message`` as one frame, if that is all there is to do; return whether it was. If not, nothing was."""
        if not self.is_open or not self.is_direct or self.size >= self._max_size:
            return False
        if type(message) is str:
            length = len(message)
            if length * _CHARACTER_SIZE > self._max_payload and (length > self._max_text or not message.isascii()):
                return False
            self._begin_frame(length)
            try:
                self.size += self._last.add_text(_WHOLE_TEXT, message, self._keys, self._key_at)
            except UnicodeEncodeError:
                return False
        elif type(message) is bytes and len(message) <= self._max_payload:
            self.put_frame(_WHOLE_BINARY, message, 0, len(message))
        else:
            return False
        self.messages += 1
        return True

    def pass_frame(self, frame: bytes) -> bool:
        """Count ``frame``, a whole message, as taken, if it may leave at once as it is; return whether."""
        if not self.is_open or not self.is_direct or self.size or self._entropy is not None:
            return False
        self.messages += 1
        self.bytes_taken += len(frame)
        return True

    def put_frame(self, first: int, payload: bytes | memoryview, start: int, stop: int) -> None:
        """Queue a frame with ``payload[start:stop]``, whose first byte is ``first``. It must not change any more."""
        length = stop - start
        if length > _JOIN_SIZE and self._entropy is None:
            self.size += self._last.add_header(first, length) + length
            self._seal()
            self._whole.append(payload if length == len(payload) else memoryview(payload)[start:stop])
        else:
            self._begin_frame(length)
            self.size += self._last.add(first, payload, start, stop, self._keys, self._key_at)

    def put_bytes(self, data: bytes) -> None:
        """Queue ``data`` as it is."""
        if self.size and len(data) <= _JOIN_SIZE:
            if self._last.size + len(data) > _JOIN_SIZE:
                self._seal()
            self._last.add_bytes(data)
        elif data:
            self._seal()
            self._whole.append(data)  # often all that leaves: no copy
        self.size += len(data)

    def put_ahead(self, first: int, payload: bytes) -> None:
        """Queue a frame ahead of everything, but for what was put there before."""
        self._begin_frame(len(payload))
        self.size += self._ahead.add(first, payload, 0, len(payload), self._keys, self._key_at)

    def keep_ahead(self) -> None:
        """What is queued stays ahead of everything."""
        self._seal()
        for buffer in self._whole:
            self._ahead.add_bytes(buffer)
        self._whole = []

    # --- out ----------------------------------------------------------------------------------------------------------

    def take(self) -> list[bytes | memoryview]:
        """Everything that is queued, as buffers for one vectored write; empty when there is nothing."""
        only = self.take_only()
        if only is not None:
            return [only] if only else []  # and keep our own list: a new one would outlive this message
        self.bytes_taken += self.size
        self._seal()
        buffers: list[bytes | memoryview] = self._whole
        if self._ahead.size:
            buffers.insert(0, self._ahead.take())
        if len(buffers) > 1 and self.size <= _JOIN_SIZE:
            buffers = [b"".join(buffers)]
        self.discard()
        return buffers

    def take_only(self) -> bytes | None:
        """Everything that is queued, if it is in one buffer, as nearly always; empty when there is nothing. Where it is
        in more than one, ``None``, and nothing is taken.
        """
        if self._whole or self._ahead.size:
            return None
        self.bytes_taken += self.size
        self.size = 0
        return self._last.take()

    def discard(self) -> None:
        """Drop everything."""
        self._whole, self.size = [], 0
        self._ahead.take()
        self._last.take()

    # --- behind -------------------------------------------------------------------------------------------------------

    def _begin_frame(self, length: int) -> None:
        """See to it that there is room and, where frames are masked, a fresh key (RFC 6455 §5.3)."""
        if self._last.size + length > _JOIN_SIZE:
            self._seal()
        if self._entropy is not None:
            self._key_at += _KEY_SIZE
            if self._key_at >= len(self._keys):
                keys = self._entropy(_POOL_SIZE)
                if len(keys) != _POOL_SIZE:
                    raise ValueError(f"entropy must yield {_POOL_SIZE} bytes when asked for them, not {len(keys)}")
                self._keys, self._key_at = keys, 0

    def _seal(self) -> None:
        """Begin another buffer: one that is too large is not copied as it grows."""
        if self._last.size:
            self._whole.append(self._last.take())
