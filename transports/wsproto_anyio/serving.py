"""Servers of every kind: who is connected, whose handler runs, and a block around it all."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from anyio import CancelScope, get_current_task, move_on_after
from anyio import Event as Flag
from anyio.abc import TaskGroup

from wsproto_core import AsyncListening, AsyncServer, BindFailed, ProcessRequest, Reception

from .household import Household
from .link import Link
from .peer import StreamPeer, UdpPeer
from .waiting import Signal

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
        group: TaskGroup,
        *,
        handler: Callable[[_P], Awaitable[None]],
        process_request: ProcessRequest[_P] | None = None,
        max_connections: int | None,
    ) -> None:
        super().__init__(
            handler=handler,
            process_request=process_request,
            max_connections=max_connections,
            is_closed=Flag(),
            log=Link.log,
        )
        #: Where the server's tasks live.
        self.group: TaskGroup = group
        # What the application's code and the connections run in, each with its task: 0 before it has begun.
        self._running: dict[CancelScope, int] = {}
        self._changed = Signal()

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        scope = CancelScope()
        self._running[scope] = 0
        self.group.start_soon(self._keep, scope, work)

    async def finish(self, timeout: float | None) -> None:
        with move_on_after(timeout):
            while self.reception.everyone or self._others():
                await self._changed.wait()

    def drop(self, peer: _P) -> None:
        peer.abort()

    def cancel_tasks(self) -> None:
        for scope in self._others():
            scope.cancel()

    def _others(self) -> list[CancelScope]:
        """What runs, but for a handler that closes the server itself."""
        this = get_current_task().id
        return [scope for scope, task in self._running.items() if task != this]

    def listen(self, listening: Sequence[Listening]) -> None:
        """Let in who comes by ``listening``, until the server is closed."""
        self.listening.extend(listening)
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
