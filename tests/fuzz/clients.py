"""Clients that speak the protocol of the client tester, each on a library, and what the tests drive them with."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable

import websockets.asyncio.client
import websockets.exceptions

import wsproto_asyncio
from wsproto_core import ConnectionClosed, PerMessageDeflate, WebSocketError
from wsproto_fuzz.conformance.case import Case
from wsproto_fuzz.conformance.client import ClientTester
from wsproto_fuzz.conformance.verdict import Run

__all__ = ["LIBRARIES", "Library", "judged", "listener", "ours", "theirs", "visit"]

#: Opens a URI, echoes to the end, and returns the first message; ``None`` if the connection never opened.
Library = Callable[[str], Awaitable[str | bytes | None]]


async def ours(uri: str, context: ssl.SSLContext | None = None) -> str | bytes | None:
    """This project's client on asyncio."""
    first: str | bytes | None = None
    try:
        async with wsproto_asyncio.connect(uri, ssl=context, compression=PerMessageDeflate()) as ws:
            async for message in ws:
                first = message if first is None else first
                await ws.send(message)
    except (ConnectionClosed, WebSocketError, OSError):
        pass  # the end of a case, or a handshake that had to be refused
    return first


async def theirs(uri: str) -> str | bytes | None:
    """The client of ``websockets`` on asyncio."""
    first: str | bytes | None = None
    try:
        async with websockets.asyncio.client.connect(uri, max_size=20_000_000, proxy=None) as ws:
            async for message in ws:
                first = message if first is None else first
                await ws.send(message)
    except (websockets.exceptions.WebSocketException, OSError):
        pass
    return first


LIBRARIES = {"wsproto_asyncio": ours, "websockets": theirs}


def listener() -> socket.socket:
    """Listens on a free port."""
    return socket.create_server(("127.0.0.1", 0))


async def visit(base: str, agent: str, library: Library, *, jobs: int = 1) -> str | bytes | None:
    """Everything that the protocol asks of a client, ``jobs`` cases at the same time; the verdict that it is told."""
    count = await library(f"{base}/cases")
    assert isinstance(count, str)
    places = asyncio.Semaphore(jobs)

    async def play(number: int) -> None:
        async with places:
            await library(f"{base}/case?n={number}&agent={agent}")

    await asyncio.gather(*(play(number) for number in range(1, int(count) + 1)))
    return await library(f"{base}/done?agent={agent}")


def judged(
    cases: Iterable[Case], agent: str, library: Library, *, patience: float = 3.0, jobs: int = 1
) -> tuple[Run, object]:
    """Let a client play the cases; the run, and the verdict that it was told."""

    async def main() -> tuple[Run, object]:
        with listener() as sock:
            base = f"ws://127.0.0.1:{sock.getsockname()[1]}"
            async with ClientTester(cases, sock, patience=patience) as tester:
                told = await visit(base, agent, library, jobs=jobs)
                return await tester.finished(), told

    return asyncio.run(main())
