"""One test for every runtime: the doors of all adapters with the same face, far ends, and a proxy.

Blocking sockets get their coroutines from the stage: each blocks instead of waiting, in a thread of its own.
"""

from __future__ import annotations

import functools
import logging
import socket
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Protocol

import pytest

import wsproto_anyio
import wsproto_asyncio
import wsproto_sockets
import wsproto_trio
from tests.adapters.stages.base import Stage
from tests.adapters.stages.running import on_every_stage
from tests.adapters.stages.sockets_stage import Peer as Facade
from tests.adapters.stages.sockets_stage import Serving, SocketsStage, faced, finish
from wsproto_core import Peer
from wsproto_core.testing import RawStream

__all__ = [
    "PACKAGES",
    "Ends",
    "FarSocket",
    "ServerLike",
    "connecting",
    "echo",
    "far_socket",
    "free_port",
    "frozen",
    "log_lines",
    "missed_by",
    "on_every_stage",
    "pair",
    "proxy",
    "receive_exactly",
    "serving",
]

Test = Callable[..., Coroutine[Any, Any, None]]
Handler = Callable[[Any], Coroutine[Any, Any, None]]

PACKAGES: Final[dict[str, ModuleType]] = {
    "asyncio": wsproto_asyncio,
    "aiofastnet": wsproto_asyncio,
    "uvloop": wsproto_asyncio,
    "trio": wsproto_trio,
    "anyio on asyncio": wsproto_anyio,
    "anyio on trio": wsproto_anyio,
    "sockets": wsproto_sockets,
}


class ServerLike(Protocol):
    """A running server of any adapter."""

    @property
    def port(self) -> int: ...
    @property
    def connections(self) -> Collection[Peer]: ...
    @property
    def datagram_statistics(self) -> Sequence[Any]: ...
    async def close(self, code: int = 1001, reason: str = "", *, grace_period: float = 10.0) -> None: ...


# --- one test, every runtime ------------------------------------------------------------------------------------------


def connecting(stage: Stage, door: str, *arguments: Any, **options: Any) -> AbstractAsyncContextManager[Any]:
    """``connect``, ``connect_tcp`` or ``connect_udp`` of the stage's adapter."""
    connect = getattr(PACKAGES[stage.name], door)
    if isinstance(stage, SocketsStage):
        return _blocking_client(functools.partial(connect, *arguments, **options))
    context: AbstractAsyncContextManager[Any] = connect(*arguments, **options)
    return context


def serving(
    stage: Stage, door: str, handler: Handler, *arguments: Any, **options: Any
) -> AbstractAsyncContextManager[ServerLike]:
    """``serve``, ``serve_tcp`` or ``serve_udp`` of the stage's adapter; on a free port, unless told otherwise."""
    serve = getattr(PACKAGES[stage.name], door)
    where = arguments if arguments or {"sock", "unix_path", "port"} & set(options) else ("127.0.0.1", 0)
    if isinstance(stage, SocketsStage):
        return _blocking_server(functools.partial(serve, lambda peer: finish(handler(faced(peer))), *where, **options))
    context: AbstractAsyncContextManager[ServerLike] = serve(handler, *where, **options)
    return context


@asynccontextmanager
async def _blocking_client(connect: Callable[[], Any]) -> AsyncIterator[Any]:
    with connect() as peer:
        yield faced(peer)


@asynccontextmanager
async def _blocking_server(serve: Callable[[], Any]) -> AsyncIterator[Any]:
    with serve() as server:
        yield Serving(server)


@contextmanager
def frozen(stage: Stage, peer: Any) -> Iterator[None]:
    """Nothing is read for ``peer`` within the block, which must not await: a loop stands still, a thread lacks the
    lock.
    """
    if isinstance(stage, SocketsStage):
        with peer.link.changed:
            yield
    else:
        yield


def missed_by(stage: Stage, server: ServerLike, message: str | bytes) -> list[Any]:
    """``broadcast`` of the stage's adapter: whom it could not reach."""
    bare = [peer.ws if isinstance(peer, Facade) else peer for peer in server.connections]
    missed: list[Any] = PACKAGES[stage.name].broadcast(bare, message)
    return missed


