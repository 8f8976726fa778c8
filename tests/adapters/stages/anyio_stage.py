"""anyio, on each of its backends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from tests.adapters.stages.asyncio_stage import VirtualLoop
from tests.adapters.stages.base import ScopedTask, Stage
from tests.adapters.stages.trio_stage import trio_clock
from wsproto_anyio import connect, serve
from wsproto_core.testing import Ability, AdapterStage

__all__ = ["AnyioOnAsyncioStage", "AnyioOnTrioStage"]

T = TypeVar("T")


class AnyioStage(Stage):
    group: TaskGroup

    def connect(self, uri: str, **options: Any) -> connect:
        return connect(uri, **options)

    def serve(self, handler: Callable[[Any], Coroutine[Any, Any, None]], **options: Any) -> serve:
        return serve(handler, "127.0.0.1", 0, **options)

    def now(self) -> float:
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def event(self) -> anyio.Event:
        return anyio.Event()

    def spawn(self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> ScopedTask[T]:
        task = ScopedTask[T](anyio.CancelScope(), anyio.Event())
        self.group.start_soon(task.run, lambda: work(*args, **kwargs))
        return task

    async def move_on_after(self, seconds: float, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        with anyio.move_on_after(seconds):
            return await work()
        return None

    @asynccontextmanager
    async def hold_workers(self) -> AsyncIterator[None]:
        workers = anyio.to_thread.current_default_thread_limiter()
        workers.total_tokens = 1
        async with workers:
            yield

    async def wait_readable(self, sock: socket.socket) -> None:
        await anyio.wait_readable(sock)

    async def wait_writable(self, sock: socket.socket) -> None:
        await anyio.wait_writable(sock)

    def backend(self) -> tuple[str, dict[str, Any]]:
        raise NotImplementedError

    def perform(self, play: Callable[[AdapterStage], Coroutine[Any, Any, None]]) -> None:
        failures: list[Exception] = []

        async def bounded() -> None:
            async with anyio.create_task_group() as self.group:
                try:
                    with anyio.fail_after(self.time_limit):
                        await play(self)
                except Exception as error:  # as it is, and not in the group's group
                    failures.append(error)
                self.group.cancel_scope.cancel()

        name, options = self.backend()
        anyio.run(bounded, backend=name, backend_options=options)
        if failures:
            raise failures[0]


class AnyioOnAsyncioStage(AnyioStage):
    name = "anyio on asyncio"

    def backend(self) -> tuple[str, dict[str, Any]]:
        is_virtual = Ability.VIRTUAL_CLOCK in self.abilities
        return "asyncio", {"loop_factory": VirtualLoop if is_virtual else asyncio.new_event_loop}


class AnyioOnTrioStage(AnyioStage):
    name = "anyio on trio"

    def backend(self) -> tuple[str, dict[str, Any]]:
        return "trio", {"clock": trio_clock(self.abilities)}
