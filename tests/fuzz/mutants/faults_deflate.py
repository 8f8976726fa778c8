"""Faults in permessage-deflate (RFC 7692)."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

from tests.fuzz.mutants.connection import Connection, Failure, Header
from tests.fuzz.mutants.deflate import Corrupt, Deflate, Terms
from tests.fuzz.mutants.fault import CLIENT, SERVER, caught_by
from tests.fuzz.mutants.server_opening import ServerOpening
from wsproto_core.frames import Opcode

# --- compressed data (RFC 7692 §7.2) ----------------------------------------------------------------------------------


@caught_by("deflate.9.1")
class LosesInflatersContext(Deflate):
    """Begins anew with each message although the other side goes on."""

    def message_inflated(self) -> None:
        self.inflater = self.new_inflater()


@caught_by("deflate.9.13")
class KeepsCompressorsContext(Deflate):
    """Goes on from message to message although it has agreed to begin anew."""

    def message_compressed(self) -> None:
        pass


@caught_by("deflate.9.4")
class SmallInflater(Deflate):
    """Inflates with a window of 9 bits whatever was agreed."""

    def new_inflater(self) -> zlib._Decompress:
        return zlib.decompressobj(-9)


@caught_by("deflate.10.4", sides=(SERVER,))
@caught_by("deflate.11.4", sides=(CLIENT,))
class LargeCompressor(Deflate):
    """Compresses with a window of 15 bits whatever was agreed."""

    def new_compressor(self) -> zlib._Compress:
        return zlib.compressobj(6, zlib.DEFLATED, -15)


@caught_by("deflate.9.1")
class StripsTooMuch(Deflate):
    """Takes one byte more than 00 00 FF FF away."""

    def strip(self, data: bytes) -> bytes:
        return super().strip(data)[:-1]


@caught_by("deflate.9.3")
class ForgetsTail(Deflate):
    """Does not put 00 00 FF FF back before it inflates the end of a message."""

    def finish(self, room: int) -> bytes:
        self.message_inflated()
        return b""


@caught_by("deflate.6.13")
class AddsZlibHeader(Deflate):
    """Compresses in the format of zlib, with a header."""

    def new_compressor(self) -> zlib._Compress:
        return zlib.compressobj(6, zlib.DEFLATED, 15)


@caught_by("deflate.14.19")
class StopsAtFinalBlock(Deflate):
    """Takes a block with BFINAL for the end of the message."""

    def inflate(self, data: bytes, room: int) -> bytes:
        return b"" if self.inflater.eof else self.inflater.decompress(data)


@caught_by("deflate.15.1")
class IgnoresCorruption(Deflate):
    """Takes data that is not DEFLATE for the end of the message."""

    def inflate(self, data: bytes, room: int) -> bytes:
        try:
            return super().inflate(data, room)
        except Corrupt:
            self.inflater = self.new_inflater()
            return b""


# --- frames (RFC 7692 §6) ---------------------------------------------------------------------------------------------


@caught_by("deflate.7.4")
class SetsRsv1OnControlFrames(Connection):
    """Sets RSV1 on control frames when compression is agreed on."""

    async def send(self, opcode: int, payload: bytes, *, final: bool = True, reserved: int = 0) -> None:
        marked = 4 if self.deflate is not None and opcode >= 8 else reserved
        await super().send(opcode, payload, final=final, reserved=marked)


@caught_by("deflate.7.4")
class CompressesControlFrames(Connection):
    """Compresses the payload of pongs."""

    async def receive_ping(self, payload: bytes) -> None:
        if self.deflate is not None:
            payload = self.deflate.compress(payload)
        await super().receive_ping(payload)


@caught_by("deflate.7.4")
class InflatesControlFrames(Connection):
    """Takes the payload of pings for compressed, and fails when it is not."""

    async def receive_ping(self, payload: bytes) -> None:
        if self.deflate is not None:
            payload = self.inflate(payload, 125) if payload else payload
        await super().receive_ping(payload)


@caught_by("deflate.6.13")
class SetsRsv1OnEachFragment(Connection):
    """Sends compressed messages in two fragments, and sets RSV1 on both."""

    async def echo(self, opcode: int, payload: bytes) -> None:
        if self.deflate is None:
            await super().echo(opcode, payload)
            return
        data = self.deflate.compress(payload)
        await self.send(opcode, data[:1], final=False, reserved=4)
        await self.send(Opcode.CONTINUATION, data[1:], reserved=4)


@caught_by("deflate.12.1")
class AcceptsRsv1OnContinuation(Connection):
    """Takes RSV1 on a continuation frame."""

    def check_reserved(self, header: Header) -> None:
        if self.deflate is None or header.opcode != Opcode.CONTINUATION:
            super().check_reserved(header)


@caught_by("deflate.12.4", "deflate.12.7")
class AcceptsRsv1OnControlFrames(Connection):
    """Takes RSV1 on a control frame when compression is agreed on."""

    def check_reserved(self, header: Header) -> None:
        if self.deflate is None or not header.is_control:
            super().check_reserved(header)


@caught_by("deflate.7.1")
class TakesAllForCompressed(Connection):
    """Inflates messages without RSV1 as well."""

    def begin_frame(self, header: Header) -> None:
        super().begin_frame(header)
        self.current().compressed = self.deflate is not None


@caught_by("deflate.6.13")
class TakesNothingForCompressed(Connection):
    """Does not inflate what has RSV1 set, although compression is agreed on."""

    def begin_frame(self, header: Header) -> None:
        super().begin_frame(header)
        self.current().compressed = False


@caught_by("deflate.6.13")
class ForgetsRsv1(Connection):
    """Compresses what it sends, and does not set RSV1."""

    async def send(self, opcode: int, payload: bytes, *, final: bool = True, reserved: int = 0) -> None:
        await super().send(opcode, payload, final=final)


@caught_by("deflate.8.1")
class InflatesFirstFragmentOnly(Connection):
    """Takes fragments after the first one for uncompressed, since they have no RSV1."""

    async def receive_data(self, header: Header, pieces: AsyncIterator[bytes]) -> None:
        if header.opcode == Opcode.CONTINUATION:
            self.current().compressed = False
        await super().receive_data(header, pieces)


@caught_by("deflate.6.1")
class RefusesEmptyCompressed(Connection):
    """Fails at a compressed message that inflates to nothing."""

    async def echo(self, opcode: int, payload: bytes) -> None:
        if self.deflate is not None and not payload:
            raise Failure(1002, "empty")
        await super().echo(opcode, payload)


@caught_by("deflate.6.13")
class ChecksCompressedText(Connection):
    """Looks whether the compressed bytes of a text are UTF-8."""

    def receive_piece(self, data: bytes) -> None:
        message = self.current()
        if message.compressed and message.opcode == Opcode.TEXT:
            self.check_text(data, final=True)
        super().receive_piece(data)


@caught_by("deflate.17.1")
class AcceptsAnyCompressedText(Connection):
    """Does not look whether text that was compressed is UTF-8."""

    def check_text(self, data: bytes, *, final: bool) -> None:
        if not self.current().compressed:
            super().check_text(data, final=final)


# --- negotiation (RFC 7692 §5, §7.1) ----------------------------------------------------------------------------------


@caught_by("handshake.1.1", sides=(SERVER,))
class CompressesUnasked(ServerOpening):
    """Answers permessage-deflate where nobody has offered it."""

    def extensions(self) -> str | None:
        return super().extensions() or "permessage-deflate"


@caught_by("deflate.1.1", sides=(SERVER,))
class AnswersTwice(ServerOpening):
    """Answers permessage-deflate twice."""

    def extensions(self) -> str | None:
        return None if self.terms is None else f"{self.terms}, {self.terms}"


@caught_by("deflate.1.1", sides=(SERVER,))
class AnswersUnknownParameter(ServerOpening):
    """Adds a parameter that does not exist to its answer."""

    def extensions(self) -> str | None:
        return None if self.terms is None else f"{self.terms}; fast"


@caught_by("deflate.3.1", sides=(SERVER,))
class IgnoresParameters(ServerOpening):
    """Accepts offers with parameters that do not exist."""

    def agree(self, parameters: list[str]) -> Terms | None:
        known = ("server_", "client_")
        return super().agree([parameter for parameter in parameters if parameter.startswith(known)])


@caught_by("deflate.3.3", sides=(SERVER,))
class IgnoresRepetition(ServerOpening):
    """Accepts offers with a parameter given twice."""

    def agree(self, parameters: list[str]) -> Terms | None:
        by_name = {parameter.partition("=")[0]: parameter for parameter in parameters}
        return super().agree(list(by_name.values()))


@caught_by("deflate.3.7", "deflate.3.8", sides=(SERVER,))
class AcceptsAnyBits(ServerOpening):
    """Accepts offers with windows of less than 8 or more than 15 bits."""

    def parse_parameter(self, name: str, value: str | None) -> bool | int | None:
        if value is not None and value.isdigit():
            value = str(min(15, max(8, int(value))))
        return super().parse_parameter(name, value)


@caught_by("deflate.3.17", sides=(SERVER,))
class AcceptsFlagsWithValue(ServerOpening):
    """Accepts offers with a value for a parameter that has none."""

    def parse_parameter(self, name: str, value: str | None) -> bool | int | None:
        return super().parse_parameter(name, None if name.endswith("takeover") else value)


@caught_by("deflate.1.1", sides=(SERVER,))
class LimitsClientUnasked(ServerOpening):
    """Answers client_max_window_bits to an offer without it."""

    def terms_for(self, given: dict[str, bool | int]) -> Terms:
        return super().terms_for({**given, "client_max_window_bits": 10})


@caught_by("deflate.1.14", sides=(SERVER,))
class ForgetsServersRestart(ServerOpening):
    """Accepts an offer with server_no_context_takeover, and does not answer it."""

    def terms_for(self, given: dict[str, bool | int]) -> Terms:
        return super().terms_for({name: given[name] for name in given if name != "server_no_context_takeover"})


@caught_by("deflate.1.10", sides=(SERVER,))
class ForgetsServersBits(ServerOpening):
    """Accepts an offer with server_max_window_bits, and does not answer it."""

    def terms_for(self, given: dict[str, bool | int]) -> Terms:
        return super().terms_for({name: given[name] for name in given if name != "server_max_window_bits"})


@caught_by("deflate.1.10", sides=(SERVER,))
class RaisesServersBits(ServerOpening):
    """Answers more server_max_window_bits than were offered."""

    def terms_for(self, given: dict[str, bool | int]) -> Terms:
        if "server_max_window_bits" in given:
            given = {**given, "server_max_window_bits": 15}
        return super().terms_for(given)
