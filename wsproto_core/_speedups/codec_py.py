"""The frame loop: bytes in, messages and control events out.

One call for each read, one list of events, one pass over the bytes. A whole message in one frame under 64 KiB, which is
nearly every frame, is dealt with in the loop itself; everything else goes through ``_frame``. Nothing is buffered but
the unfinished part of a header (under 14 bytes), of a control payload (under 126) and of a message.

This file runs in Python and, compiled with the C types of ``codec_c.pxd``, as ``codec_c``.

What lives here: RFC 6455 §5 as a receiver must enforce it. What must not: the closing handshake, time, and any policy.
"""

# budget: one class, which is compiled as one

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .._codes import is_wire_code
from .._errors import RemoteProtocolError
from .._events import Event, Fragment, Ping, Pong
from .._types import MAX_CONTROL_PAYLOAD, Receive
from .._violations import Violation
from .leaves_py import MessageBuffer, complete_utf8, memory_of, unmask, unmask_text

if TYPE_CHECKING:
    from .._config import Limits
    from .._types import Buffer, Transform


__all__ = ["FrameDecoder"]

# Bytes and bits of a header (RFC 6455 §5.2), as plain integers because the loop compares them for every frame.
_FIN: Final = 0x80
_RESERVED: Final = 0x70
_OPCODE: Final = 0x0F
_CONTROL: Final = 0x08
_MASKED: Final = 0x80
_CONTINUATION: Final = 0x0
_TEXT: Final = 0x1
_CLOSE: Final = 0x8
_PING: Final = 0x9
_WHOLE_TEXT: Final = 0x81
_WHOLE_BINARY: Final = 0x82
_KNOWN_OPCODES: Final = frozenset({0x0, 0x1, 0x2, 0x8, 0x9, 0xA})

#: What the seven length bits hold at most, what they say where two bytes follow, and what those hold at most.
_MAX_SEVEN_BITS: Final = 125
_TWO_BYTES: Final = 126
_MAX_TWO_BYTES: Final = 0xFFFF

#: Where a message is handed over: when it, or a frame of it, is complete, or whenever something has come.
_GRANULARITY: Final = (Receive.CHUNKS, Receive.FRAGMENTS, Receive.MESSAGES)
_WHOLE_MESSAGES: Final = 2

#: The longest header, and what is large: where a copy costs more than another way around.
_MAX_HEADER: Final = 14
_LARGE: Final = 0x4000

#: More than any batch, and what is transformed at once where parts of messages are handed over: DEFLATE makes 2 MiB of
#: that at the most, 1032 bytes of one.
_NO_BOUND: Final = 0x7FFFFFFF
_PIECE_SIZE: Final = 2048

_INCOMPLETE: Final = -1
#: What no length is, and a limit below every length.
_NO_LENGTH: Final = -1