# --- handlers, and what they have seen --------------------------------------------------------------------------------


async def echo(peer: Peer) -> None:
    """Send back what comes."""
    async for message in peer:
        await peer.send(message)


@dataclass
class Ends:
    """Both ends of one connection."""

    client: Any
    server: Any
    #: Where the server listens.
    listening: ServerLike


@asynccontextmanager
async def pair(
    stage: Stage, kind: str, *, server: dict[str, Any] | None = None, client: dict[str, Any] | None = None
) -> AsyncIterator[Ends]:
    """A client and a server of the stage's adapter that speak ``kind``, which is ``tcp`` or ``udp``, with no handler
    between: the test has both ends in its hands.
    """
    arrived, done = stage.event(), stage.event()
    ends: list[Any] = []

    async def handler(peer: Any) -> None:
        ends.append(peer)
        arrived.set()
        await done.wait()

    async with serving(stage, f"serve_{kind}", handler, **(server or {})) as listening:
        try:
            async with connecting(stage, f"connect_{kind}", "127.0.0.1", listening.port, **(client or {})) as peer:
                if kind == "udp":
                    await peer.send("hello")  # nobody hears of a silent one
                await arrived.wait()
                if kind == "udp":
                    await ends[0].recv()
                yield Ends(peer, ends[0], listening)
        finally:
            done.set()


def log_lines(caplog: pytest.LogCaptureFixture, level: int = logging.ERROR) -> list[str]:
    """What the adapters have told the operator, at ``level`` or above."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("wsproto_") and record.levelno >= level
    ]


# --- far ends ---------------------------------------------------------------------------------------------------------


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Where nobody listens."""
    with socket.socket(type=kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class FarSocket:
    """A UDP socket without any library behind it."""

    def __init__(self, stage: Stage, family: int = socket.AF_INET) -> None:
        self._stage = stage
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self, datagram: bytes, port: int) -> None:
        self.socket.sendto(datagram, ("127.0.0.1", port))

    async def receive(self) -> tuple[bytes, Any]:
        """The next datagram, and who has sent it."""
        while True:
            try:
                return self.socket.recvfrom(65_535)
            except BlockingIOError:
                await self._stage.wait_readable(self.socket)

    def at_hand(self) -> list[bytes]:
        """What has come already."""
        datagrams = []
        try:
            while True:
                datagrams.append(self.socket.recv(65_535))
        except BlockingIOError:
            return datagrams


@contextmanager
def far_socket(stage: Stage) -> Iterator[FarSocket]:
    """A bare UDP socket on 127.0.0.1."""
    far = FarSocket(stage)
    with far.socket:
        yield far


async def receive_exactly(stream: RawStream, size: int) -> bytes:
    """``size`` bytes of a bare TCP connection."""
    data = bytearray()
    while len(data) < size:
        data += await stream.receive()
    return bytes(data)


@asynccontextmanager
async def proxy(stage: Stage, port: int) -> AsyncIterator[int]:
    """A proxy, HTTP or SOCKS5 as its client likes, that leads to ``port`` whatever it is asked for."""

    async def behave(near: RawStream) -> None:
        far = await stage.dial(port)
        try:
            if await near.receive() == b"\x05\x01\x00":
                await near.send(b"\x05\x00")
                await near.receive()
                await near.send(b"\x05\x00\x00\x01" + bytes(6))
            else:
                await near.send(b"HTTP/1.1 200 OK\r\n\r\n")
            back = stage.spawn(carry, far, near)
            await carry(near, far)
            await back.outcome()
        finally:
            far.close()

    async with stage.listen(behave) as where:
        yield where


async def carry(source: RawStream, target: RawStream) -> None:
    """Pass on what comes, and the end."""
    try:
        while data := await source.receive():
            await target.send(data)
        target.end()
    except OSError:
        pass  # one of the two is gone
