"""Running the reference peer, or a mutant of it, as a server or as a client."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.fuzz.mutants.client_opening import ClientOpening, Refused
from tests.fuzz.mutants.connection import Connection
from tests.fuzz.mutants.deflate import Deflate, Terms
from tests.fuzz.mutants.server_opening import ServerOpening
from tests.fuzz.mutants.stream import Ended, Stream

__all__ = ["HOST", "Parts", "echo", "serve"]

#: What clients call the server.
HOST = "localhost"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a peer is made of. The reference peer has all parts in order, a mutant all but one."""

    stream: type[Stream] = Stream
    server_opening: type[ServerOpening] = ServerOpening
    client_opening: type[ClientOpening] = ClientOpening
    connection: type[Connection] = Connection
    deflate: type[Deflate] = Deflate

    def connect(self, stream: Stream, terms: Terms | None, *, is_server: bool) -> Connection:
        deflate = None if terms is None else self.deflate(terms, is_server)
        return self.connection(stream, deflate, is_server=is_server)


@contextlib.asynccontextmanager
async def serve(parts: Parts, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """An echo server on 127.0.0.1; yields its port. A fault that nobody has put into it is raised at the end."""
    tasks: list[asyncio.Task[None]] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(_serve_one(parts.stream(reader, writer), parts)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def echo(parts: Parts, port: int, target: str = "/", context: ssl.SSLContext | None = None) -> None:
    """Connect to this machine, and echo until the connection ends."""
    name = None if context is None else parts.stream.server_hostname(HOST)
    stream = parts.stream(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name))
    try:
        opening = parts.client_opening(stream, f"{HOST}:{port}", target)
        await opening.run()
        await parts.connect(stream, opening.terms, is_server=False).run()
    except (Refused, Ended):
        pass
    finally:
        await stream.close()


async def _serve_one(stream: Stream, parts: Parts) -> None:
    try:
        opening = parts.server_opening(stream)
        if await opening.run():
            await parts.connect(stream, opening.terms, is_server=True).run()
    except Ended:
        pass
    finally:
        await stream.close()