class FrameDecoder:
    """Turns received bytes into events and finds every offence against the framing rules.

    After each :meth:`decode` look at ``only_messages``; if that is false, at ``controls`` (legal control frames in that
    batch), ``close_payload`` (of the close frame, if one came; it is well-formed) and ``failure`` (the offence, if
    there was one). After either of the latter nothing more is decoded.
    """

    __slots__ = (
        "_active",
        "_carry",
        "_control_payload",
        "_fin",
        "_frame_limit",
        "_frames",
        "_granularity",
        "_in_message",
        "_key",
        "_marked_binary",
        "_marked_text",
        "_mask_bit",
        "_max_fragments",
        "_message",
        "_message_limit",
        "_opcode",
        "_piece_size",
        "_received",
        "_remaining",
        "_reserved_bits",
        "_short",
        "_short_limit",
        "_transforms",
        "_turn",
        "close_payload",
        "control_allowance",
        "controls",
        "failure",
        "only_messages",
        "room",
        "undecoded",
    )

    def __init__(self, *, masked: bool, receive: Receive, limits: Limits, transforms: Sequence[Transform] = ()) -> None:
        #: How many control frames the next batch may contain; ``None`` for any number. Set by the caller.
        self.control_allowance: int | None = None
        self.controls = 0
        #: How many bytes of memory the messages of the next batch may take before it ends, where extensions transform
        #: them; set by the caller. And how many bytes at the end of what was given were left alone because of that.
        self.room = _NO_BOUND
        self.undecoded = 0
        #: Whether the last batch held nothing but messages, and whatever follows is awaited.
        self.only_messages = True
        self.close_payload: bytes | None = None
        self.failure: RemoteProtocolError | None = None
        self._mask_bit = _MASKED if masked else 0
        self._granularity = _GRANULARITY.index(receive)
        self._expect(transforms)
        self._message_limit = limits.message_size
        self._frame_limit = limits.frame_size
        self._max_fragments = limits.max_fragments
        self._short_limit = self._longest_short_frame()
        self._short = self._short_limit
        self._carry = b""
        # The frame that is being received.
        self._opcode = 0
        self._fin = 0
        self._key = b""  # twice, so that four bytes of it can begin with any
        self._turn = 0  # which byte of the key comes next
        self._remaining = 0
        self._control_payload = b""
        # The message that is being received.
        self._in_message = False
        self._active: tuple[Transform, ...] = ()
        self._message = MessageBuffer(False)
        self._received = 0
        self._frames = 0

    def _expect(self, transforms: Sequence[Transform]) -> None:
        """Messages may have gone through ``transforms``."""
        self._transforms = tuple(reversed(transforms))
        self._reserved_bits = 0
        for transform in transforms:
            self._reserved_bits |= transform.reserved_bits
        # The first byte of a message that went through all transforms, if that can be told.
        self._marked_text = _WHOLE_TEXT | self._reserved_bits if self._reserved_bits else _NO_LENGTH
        self._marked_binary = _WHOLE_BINARY | self._reserved_bits if self._reserved_bits else _NO_LENGTH
        # How much is transformed at once: whole messages have a limit, and nothing limits the sum of their parts.
        self._piece_size = _PIECE_SIZE if transforms and self._granularity != _WHOLE_MESSAGES else _NO_BOUND

    @property
    def in_message(self) -> bool:
        """Whether a message, or a frame of one, has begun and not ended."""
        return self._in_message

    @property
    def transformed_size(self) -> int:
        """Of a transformed message that has begun and not ended: how large it is known to be, in bytes; else 0."""
        if not self._active:
            return 0
        return max(self._remaining, self._received) or 1

    def decode(self, data: Buffer) -> list[Event]:
        """The events that ``data`` completes. What is large is taken from where it is; nothing of ``data`` is kept."""
        events: list[Event] = []
        self.controls = 0
        self.only_messages = True
        self.undecoded = 0
        if self.failure is not None or self.close_payload is not None:
            return events
        try:
            if type(data) is not bytes:
                data = bytes(data) if len(data) < _LARGE else self._take_large(memoryview(data), events)
            self._decode(data, events)
        except RemoteProtocolError as offence:
            self._fail(offence.violation, offence.detail)
        except UnicodeDecodeError as error:
            self._fail(Violation.INVALID_UTF8, error.reason)
        return events

    def _take_large(self, data: memoryview, events: list[Event]) -> bytes:
        """Take the large frames that ``data`` begins with, or goes on with; return what is behind them, copied."""
        if not data.c_contiguous:
            return bytes(data)
        data = data.cast("B")
        position, end = 0, len(data)
        while end - position >= _LARGE and not self._carry and self.room > 0:
            if not self._remaining:
                head = bytes(data[position : position + _MAX_HEADER])
                if not self._announces_much(head):
                    break
                position += self._header(head, 0, _MAX_HEADER)
            position = self._payload(data, position, end, events)
        return bytes(data[position:])

    def _announces_much(self, head: bytes) -> bool:
        """Whether a frame that begins with ``head`` is large."""
        length = head[1] & ~_MASKED
        return length > _TWO_BYTES or (length == _TWO_BYTES and head[2] << 8 >= _LARGE)

    def _decode(self, data: bytes, events: list[Event]) -> None:
        if self._carry:
            data = self._carry + data
            self._carry = b""
        end = len(data)
        position = self._pieces(data, 0, end, events) if self._remaining else 0
        if self.room > 0:
            position = self._frames_in(data, position, end, events)
        self.undecoded = end - position

    def _frames_in(self, data: bytes, position: int, end: int, events: list[Event]) -> int:
        """Take frames, and what there is of the last one, as long as there is room; return how far that went."""
        mask_bit = self._mask_bit
        header_size = 6 if mask_bit else 2
        key_in = data if mask_bit else b""
        short = self._short
        while end - position >= 2:
            first = data[position]
            length = data[position + 1] - mask_bit  # negative, or above 127, where the mask bit is wrong
            body = position + header_size
            if length > _MAX_SEVEN_BITS:
                length = self._two_byte_length(data, position + 2, end) if length == _TWO_BYTES else _NO_LENGTH
                body += 2
            stop = body + length
            if not 0 <= length <= short or stop > end or not _WHOLE_TEXT <= first <= _WHOLE_BINARY:
                if 0 <= length <= short and stop <= end and first in (self._marked_text, self._marked_binary):
                    self._transformed(data, body, stop, key_in, first == self._marked_text, events)
                    position = stop
                else:
                    position = self._frame(data, position, end, events)
                    short = self._short
                if self.room <= 0:
                    return position
            elif first == _WHOLE_TEXT:
                events.append(unmask_text(data, body, stop, key_in, body - 4))
                position = stop
            else:
                events.append(unmask(data, body, stop, key_in, body - 4))
                position = stop
        return self._frame(data, position, end, events) if position < end else end

    def _transformed(
        self, data: bytes, body: int, stop: int, key_in: bytes, is_text: bool, events: list[Event]
    ) -> None:
        """Take a whole message that went through all transforms, in one short frame."""
        piece = unmask(data, body, stop, key_in, body - 4)
        for transform in self._transforms:
            piece = transform.decode(piece, True)
        if len(piece) > self._short_limit:
            self._check_message_size(len(piece))
        message = unmask_text(piece, 0, len(piece), b"", 0) if is_text else piece
        self.room -= memory_of(message)
        events.append(message)

    def _two_byte_length(self, data: bytes, position: int, end: int) -> int:
        """A length of two bytes; ``_NO_LENGTH`` if it is incomplete or one byte could have held it."""
        if end - position < 2:
            return _NO_LENGTH
        length = data[position] << 8 | data[position + 1]
        return length if length > _MAX_SEVEN_BITS else _NO_LENGTH

    def _longest_short_frame(self) -> int:
        """The longest frame that the loop may take on its own, as far as limits and mode allow."""
        if self._granularity != _WHOLE_MESSAGES:
            return _NO_LENGTH
        for transform in self._transforms:
            if not transform.reserved_bits:
                return _NO_LENGTH
        longest = _MAX_TWO_BYTES
        for limit in (self._message_limit, self._frame_limit):
            if limit is not None and limit < longest:
                longest = limit
        return longest

    def _frame(self, data: bytes, position: int, end: int, events: list[Event]) -> int:
        """Take one frame, or what there is of it; return where the next one begins."""
        body = self._header(data, position, end)
        if body == _INCOMPLETE:
            self._carry = data[position:]
            return end
        return self._pieces(data, body, end, events)

    # --- headers: everything is checked as soon as the bytes that decide it are there --------------------------------

    def _header(self, data: bytes, position: int, end: int) -> int:
        """Read and check a header; return where the payload begins, or ``_INCOMPLETE``."""
        first = data[position]
        self._check_first(first)
        if end - position < 2:
            return _INCOMPLETE
        second = data[position + 1]
        if second & _MASKED != self._mask_bit:
            raise RemoteProtocolError(Violation.UNMASKED_FRAME if self._mask_bit else Violation.MASKED_FRAME)
        length = second & ~_MASKED
        position += 2
        if first & _CONTROL:
            self._check_control_size(length, first)
        else:
            if length > 125:
                size = 2 if length == 126 else 8
                length = self._extended_length(data[position : position + size], size)
                position += size
            self._check_size(length, first)
        key_end = position + 4 if self._mask_bit else position
        if key_end > end:
            return _INCOMPLETE
        self._key = data[position:key_end] * 2
        self._turn = 0
        self._begin(first, length)
        return key_end

    def _check_first(self, first: int) -> None:
        opcode = first & _OPCODE
        reserved = first & _RESERVED
        if opcode not in _KNOWN_OPCODES:
            raise RemoteProtocolError(Violation.RESERVED_OPCODE, f"opcode {opcode:#x}")
        if reserved & ~self._reserved_bits or (reserved and opcode & _CONTROL):
            raise RemoteProtocolError(Violation.RESERVED_BITS, f"first byte {first:#04x}")
        if opcode & _CONTROL:
            if not first & _FIN:
                raise RemoteProtocolError(Violation.FRAGMENTED_CONTROL)
        elif opcode == _CONTINUATION:
            if not self._in_message:
                raise RemoteProtocolError(Violation.UNEXPECTED_CONTINUATION)
            if reserved:  # RFC 7692 §6.1: only the first frame of a message tells
                raise RemoteProtocolError(Violation.RESERVED_BIT_ON_CONTINUATION)
            if self._max_fragments is not None and self._frames >= self._max_fragments:
                raise RemoteProtocolError(Violation.TOO_MANY_FRAGMENTS, f"the limit is {self._max_fragments}")
        elif self._in_message:
            raise RemoteProtocolError(Violation.MESSAGE_INTERRUPTED)

    def _extended_length(self, field: bytes, size: int) -> int:
        """The value of a length of ``size`` bytes; of one that is still incomplete, the least that it can become."""
        if not field:
            return 0
        if size == 8 and field[0] & 0x80:
            raise RemoteProtocolError(Violation.LENGTH_OVERFLOW)
        value = 0
        for byte in field:
            value = value << 8 | byte
        unknown_bits = 8 * (size - len(field))
        minimum = 126 if size == 2 else 0x10000
        if value < minimum >> unknown_bits:
            raise RemoteProtocolError(Violation.NON_MINIMAL_LENGTH)
        return value << unknown_bits

    def _check_control_size(self, length: int, first: int) -> None:
        if length > MAX_CONTROL_PAYLOAD:
            raise RemoteProtocolError(Violation.CONTROL_TOO_LONG)
        if length == 1 and first & _OPCODE == _CLOSE:
            raise RemoteProtocolError(Violation.CLOSE_PAYLOAD_TOO_SHORT)

    def _check_size(self, length: int, first: int) -> None:
        """Hold a data frame of ``length`` bytes, or more if its header is incomplete, to the limits."""
        if self._frame_limit is not None and length > self._frame_limit:
            raise RemoteProtocolError(Violation.FRAME_TOO_BIG, f"at least {length} bytes, limit {self._frame_limit}")
        # The size of a transformed message shows only when it has been transformed back.
        transformed = self._active if self._in_message else self._transforms_for(first)
        if not transformed:
            self._check_message_size(self._received + length)

    def _check_message_size(self, size: int) -> None:
        if self._message_limit is not None and size > self._message_limit:
            raise RemoteProtocolError(Violation.MESSAGE_TOO_BIG, f"at least {size} bytes, limit {self._message_limit}")

    def _begin(self, first: int, length: int) -> None:
        """Enter the frame whose header is complete."""
        self._opcode = first & _OPCODE
        self._remaining = length
        if self._opcode & _CONTROL:
            return
        self._fin = first & _FIN
        self._short = _NO_LENGTH
        if self._opcode != _CONTINUATION:
            self._in_message = True
            self._message = MessageBuffer(self._opcode == _TEXT)
            self._active = self._transforms_for(first)
        self._frames += 1

    def _transforms_for(self, first: int) -> tuple[Transform, ...]:
        """The transforms that a message with this first byte went through."""
        if first & self._reserved_bits == self._reserved_bits:
            return self._transforms
        return tuple([t for t in self._transforms if first & t.reserved_bits or not t.reserved_bits])

    # --- payloads: taken as they come ---------------------------------------------------------------------------------

    def _pieces(self, data: bytes, position: int, end: int, events: list[Event]) -> int:
        """Take what has come of the current frame's payload, as far as there is room; return how far that went."""
        position = self._payload(data, position, end, events)
        while self._remaining and position < end and self.room > 0:
            position = self._payload(data, position, end, events)
        return position

    def _payload(self, data: Buffer, position: int, end: int, events: list[Event]) -> int:
        """Take what has come of the current frame's payload, or a piece of that; return where it ends."""
        left = min(end - position, self._piece_size)
        size = self._remaining if self._remaining < left else left
        stop = position + size
        self._remaining -= size
        if not self._opcode & _CONTROL:
            self._data(data, position, stop, events)
        else:
            self._control_payload += unmask(data, position, stop, self._key, self._turn)
            if self._opcode == _CLOSE:
                self._check_close(self._control_payload)
            if not self._remaining:
                return self._control(events, stop, end)
        self._turn = (self._turn + size) & 3
        return stop

    def _check_close(self, payload: bytes) -> None:
        """Judge what has come of a close payload (RFC 6455 §5.5.1, §7.4)."""
        if len(payload) < 2:
            return
        code = int.from_bytes(payload[:2], "big")
        if not is_wire_code(code):
            raise RemoteProtocolError(Violation.CLOSE_CODE_INVALID, f"code {code}")
        reason = payload[2:]
        try:
            complete = complete_utf8(reason)
        except UnicodeDecodeError as error:
            raise RemoteProtocolError(Violation.CLOSE_REASON_INVALID_UTF8, error.reason) from None
        if not self._remaining and complete < len(reason):
            raise RemoteProtocolError(Violation.CLOSE_REASON_INVALID_UTF8, "unexpected end of data")

    def _control(self, events: list[Event], stop: int, end: int) -> int:
        """Hand over a complete control frame; return where to go on, which after a close frame is nowhere."""
        if self.control_allowance is not None and self.controls >= self.control_allowance:
            raise RemoteProtocolError(Violation.CONTROL_FLOOD)
        self.controls += 1
        self.only_messages = False
        payload, self._control_payload = self._control_payload, b""
        if self._opcode == _CLOSE:
            self.close_payload = payload
            self._release()
            return end
        events.append(Ping(payload) if self._opcode == _PING else Pong(payload))
        return stop

    def _data(self, data: Buffer, position: int, stop: int, events: list[Event]) -> None:
        """Take a piece of a message, and hand over what is complete enough."""
        frame_ends = not self._remaining
        final = frame_ends and self._fin != 0
        completeness = 2 if final else int(frame_ends)
        is_ready = completeness >= self._granularity
        if self._active:
            piece = unmask(data, position, stop, self._key, self._turn)
            for transform in self._active:
                piece = transform.decode(piece, final)
            self._gather(piece, 0, len(piece), b"", 0, 0)
        else:
            self._gather(data, position, stop, self._key, self._turn, 0 if is_ready else self._remaining)
        if is_ready:
            self._hand_over(self._message.take(final), final, events)
        else:
            self._message.check()

    def _gather(self, data: Buffer, start: int, stop: int, key_in: bytes, key_at: int, more: int) -> None:
        """Add a piece to the message, unless that makes it too big."""
        self._received += stop - start
        self._check_message_size(self._received)
        self._message.add(data, start, stop, key_in, key_at, more)

    def _hand_over(self, ready: str | bytes, final: bool, events: list[Event]) -> None:
        if self._granularity == _WHOLE_MESSAGES:
            events.append(ready)
        elif ready or final:
            events.append(Fragment(ready, final))
        if self._active:
            self.room -= memory_of(ready)
        if final:
            self._in_message = False
            self._received = self._frames = 0
            self._active = ()
            self._short = self._short_limit

    # --- the end ------------------------------------------------------------------------------------------------------

    def _fail(self, violation: Violation, detail: str) -> None:
        # A new one: what was raised, and what it was raised from, hold this call's frames and so the bytes of the read.
        self.failure = RemoteProtocolError(violation, detail)
        self.only_messages = False
        self._release()

    def _release(self) -> None:
        """Drop everything that was gathered: after a close frame or an offence nothing more is delivered."""
        self._message = MessageBuffer(False)
        self._carry = self._control_payload = b""
