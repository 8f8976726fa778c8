"""A socket that plays a :class:`Conversation`, on asyncio; the same for a tester of servers and of clients.

Reading never stops for a failed write: a peer that closes at once may leave its close frame behind a broken connection,
and that frame is evidence. asyncio's own streams would lose it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final, Protocol, Self

from .conversation import Conversation
from .verdict import Result

__all__ = ["Channel", "SocketChannel", "StreamChannel", "play"]

_READ_SIZE: Final = 1 << 18


class Channel(Protocol):
    """An open byte stream. The methods raise :exc:`OSError` when it breaks."""

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Write all of it."""
        ...

    async def end_output(self) -> None:
        """End this direction; what cannot do so ends both."""
        ...

    async def close(self) -> None:
        """Let the connection go."""
        ...


class SocketChannel:
    """A connected TCP socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        return await self._loop.sock_recv(self._sock, _READ_SIZE)

    async def write(self, data: bytes) -> None:
        """Write all of it."""
        await self._loop.sock_sendall(self._sock, data)

    async def end_output(self) -> None:
        """End this direction."""
        self._sock.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        """Let the connection go."""
        self._sock.close()


class StreamChannel:
    """asyncio's streams, for TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def accept(cls, sock: socket.socket, context: ssl.SSLContext) -> Self:
        """Speak TLS as a server with the peer of ``sock``. Raises :exc:`OSError` if the peer does not."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=context)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    @property
    def ssl_object(self) -> ssl.SSLObject:
        """What speaks TLS."""
        found: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return found

    async def read(self) -> bytes:
        """The next bytes; empty at the end."""
        return await self._reader.read(_READ_SIZE)

    async def write(self, data: bytes) -> None:
        """Write all of it."""
        self._writer.write(data)
        await self._writer.drain()

    async def end_output(self) -> None:
        """End the stream: TLS has no half of one."""
        self._writer.close()

    async def close(self) -> None:
        """Let the connection go."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def play(channel: Channel, conversation: Conversation, clock: Callable[[], float] = time.monotonic) -> Result:
    """Play to the end, let the channel go, and return the result."""
    player = _Player(channel, conversation, clock)
    try:
        await player.run()
    finally:
        await channel.close()
    return conversation.result()


class _Player:
    """A reader, a writer, and a timer in between."""

    def __init__(self, channel: Channel, conversation: Conversation, clock: Callable[[], float]) -> None:
        self._channel = channel
        self._conversation = conversation
        self._clock = clock
        self._played = asyncio.Event()
        self._may_write = asyncio.Event()

    async def run(self) -> None:
        """Until the conversation is over."""
        async with asyncio.TaskGroup() as group:
            self._may_write.set()
            tasks = group.create_task(self._read()), group.create_task(self._write())
            while not self._conversation.is_over:
                await self._wait()
            for task in tasks:
                task.cancel()

    async def _wait(self) -> None:
        """Until something has happened, or the deadline has come."""
        deadline = self._conversation.next_deadline()
        self._played.clear()
        try:
            async with asyncio.timeout(None if deadline is None else deadline - self._clock()):
                await self._played.wait()
        except TimeoutError:
            self._conversation.handle_timeout(self._clock())
            self._may_write.set()

    async def _read(self) -> None:
        """Hand in what comes, to the end."""
        try:
            while data := await self._channel.read():
                self._conversation.receive_data(data, self._clock())
                self._tell()
            self._conversation.receive_eof(self._clock())
        except OSError as error:
            self._conversation.transport_lost(error, self._clock())
        self._tell()

    def _tell(self) -> None:
        self._played.set()
        self._may_write.set()

    async def _write(self) -> None:
        """Write what there is whenever there is something; what can no longer be written is nobody's fault."""
        with contextlib.suppress(OSError):
            while True:
                await self._may_write.wait()
                self._may_write.clear()
                for data in self._conversation.data_to_send():
                    await self._channel.write(data)
                if self._conversation.ends_output:
                    return await self._channel.end_output()
