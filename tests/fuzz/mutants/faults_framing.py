"""Faults in frames: masks, lengths, reserved bits, opcodes, and how bytes become frames (RFC 6455 §5.2, §5.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from tests.fuzz.mutants.connection import Connection, Failure, Header
from tests.fuzz.mutants.fault import LAX, SERVER, caught_by
from wsproto_core.frames import Frame, Opcode


@caught_by("framing.9.1", "framing.9.5", "framing.9.11")
class AcceptsWrongMasking(Connection):
    """Takes frames that are not masked from a client, and masked ones from a server."""

    def check_mask(self, header: Header) -> None:
        pass


@caught_by("framing.1.6")
class MasksWrongly(Connection):
    """As a server masks its frames, as a client does not."""

    def new_mask(self) -> bytes | None:
        return b"\1\2\3\4" if self.is_server else None


@caught_by("timing.2.1", "timing.2.2", sides=(SERVER,))
class UnmasksEachPieceAnew(Connection):
    """Starts again with the first byte of the mask whenever a payload goes on in another read."""

    def unmask(self, data: bytes, mask: bytes, position: int) -> bytes:
        return super().unmask(data, mask, 0)


@caught_by("reserved.1.1", "reserved.1.15")
class AcceptsRsv1(Connection):
    """Takes RSV1 on a message although no extension gives it a meaning."""

    def check_reserved(self, header: Header) -> None:
        if header.opcode not in (1, 2) or header.reserved & 3:
            super().check_reserved(header)


@caught_by("reserved.1.2", "reserved.1.3")
class AcceptsRsv2AndRsv3(Connection):
    """Takes RSV2 and RSV3 on messages."""

    def check_reserved(self, header: Header) -> None:
        super().check_reserved(Header(header.first & 0xCF, header.second))


@caught_by("reserved.1.29", "reserved.1.43")
class AcceptsReservedBitsOnControlFrames(Connection):
    """Does not look at the reserved bits of control frames."""

    def check_reserved(self, header: Header) -> None:
        if not header.is_control:
            super().check_reserved(header)


@caught_by("framing.1.6")
class SetsRsv3(Connection):
    """Sets RSV3 on what it sends."""

    def encode(self, opcode: int, payload: bytes, final: bool, reserved: int) -> bytes:
        return super().encode(opcode, payload, final, reserved | 1)


@caught_by("opcodes.1.1", "opcodes.1.2")
class SkipsReservedDataOpcodes(Connection):
    """Reads frames with opcodes 3 to 7, and forgets them."""

    def check_opcode(self, header: Header) -> None:
        if header.is_control:
            super().check_opcode(header)

    def check_sequence(self, header: Header) -> None:
        if header.opcode < 3:
            super().check_sequence(header)

    async def receive_data(self, header: Header, pieces: AsyncIterator[bytes]) -> None:
        if header.opcode < 3:
            await super().receive_data(header, pieces)
        else:
            async for _ in pieces:
                pass


@caught_by("opcodes.1.2")
class EchoesReservedDataOpcodes(Connection):
    """Takes opcodes 3 to 7 for one more kind of message."""

    def check_opcode(self, header: Header) -> None:
        if header.is_control:
            super().check_opcode(header)


@caught_by("opcodes.1.21", "opcodes.1.22")
class SkipsReservedControlOpcodes(Connection):
    """Reads frames with opcodes 11 to 15, and forgets them."""

    def check_opcode(self, header: Header) -> None:
        if not header.is_control:
            super().check_opcode(header)

    async def receive_control(self, opcode: int, payload: bytes) -> None:
        if opcode <= Opcode.PONG:
            await super().receive_control(opcode, payload)


@caught_by("framing.7.1", "framing.7.3", verdict=LAX)
class AcceptsWastefulLengths(Connection):
    """Takes lengths that are written in more bytes than needed."""

    def check_length(self, length: int, size: int) -> None:
        super().check_length(length, 0)


@caught_by("framing.8.3", "framing.8.4")
class IgnoresTopBitOfLength(Connection):
    """Reads a length of eight bytes without its highest bit, if that is set."""

    def check_length(self, length: int, size: int) -> None:
        if not length >> 63:
            super().check_length(length, size)

    async def read_length(self, header: Header) -> int:
        return await super().read_length(header) & ~(1 << 63)


@caught_by("framing.1.11", "framing.1.25")
class ReadsLengthBackwards(Connection):
    """Takes the lowest byte of a length for the first one."""

    def decode_length(self, data: bytes) -> int:
        return int.from_bytes(data, "little")


@caught_by("framing.1.22")
class ReadsShortLengthWithSign(Connection):
    """Takes lengths from 32768 to 65535 for negative ones."""

    def decode_length(self, data: bytes) -> int:
        return int.from_bytes(data, "big", signed=len(data) == 2)


class WritesLengthAsFor(Connection):
    """Not a fault yet: writes the length of messages of some sizes in so many bytes."""

    size: int
    length_size: int

    def encode(self, opcode: int, payload: bytes, final: bool, reserved: int) -> bytes:
        if len(payload) != self.size:
            return super().encode(opcode, payload, final, reserved)
        return bytes(Frame(opcode, payload, final, reserved, self.new_mask(), self.length_size))


@caught_by("framing.1.10")
class Writes125InTwoBytes(WritesLengthAsFor):
    """Writes a length of 125 in two bytes."""

    size = 125
    length_size = 2


@caught_by("framing.1.24")
class Writes65535InEightBytes(WritesLengthAsFor):
    """Writes a length of 65535 in eight bytes."""

    size = 65535
    length_size = 8


@caught_by("framing.1.25")
class Writes65536InTwoBytes(Connection):
    """Writes a length of 65536 in two bytes, where there is room for zeros only."""

    def encode(self, opcode: int, payload: bytes, final: bool, reserved: int) -> bytes:
        frame = super().encode(opcode, payload, final, reserved)
        return frame[:1] + bytes([frame[1] - 1]) + frame[8:] if len(payload) == 65536 else frame


@caught_by("framing.1.11")
class Writes126InOneByte(Connection):
    """Writes a length of 126 in the seven bits that announce a longer one."""

    def encode(self, opcode: int, payload: bytes, final: bool, reserved: int) -> bytes:
        frame = super().encode(opcode, payload, final, reserved)
        return frame[:2] + frame[4:] if len(payload) == 126 else frame


@caught_by("framing.1.12")
class Drops127(Connection):
    """Does not send messages of 127 bytes back."""

    async def echo(self, opcode: int, payload: bytes) -> None:
        if len(payload) != 127:
            await super().echo(opcode, payload)


@caught_by("framing.1.25")
class Drops65536(Connection):
    """Does not send messages of 65536 bytes back."""

    async def echo(self, opcode: int, payload: bytes) -> None:
        if len(payload) != 65536:
            await super().echo(opcode, payload)


@caught_by("framing.1.1")
class DropsEmptyMessages(Connection):
    """Does not send empty messages back."""

    async def echo(self, opcode: int, payload: bytes) -> None:
        if payload:
            await super().echo(opcode, payload)


@caught_by("framing.1.6")
class TextBecomesBinary(Connection):
    """Sends everything back as binary."""

    async def echo(self, opcode: int, payload: bytes) -> None:
        await super().echo(Opcode.BINARY, payload)


@caught_by("framing.2.4")
class BinaryBecomesText(Connection):
    """Sends everything back as text."""

    async def echo(self, opcode: int, payload: bytes) -> None:
        await super().echo(Opcode.TEXT, payload)


@caught_by("framing.1.6")
class NeverFinal(Connection):
    """Never sets FIN on a message."""

    async def echo(self, opcode: int, payload: bytes) -> None:
        await self.send(opcode, payload, final=False)


@caught_by("framing.6.1")
class OneFrameARead(Connection):
    """Takes what it reads at once for one frame, and forgets what follows it."""

    async def receive_frame(self) -> None:
        await super().receive_frame()
        self.stream.buffer.clear()


@caught_by("timing.1.1", "framing.5.1")
class HangsInHeader(Connection):
    """Waits forever when the two bytes of a header come apart."""

    async def read_header(self) -> Header:
        if not self.stream.buffer:
            await self.stream.fill()
        if len(self.stream.buffer) == 1:
            await self.stream.wait_for_end(60.0)
        return await super().read_header()


@caught_by("framing.5.8", "framing.5.16")
class HangsInLength(Connection):
    """Waits forever when the bytes of a length do not come with those before them."""

    async def read_length(self, header: Header) -> int:
        size = {126: 2, 127: 8}.get(header.short_length, 0)
        if len(self.stream.buffer) < size:
            await self.stream.wait_for_end(60.0)
        return await super().read_length(header)


@caught_by("timing.2.4")
class HangsInPayload(Connection):
    """Waits forever when a payload comes apart from its header."""

    async def receive_data(self, header: Header, pieces: AsyncIterator[bytes]) -> None:
        if header.short_length and not self.stream.buffer:
            await self.stream.wait_for_end(60.0)
        await super().receive_data(header, pieces)


@caught_by("timing.2.4", "framing.5.6")
class FailsOnSlowFrames(Connection):
    """Fails when a small frame does not come in one piece."""

    async def read_header(self) -> Header:
        header = await super().read_header()
        if not header.is_control and header.short_length < 126 and len(self.stream.buffer) < header.short_length:
            raise Failure(1002, "too slow")
        return header


@caught_by("framing.1.25", sides=(SERVER,))
class SmallMessagesOnly(Connection):
    """Takes no messages of more than 65535 bytes."""

    message_size = 65535
