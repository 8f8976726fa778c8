"""Servers of every kind: from a listening socket to a handler for each connection."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from wsproto_core import AsyncListening, AsyncPeer, AsyncServer, BindFailed, ProcessRequest, Reception

from .link import Link

__all__ = ["Server", "Serving"]

_P = TypeVar("_P", bound=AsyncPeer[Any])


class Server(AsyncServer[_P, AsyncListening]):
    """A running server. Made by :func:`serve`, :func:`serve_tcp` and :func:`serve_udp`."""

    def __init__(
        self,
        *,
        handler: Callable[[_P], Awaitable[None]] | None,
        process_request: ProcessRequest[_P] | None = None,
        max_connections: int | None,
    ) -> None:
        super().__init__(
            handler=handler,
            process_request=process_request,
            max_connections=max_connections,
            is_closed=asyncio.Event(),
            log=Link.log,
        )
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work(), name=__package__)
        self._tasks.add(task)
        return task

    def ending(self) -> None:
        # Not by a callback of the task: that would be called a turn of the loop later, by a handle of its own.
        self.forget(asyncio.current_task())

    def forget(self, task: asyncio.Task[Any] | None) -> None:
        """``task``, which :meth:`spawn` has started, is over, or as good as that."""
        self._tasks.discard(cast(asyncio.Task[Any], task))

    async def finish(self, timeout: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.reception.everyone or self._other_tasks():
                    await self._anybody_gone()

    def drop(self, peer: _P) -> None:
        peer.abort()

    def cancel_tasks(self) -> None:
        for task in self._other_tasks():
            task.cancel()

    async def _anybody_gone(self) -> None:
        waiting = [asyncio.ensure_future(ws.wait_closed()) for ws in self.reception.everyone]
        try:
            await asyncio.wait({*waiting, *self._other_tasks()})
        finally:
            for waiter in waiting:
                waiter.cancel()

    def _other_tasks(self) -> set[asyncio.Task[Any]]:
        """The running handlers and introductions, but for a handler that closes the server itself."""
        this = asyncio.current_task()
        return {task for task in self._tasks if task is not this and not task.done()}  # one may not even have begun


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
