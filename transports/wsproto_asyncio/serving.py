"""Servers of every kind: from a listening socket to a handler for each connection."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from wsproto_core import (
    AsyncPeer,
    AsyncReception,
    BindFailed,
    DatagramStatistics,
    ProcessRequest,
    Reception,
    ServerStatistics,
    Tally,
)
from wsproto_net import UdpSocket

from .link import Link

__all__ = ["Listening", "Server", "Serving"]

_P = TypeVar("_P", bound=AsyncPeer[Any])


class Listening(Protocol):
    """Sockets that wait for visitors."""

    @property
    def sockets(self) -> Sequence[Any]: ...
    def stop_accepting(self) -> None:
        """Let nobody else in; who is there may stay."""
        ...

    def close(self) -> None: ...


class Server(Generic[_P]):
    """A running server. Made by :func:`serve` and :func:`serve_tcp`."""

    def __init__(
        self,
        *,
        handler: Callable[[_P], Awaitable[None]] | None,
        process_request: ProcessRequest[_P] | None = None,
        max_connections: int | None,
    ) -> None:
        self._listening: list[Listening] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._forget = self._tasks.discard  # one for all
        #: Who gets in.
        self.reception: AsyncReception[_P] = AsyncReception(
            max_connections, handler=handler, process_request=process_request, spawn=self.spawn, log=Link.log
        )
        self._is_closed = asyncio.get_running_loop().create_future()

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def connections(self) -> Collection[_P]:
        """The open connections. A live view: copy it before you await."""
        return self.reception.open

    @property
    def sockets(self) -> Sequence[Any]:
        """The listening sockets."""
        return [sock for listening in self._listening for sock in listening.sockets]

    @property
    def port(self) -> int:
        """The port of the first listening socket: the one chosen by the system where 0 was asked for."""
        return int(self.sockets[0].getsockname()[1])

    @property
    def tally(self) -> Tally:
        """What its connections have counted so far, those of the past included."""
        return self.reception.counted()

    @property
    def datagram_statistics(self) -> Sequence[ServerStatistics | DatagramStatistics]:
        """UDP: what has been counted at each socket, in the order of :attr:`sockets`; no other server has any."""
        return [one.statistics for one in self._listening if isinstance(one, UdpSocket)]

    # --- life ---------------------------------------------------------------------------------------------------------

    async def serve_forever(self) -> None:
        """Wait until the server is closed, or this is cancelled."""
        await asyncio.shield(self._is_closed)

    async def stop_accepting(self) -> None:
        """Close the listening sockets, and keep the connections: those that are open or on the way to it. Harmless
        twice.

        What waits in such a socket is lost, unless another process has the socket as well.
        """
        for listening in self._listening:
            listening.stop_accepting()

    async def close(self, code: int = 1001, reason: str = "", *, grace_period: float = 10.0) -> None:
        """Stop: no new connections, ``code`` to every open one, and after ``grace_period`` seconds an abrupt end.

        Handlers get to finish within the grace period and are cancelled then. So do opening handshakes that have begun:
        they are answered with 503. Returns when nothing runs any more.
        """
        for ws in tuple(self.reception.open):
            ws.close_nowait(code, reason)  # raises before anything has happened, if at all
        self.reception.is_closing = True
        await self.stop_accepting()
        for listening in self._listening:
            listening.close()
        for seconds, overdue in self.reception.last_calls(grace_period):
            await self._finish(seconds)
            for ws in overdue():
                ws.abort()
        for task in self._other_tasks():
            task.cancel()
        await self._finish(None)
        if not self._is_closed.done():
            self._is_closed.set_result(None)

    async def _finish(self, timeout: float | None) -> None:
        """Wait for connections and tasks, for ``timeout`` seconds at the most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.reception.everyone or self._other_tasks():
                    await self._anybody_gone()

    async def _anybody_gone(self) -> None:
        waiting = [asyncio.ensure_future(ws.wait_closed()) for ws in self.reception.everyone]
        try:
            await asyncio.wait({*waiting, *self._other_tasks()})
        finally:
            for waiter in waiting:
                waiter.cancel()

    def _other_tasks(self) -> set[asyncio.Task[Any]]:
        """The running handlers and introductions, but for a handler that closes the server itself."""
        return {task for task in self._tasks if task is not asyncio.current_task()}

    def listen(self, listening: Listening) -> None:
        """Let in who comes by ``listening``, until the server is closed."""
        self._listening.append(listening)

    def spawn(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Task[Any]:
        """Run ``work``, up to the server's end at the latest."""
        task = asyncio.get_running_loop().create_task(work(), name=__package__)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task


class Serving(ABC, Generic[_P]):
    """A server to be: await it, or use it as a context manager, which closes it behind the block."""

    def __init__(
        self,
        handler: Callable[[_P], Awaitable[None]] | None,
        *,
        process_request: ProcessRequest[_P] | None = None,
        max_connections: int | None,
    ) -> None:
        Reception[_P](max_connections)  # so that a number that cannot work is told now
        self._make_server = partial(
            Server[_P], handler=handler, process_request=process_request, max_connections=max_connections
        )
        self._running: Server[_P] | None = None

    @abstractmethod
    async def _listen(self, server: Server[_P]) -> None:
        """Let ``server`` listen wherever it is to."""

    def __await__(self) -> Generator[Any, None, Server[_P]]:
        return self._serve().__await__()

    async def __aenter__(self) -> Server[_P]:
        self._running = await self._serve()
        return self._running

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._running is not None, "entered"
        await self._running.close()

    async def _serve(self) -> Server[_P]:
        server = self._make_server()
        try:
            await self._listen(server)
        except BaseException as error:
            await server.close()
            if isinstance(error, OSError):
                raise BindFailed.from_error(error) from error
            raise
        return server
