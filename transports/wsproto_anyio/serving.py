"""Servers of every kind: who is connected, whose handler runs, and a block around it all."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Generic, Protocol, TypeVar

from anyio import CancelScope, get_current_task, move_on_after
from anyio import Event as Flag
from anyio.abc import TaskGroup

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
from .waiting import Signal

__all__ = ["Listening", "Server", "Serving"]

_P = TypeVar("_P", bound=StreamPeer[Any] | UdpPeer)


class Listening(Protocol):
    """Sockets that wait for visitors."""

    @property
    def sockets(self) -> Sequence[Any]: ...
    async def run(self) -> None:
        """Let visitors in, until closed."""
        ...

    async def stop_accepting(self) -> None:
        """Let nobody else in; who is there may stay."""
        ...

    async def close(self) -> None: ...


class Server(Generic[_P]):
    """A running server. Made by :func:`serve` and :func:`serve_tcp`."""

    def __init__(
        self,
        group: TaskGroup,
        *,
        handler: Callable[[_P], Awaitable[None]],
        process_request: ProcessRequest[_P] | None = None,
        max_connections: int | None,
    ) -> None:
        #: Where the server's tasks live.
        self.group: TaskGroup = group
        #: Who gets in.
        self.reception: AsyncReception[_P] = AsyncReception(
            max_connections, handler=handler, process_request=process_request, spawn=self.spawn, log=Link.log
        )
        self._listening: Sequence[Listening] = ()
        # What the application's code and the connections run in, each with its task: 0 before it has begun.
        self._running: dict[CancelScope, int] = {}
        self._changed = Signal()
        self._is_closed = Flag()

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
            await listening.stop_accepting()

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
            await listening.close()
        for seconds, overdue in self.reception.last_calls(grace_period):
            await self._finish(seconds)
            for ws in overdue():
                ws.abort()
        for scope in self._others():
            scope.cancel()
        await self._finish(None)
        self._is_closed.set()

    async def _finish(self, timeout: float | None) -> None:
        """Wait for handlers and connections, for ``timeout`` seconds at the most."""
        with move_on_after(timeout):
            while self.reception.everyone or self._others():
                await self._changed.wait()

    def _others(self) -> list[CancelScope]:
        """What runs, but for a handler that closes the server itself."""
        this = get_current_task().id
        return [scope for scope, task in self._running.items() if task != this]

    def listen(self, listening: Sequence[Listening]) -> None:
        """Let in who comes by ``listening``, until the server is closed."""
        self._listening = listening
        for one in listening:
            self.group.start_soon(one.run)

    def left(self, peer: _P) -> None:
        """The transport of ``peer`` is gone."""
        self.reception.leave(peer)
        self._changed.wake()

    def retreated(self, visitor: object, address: object, error: BaseException) -> None:
        """``visitor`` is gone, and never was a connection."""
        self.reception.retreat(visitor, address, error)
        self._changed.wake()

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work``, up to the server's end at the latest."""
        scope = CancelScope()
        self._running[scope] = 0
        self.group.start_soon(self._keep, scope, work)

    async def _keep(self, scope: CancelScope, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work`` so that :meth:`close` can wait for it and cancel it."""
        self._running[scope] = get_current_task().id
        try:
            with scope:
                await work()
        finally:
            del self._running[scope]
            self._changed.wake()


class Serving(Household[Server[_P]]):
    """A server to be."""

    def __init__(
        self,
        handler: Callable[[_P], Awaitable[None]],
        *,
        process_request: ProcessRequest[_P] | None = None,
        max_connections: int | None,
        task_group: TaskGroup | None,
    ) -> None:
        super().__init__(task_group)
        Reception[_P](max_connections)  # so that a number that cannot work is told now
        self._make_server = functools.partial(
            Server[_P], handler=handler, process_request=process_request, max_connections=max_connections
        )

    @abstractmethod
    async def _doors(self) -> Sequence[Callable[[Server[_P]], Listening]]:
        """Open the sockets; return what makes of each something that a server can listen by."""

    async def _begin(self, group: TaskGroup) -> Server[_P]:
        try:
            doors = await self._doors()
        except OSError as error:
            raise BindFailed.from_error(error) from error
        server = self._make_server(group)
        server.listen([door(server) for door in doors])
        return server

    async def _end(self, inmate: Server[_P], error: BaseException | None) -> None:  # noqa: ARG002 - a block's end
        await inmate.close()
