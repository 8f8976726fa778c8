"""Servers of every kind: who is connected, whose handler runs, and a block around it all."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

import trio

from wsproto_core import AsyncListening, AsyncServer, BindFailed, ProcessRequest, Reception

from .household import Household
from .link import Link
from .peer import StreamPeer, UdpPeer

__all__ = ["Listening", "Server", "Serving"]

_P = TypeVar("_P", bound=StreamPeer[Any] | UdpPeer)


class Listening(AsyncListening, Protocol):
    """Sockets that wait for visitors, as a task."""

    async def run(self) -> None:
        """Let visitors in, until closed."""
        ...


class Server(AsyncServer[_P, Listening]):
    """A running server. Made by :func:`serve`, :func:`serve_tcp` and :func:`serve_udp`."""

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        handler: Callable[[_P], Awaitable[None]],
        process_request: ProcessRequest[_P] | None = None,
        max_connections: int | None,
    ) -> None:
        super().__init__(
            handler=handler,
            process_request=process_request,
            max_connections=max_connections,
            is_closed=trio.Event(),
            log=Link.log,
        )
        #: Where the server's tasks live.
        self.nursery: trio.Nursery = nursery
        # The tasks that run the application's code, or carry a connection.
        self._tasks: dict[trio.lowlevel.Task, trio.CancelScope] = {}
        self._leavers = trio.lowlevel.ParkingLot()

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        self.nursery.start_soon(self._supervise, work)

    async def finish(self, timeout: float | None) -> None:
        myself = {trio.lowlevel.current_task()}
        with trio.move_on_after(math.inf if timeout is None else timeout):
            await trio.lowlevel.checkpoint()
            while self.reception.everyone or self._tasks.keys() - myself:
                await self._leavers.park()

    def drop(self, peer: _P) -> None:
        peer.link.leave()

    def cancel_tasks(self) -> None:
        for task, scope in self._tasks.items():
            if task is not trio.lowlevel.current_task():
                scope.cancel()

    def stop(self) -> None:
        """Let go of every connection, and cancel the handlers, but for one that closes the server itself."""
        self.reception.is_closed = True
        for ws in self.reception.everyone:
            ws.link.leave()
        self.cancel_tasks()

    def listen(self, listening: Listening) -> None:
        """Let in who comes by ``listening``, until the server is closed."""
        self.listening.append(listening)
        self.nursery.start_soon(listening.run)

    def left(self, peer: _P) -> None:
        """The transport of ``peer`` is gone."""
        self.reception.leave(peer)
        self._leavers.unpark_all()

    def retreated(self, visitor: object, address: object, error: BaseException) -> None:
        """``visitor`` is gone, and never was a connection."""
        self.reception.retreat(visitor, address, error)
        self._leavers.unpark_all()

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
