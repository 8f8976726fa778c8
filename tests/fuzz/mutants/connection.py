"""One open connection of a small and correct echo peer, on either side; every step is a method, for mutants.

Written apart from our engine: nothing but the notation of single frames is shared with it.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import ClassVar

from tests.fuzz.mutants.deflate import Corrupt, Deflate, TooBig
from tests.fuzz.mutants.stream import Stream
from wsproto_core.frames import Frame, Opcode

__all__ = ["Connection", "Failure", "Header", "Message", "new_decoder"]

new_decoder = codecs.getincrementaldecoder("utf-8")


class Failure(Exception):
    """The other side broke a rule: the connection fails with this close code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Header:
    """What the first two bytes of a frame say (RFC 6455 §5.2)."""

    first: int
    second: int

    @property
    def final(self) -> bool:
        return bool(self.first & 0x80)

    @property
    def reserved(self) -> int:
        return self.first >> 4 & 7

    @property
    def opcode(self) -> int:
        return self.first & 15

    @property
    def is_control(self) -> bool:
        return self.opcode >= 8

    @property
    def masked(self) -> bool:
        return bool(self.second & 0x80)

    @property
    def short_length(self) -> int:
        return self.second & 0x7F


@dataclass(slots=True)
class Message:
    """A message that is being received."""

    opcode: int
    compressed: bool = False
    payload: bytearray = field(default_factory=bytearray)
    decoder: codecs.IncrementalDecoder = field(default_factory=new_decoder)


