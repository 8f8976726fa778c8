"""Servers of every kind: who is connected, whose handler runs, and a block around it all."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Generator, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

import trio

from wsproto_core import (
    AsyncReception,
    BindFailed,
    DatagramStatistics,
    ProcessRequest,
    Reception,
    ServerStatistics,
    Tally,
)
from wsproto_net import UdpSocket

from .household import Household
from .link import Link
from .peer import StreamPeer, UdpPeer

__all__ = ["Listening", "Server", "Serving"]

_P = TypeVar("_P", bound=StreamPeer[Any] | UdpPeer)


class Listening(Protocol):
    """Sockets that wait for visitors."""

    @property
    def sockets(self) -> Sequence[Any]: ...
    async def run(self) -> None:
        """Let visitors in, until closed."""
        ...

    def stop_accepting(self) -> None:
        """Let nobody else in; who is there may stay."""
        ...

    def close(self) -> None: ...


class Server(Generic[_P]):
    """A running server. Made by :func:`serve` and :func:`serve_tcp`."""

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        handler: Callable[[_P], Awaitable[None]],
        process_request: ProcessRequest[_P] | None = None,
        max_connections: int | None,
    ) -> None:
        #: Where the server's tasks live.
        self.nursery: trio.Nursery = nursery
        #: Who gets in.
        self.reception: AsyncReception[_P] = AsyncReception(
            max_connections, handler=handler, process_request=process_request, spawn=self.spawn, log=Link.log
        )
        self._listening: list[Listening] = []
        # The tasks that run the application's code, or carry a connection.
        self._tasks: dict[trio.lowlevel.Task, trio.CancelScope] = {}
        self._leavers = trio.lowlevel.ParkingLot()
        self._is_closed = trio.Event()

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
        await self._is_closed.wait()

    async def stop_accepting(self) -> None:
        """Close the listening sockets, and keep the connections: those that are open or on the way to it. Harmless
        twice.

        What waits in such a socket is lost, unless another process has the socket as well.
        """
        for listening in self._listening:
            listening.stop_accepting()
        await trio.lowlevel.checkpoint()

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
            with trio.move_on_after(seconds):
                await self._until_idle()
            for ws in overdue():
                ws.link.leave()
        self.stop()
        await self._until_idle()
        self._is_closed.set()

    def stop(self) -> None:
        """Let go of every connection, and cancel the handlers, but for one that closes the server itself."""
        self.reception.is_closed = True
        for ws in self.reception.everyone:
            ws.link.leave()
        for task, scope in self._tasks.items():
            if task is not trio.lowlevel.current_task():
                scope.cancel()

    async def _until_idle(self) -> None:
        """Wait for handlers and connections."""
        await trio.lowlevel.checkpoint()
        myself = {trio.lowlevel.current_task()}
        while self.reception.everyone or self._tasks.keys() - myself:
            await self._leavers.park()

    def listen(self, listening: Listening) -> None:
        """Let in who comes by ``listening``, until the server is closed."""
        self._listening.append(listening)
        self.nursery.start_soon(listening.run)

    def left(self, peer: _P) -> None:
        """The transport of ``peer`` is gone."""
        self.reception.leave(peer)
        self._leavers.unpark_all()

    def retreated(self, visitor: object, address: object, error: BaseException) -> None:
        """``visitor`` is gone, and never was a connection."""
        self.reception.retreat(visitor, address, error)
        self._leavers.unpark_all()

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work``, up to the server's end at the latest."""
        self.nursery.start_soon(self._supervise, work)

    async def _supervise(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run a task. Its cancellation is nobody else's."""
        task = trio.lowlevel.current_task()
        try:
            with trio.CancelScope() as scope:
                self._tasks[task] = scope
                await work()
        finally:
            del self._tasks[task]
            self._leavers.unpark_all()


class Serving(ABC, Generic[_P]):
    """A server to be: use it as a context manager, which closes it behind the block, or start it in a nursery."""

    def __init__(
        self,
        handler: Callable[[_P], Awaitable[None]],
        *,
        process_request: ProcessRequest[_P] | None = None,
        max_connections: int | None,
    ) -> None:
        Reception[_P](max_connections)  # so that a number that cannot work is told now
        self._make_server = functools.partial(
            Server[_P], handler=handler, process_request=process_request, max_connections=max_connections
        )
        self._household = Household()
        self._running: Server[_P] | None = None

    @abstractmethod
    async def _doors(self) -> Sequence[Callable[[Server[_P]], Listening]]:
        """Open the sockets; return what makes of each something that a server can listen by."""

    def __await__(self) -> Generator[Any, None, Server[_P]]:
        name = type(self).__name__
        raise TypeError(f"on trio: async with {name}(...) as server, or await nursery.start({name}(...))")

    async def __call__(self, *, task_status: trio.TaskStatus[Server[_P]] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until the server is closed: what ``nursery.start`` calls."""
        async with self as server:
            task_status.started(server)
            await server.serve_forever()

    async def __aenter__(self) -> Server[_P]:
        try:
            doors = await self._doors()
        except OSError as error:
            raise BindFailed.from_error(error) from error
        self._running = self._make_server(await self._household.open())
        for door in doors:
            self._running.listen(door(self._running))
        return self._running

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._running is not None, "entered"
        try:
            await self._running.close()
        except trio.Cancelled:
            self._running.stop()
            if error is None:
                raise
        finally:
            await self._household.close(kind, error, trace)
