"""Faults that only show inside of TLS (RFC 6455 §10.6): in what is made of its records, and of being safe."""

from __future__ import annotations

import asyncio

from tests.fuzz.mutants.connection import Connection, Header
from tests.fuzz.mutants.fault import CLIENT, SERVER, caught_by
from tests.fuzz.mutants.stream import Ended, Stream

#: What fits into one record (RFC 8446 §5.1).
RECORD_SIZE = 16_384

# --- records ----------------------------------------------------------------------------------------------------------


@caught_by("tls.1.17", "tls.1.18", "tls.1.19", "tls.1.23")
class WritesOneRecord(Stream):
    """Writes what fits into one record, and forgets the rest."""

    async def write(self, data: bytes) -> None:
        await super().write(data[:RECORD_SIZE])


@caught_by("tls.2.3")
class ReadsFrameFromRecord(Stream):
    """Takes what came together for one frame, and forgets what is behind that."""

    async def read(self, size: int) -> bytes:
        if size == 2:  # the header of the next frame
            self.buffer.clear()
        return await super().read(size)


@caught_by("tls.1.11", "tls.1.21")
class ForgetsWhatIsDecrypted(Stream):
    """Waits for the socket as long as TLS has decrypted bytes that nobody has read: they wait for the next record."""

    decrypted = b""

    async def fill(self) -> None:
        held, self.decrypted = self.decrypted, b""
        try:
            await super().fill()
        except Ended:
            self.buffer += held
            if not self.buffer:
                raise
            return
        self.buffer[:0] = held
        self.decrypted = bytes(self.buffer[4096:])
        del self.buffer[4096:]


@caught_by("tls.1.11", "tls.1.21")
class ReadsPartOfRecord(Stream):
    """Reads the first 8 KiB of what came together, and forgets the rest."""

    async def fill(self) -> None:
        await super().fill()
        del self.buffer[8192:]


@caught_by("tls.2.6")
class WantsFrameInRecord(Stream):
    """Wants the whole payload of a frame where its header is."""

    async def read_some(self, most: int) -> bytes:
        if not self.buffer:
            raise Ended
        return self.take(most)


@caught_by("tls.2.6", "tls.3.3")
class EndsInPause(Stream):
    """Takes a tenth of a second without a record for the end."""

    async def fill(self) -> None:
        try:
            async with asyncio.timeout(0.1):
                await super().fill()
        except TimeoutError:
            raise Ended from None


@caught_by("tls.4.1", sides=(CLIENT,))
class NamesNoHost(Stream):
    """Names no host in its TLS handshake."""

    @classmethod
    def server_hostname(cls, host: str) -> str:
        return ""


# --- what TLS does not do for WebSocket (RFC 6455 §5.1) ---------------------------------------------------------------


@caught_by("tls.3.7", sides=(SERVER,))
class TakesUnmasked(Connection):
    """Takes frames without mask, since TLS hides them."""

    def check_mask(self, header: Header) -> None:
        pass


@caught_by("tls.3.1", "tls.3.4", sides=(CLIENT,))
class SendsUnmasked(Connection):
    """Masks nothing, since TLS hides it."""

    def new_mask(self) -> bytes | None:
        return None


@caught_by("tls.3.6")
class TakesAnyText(Connection):
    """Takes any bytes for text, since TLS has checked that none was changed."""

    def check_text(self, data: bytes, *, final: bool) -> None:
        pass