class Connection:
    """Reads frames, judges them, and echoes messages."""

    #: Bytes of a message.
    message_size: ClassVar[int] = 64 * 1024 * 1024

    def __init__(self, stream: Stream, deflate: Deflate | None, *, is_server: bool) -> None:
        self.stream = stream
        self.deflate = deflate
        self.is_server = is_server
        self.message: Message | None = None
        self.is_closed = False

    async def run(self) -> None:
        """Echo until the connection has ended."""
        try:
            while not self.is_closed:
                await self.receive_frame()
        except Failure as failure:
            await self.fail(failure)
        await self.end()

    # --- frames -------------------------------------------------------------------------------------------------------

    async def receive_frame(self) -> None:
        header = await self.read_header()
        length = await self.read_length(header)
        mask = await self.stream.read(4) if header.masked else bytes(4)
        if header.is_control:
            await self.receive_control(header.opcode, b"".join([piece async for piece in self.pieces(length, mask)]))
        else:
            await self.receive_data(header, self.pieces(length, mask))

    async def read_header(self) -> Header:
        header = Header(*await self.stream.read(2))
        self.check_reserved(header)
        self.check_opcode(header)
        self.check_mask(header)
        if header.is_control:
            self.check_control_final(header)
            self.check_control_length(header)
        else:
            self.check_sequence(header)
        return header

    async def read_length(self, header: Header) -> int:
        size = {126: 2, 127: 8}.get(header.short_length, 0)
        length = self.decode_length(await self.stream.read(size)) if size else header.short_length
        self.check_length(length, size)
        return length

    def decode_length(self, data: bytes) -> int:
        return int.from_bytes(data, "big")

    async def pieces(self, length: int, mask: bytes) -> AsyncIterator[bytes]:
        """The payload of a frame, unmasked, as it arrives."""
        position = 0
        while position < length:
            piece = await self.stream.read_some(length - position)
            yield self.unmask(piece, mask, position)
            position += len(piece)

    def unmask(self, data: bytes, mask: bytes, position: int) -> bytes:
        """RFC 6455 §5.3. ``position`` is where ``data`` begins in the payload."""
        start = position % 4
        key = (mask[start:] + mask[:start]) * (len(data) // 4 + 1)
        size = len(data)
        return (int.from_bytes(data, "big") ^ int.from_bytes(key[:size], "big")).to_bytes(size, "big")

    # --- rules for frames (RFC 6455 §5) -------------------------------------------------------------------------------

    def check_reserved(self, header: Header) -> None:
        allowed = 4 if self.deflate is not None and header.opcode in (1, 2) else 0
        if header.reserved & ~allowed:
            raise Failure(1002, "reserved bit")

    def check_opcode(self, header: Header) -> None:
        if header.opcode not in (0, 1, 2, 8, 9, 10):
            raise Failure(1002, "reserved opcode")

    def check_mask(self, header: Header) -> None:
        if header.masked != self.is_server:
            raise Failure(1002, "masking")

    def check_control_final(self, header: Header) -> None:
        if not header.final:
            raise Failure(1002, "fragmented control frame")

    def check_control_length(self, header: Header) -> None:
        if header.short_length > 125:
            raise Failure(1002, "long control frame")

    def check_sequence(self, header: Header) -> None:
        if (header.opcode == Opcode.CONTINUATION) != (self.message is not None):
            raise Failure(1002, "fragmentation")

    def check_length(self, length: int, size: int) -> None:
        self.check_top_bit(length)
        if size and length < {2: 126, 8: 65536}[size]:
            raise Failure(1002, "length in more bytes than needed")
        if length > self.message_size:
            raise Failure(1009, "too big")

    def check_top_bit(self, length: int) -> None:
        if length >> 63:  # RFC 6455 §5.2
            raise Failure(1002, "length with its highest bit set")

    # --- messages -----------------------------------------------------------------------------------------------------

    async def receive_data(self, header: Header, pieces: AsyncIterator[bytes]) -> None:
        self.begin_frame(header)
        async for piece in pieces:
            self.receive_piece(piece)
        if header.final:
            await self.end_message()
        else:
            self.end_fragment()

    def begin_frame(self, header: Header) -> None:
        if header.opcode != Opcode.CONTINUATION:
            self.message = Message(header.opcode, self.deflate is not None and bool(header.reserved & 4))

    def receive_piece(self, data: bytes) -> None:
        message = self.current()
        room = self.message_size - len(message.payload)
        self.add(self.inflate(data, room) if message.compressed else data)

    def add(self, data: bytes) -> None:
        """Add what the application gets."""
        message = self.current()
        if message.opcode == Opcode.TEXT:
            self.check_text(data, final=False)
        message.payload += data
        if len(message.payload) > self.message_size:
            raise Failure(1009, "too big")

    def end_fragment(self) -> None:
        """A frame that is not the last one has ended."""

    async def end_message(self) -> None:
        message = self.current()
        if message.compressed:
            self.add(self.inflate_rest(self.message_size - len(message.payload)))
        if message.opcode == Opcode.TEXT:
            self.check_text(b"", final=True)
        self.message = None
        await self.echo(message.opcode, bytes(message.payload))

    def check_text(self, data: bytes, *, final: bool) -> None:
        """RFC 6455 §8.1."""
        try:
            self.current().decoder.decode(data, final)
        except UnicodeDecodeError:
            raise Failure(1007, "not UTF-8") from None

    def inflate(self, data: bytes, room: int) -> bytes:
        assert self.deflate is not None
        try:
            return self.deflate.inflate(data, room)
        except Corrupt:
            raise Failure(1007, "not DEFLATE") from None
        except TooBig:
            raise Failure(1009, "too big") from None

    def inflate_rest(self, room: int) -> bytes:
        assert self.deflate is not None
        try:
            return self.deflate.finish(room)
        except Corrupt:
            raise Failure(1007, "not DEFLATE") from None
        except TooBig:
            raise Failure(1009, "too big") from None

    def current(self) -> Message:
        if self.message is None:
            self.message = Message(Opcode.BINARY)  # only a mutant gets here
        return self.message

    async def echo(self, opcode: int, payload: bytes) -> None:
        """Send a message back as it came."""
        if self.deflate is None:
            await self.send(opcode, payload)
        else:
            await self.send(opcode, self.deflate.compress(payload), reserved=4)

    # --- control frames -----------------------------------------------------------------------------------------------

    async def receive_control(self, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.PING:
            await self.receive_ping(payload)
        elif opcode == Opcode.PONG:
            await self.receive_pong(payload)
        else:
            await self.receive_close(payload)

    async def receive_ping(self, payload: bytes) -> None:
        await self.send(Opcode.PONG, payload)

    async def receive_pong(self, payload: bytes) -> None:
        """Nobody has asked for it; that is allowed (RFC 6455 §5.5.3)."""

    async def receive_close(self, payload: bytes) -> None:
        self.check_close_length(payload)
        if payload:
            self.check_close_code(int.from_bytes(payload[:2], "big"))
            self.check_close_reason(payload[2:])
        await self.reply_close(payload[:2])
        self.is_closed = True

    def check_close_length(self, payload: bytes) -> None:
        if len(payload) == 1:
            raise Failure(1002, "half a close code")

    def check_close_code(self, code: int) -> None:
        """RFC 6455 §7.4, and the registry of close codes since."""
        if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
            raise Failure(1002, "close code")

    def check_close_reason(self, reason: bytes) -> None:
        try:
            reason.decode()
        except UnicodeDecodeError:
            raise Failure(1007, "not UTF-8") from None

    async def reply_close(self, code: bytes) -> None:
        await self.send(Opcode.CLOSE, code)

    # --- sending ------------------------------------------------------------------------------------------------------

    async def send(self, opcode: int, payload: bytes, *, final: bool = True, reserved: int = 0) -> None:
        await self.stream.write(self.encode(opcode, payload, final, reserved))

    def encode(self, opcode: int, payload: bytes, final: bool, reserved: int) -> bytes:
        return bytes(Frame(opcode, payload, final, reserved, self.new_mask()))

    def new_mask(self) -> bytes | None:
        """RFC 6455 §5.1: a client masks, a server does not."""
        return None if self.is_server else os.urandom(4)

    # --- the end ------------------------------------------------------------------------------------------------------

    async def fail(self, failure: Failure) -> None:
        """RFC 6455 §7.1.7."""
        await self.send(Opcode.CLOSE, self.failure_code(failure).to_bytes(2, "big") + failure.reason.encode())

    def failure_code(self, failure: Failure) -> int:
        return failure.code

    async def end(self) -> None:
        """RFC 6455 §7.1.1: the server ends TCP first; a client gives it the time to."""
        if not self.is_server:
            await self.stream.wait_for_end(2.0)
        await self.stream.end()
