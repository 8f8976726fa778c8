"""Bytes in and out over asyncio's streams, with a buffer of our own, so that mutants can read wrongly."""

from __future__ import annotations

import asyncio

__all__ = ["Ended", "Stream"]

#: Seconds that the other side has to end its half of the connection once ours has ended.
LINGER = 2.0


class Ended(Exception):
    """The other side has ended the connection, or it broke."""


class Stream:
    """A byte stream that is read in exact pieces."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.buffer = bytearray()
        self.reader = reader
        self.writer = writer

    @classmethod
    def server_hostname(cls, host: str) -> str:
        """What TLS is told about the server (RFC 6066 §3); empty for nothing."""
        return host

    async def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes. Raises :exc:`Ended` when there are not so many."""
        while len(self.buffer) < size:
            await self.fill()
        return self.take(size)

    async def read_some(self, most: int) -> bytes:
        """What there is, up to ``most`` bytes; waits for one."""
        if not self.buffer:
            await self.fill()
        return self.take(most)

    async def read_until(self, mark: bytes, most: int) -> bytes | None:
        """Everything up to and with ``mark``; ``None`` when that would be more than ``most`` bytes."""
        while mark not in self.buffer:
            if len(self.buffer) > most:
                return None
            await self.fill()
        end = self.buffer.index(mark) + len(mark)
        return self.take(end) if end <= most else None

    async def fill(self) -> None:
        """Wait for bytes. Raises :exc:`Ended`."""
        try:
            data = await self.reader.read(65536)
        except OSError as error:
            raise Ended from error
        if not data:
            raise Ended
        self.buffer += data

    def take(self, most: int) -> bytes:
        """The first bytes of the buffer, which forgets them."""
        data = bytes(self.buffer[:most])
        del self.buffer[:most]
        return data

    async def write(self, data: bytes) -> None:
        """Write, and wait until most of it is written. Raises :exc:`Ended`."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as error:
            raise Ended from error

    async def end(self) -> None:
        """End our half, so that all that was written arrives; then wait for the other half, and close."""
        try:
            if self.writer.can_write_eof():
                self.writer.write_eof()
                await self.wait_for_end(LINGER)
        except OSError:
            pass
        await self.close()

    async def wait_for_end(self, timeout: float) -> None:
        """Read and forget until the other side ends its half, for ``timeout`` seconds at most."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    await self.fill()
                    self.buffer.clear()
        except (Ended, TimeoutError):
            pass

    async def close(self) -> None:
        """Close both halves at once."""
        try:
            self.writer.close()
            await self.writer.wait_closed()
        except OSError:
            pass

    def abort(self) -> None:
        """Break the connection without a word."""
        self.writer.transport.abort()
