"""trio, whose clock can be a virtual one."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio
import trio.testing

from tests.adapters.stages.base import PATIENCE, ScopedTask, Stage
from wsproto_core.testing import Ability, AdapterStage
from wsproto_trio import connect, serve

__all__ = ["TrioStage", "trio_clock"]

T = TypeVar("T")


def trio_clock(abilities: frozenset[Ability]) -> trio.abc.Clock | None:
    return trio.testing.MockClock(autojump_threshold=PATIENCE) if Ability.VIRTUAL_CLOCK in abilities else None


class TrioStage(Stage):
    name = "trio"
    nursery: trio.Nursery

    def connect(self, uri: str, **options: Any) -> connect:
        return connect(uri, **options)

    def serve(self, handler: Callable[[Any], Coroutine[Any, Any, None]], **options: Any) -> serve:
        return serve(handler, "127.0.0.1", 0, **options)

    def now(self) -> float:
        return trio.current_time()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    def event(self) -> trio.Event:
        return trio.Event()

    def spawn(self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> ScopedTask[T]:
        task = ScopedTask[T](trio.CancelScope(), trio.Event())
        self.nursery.start_soon(task.run, lambda: work(*args, **kwargs))
        return task

    async def move_on_after(self, seconds: float, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        with trio.move_on_after(seconds):
            return await work()
        return None

    @asynccontextmanager
    async def hold_workers(self) -> AsyncIterator[None]:
        workers = trio.to_thread.current_default_thread_limiter()
        workers.total_tokens = 1
        async with workers:
            yield

    async def wait_readable(self, sock: socket.socket) -> None:
        await trio.lowlevel.wait_readable(sock)

    async def wait_writable(self, sock: socket.socket) -> None:
        await trio.lowlevel.wait_writable(sock)

    def perform(self, play: Callable[[AdapterStage], Coroutine[Any, Any, None]]) -> None:
        failures: list[Exception] = []

        async def bounded() -> None:
            async with trio.open_nursery() as self.nursery:
                try:
                    with trio.fail_after(self.time_limit):
                        await play(self)
                except Exception as error:  # as it is, and not in the nursery's group
                    failures.append(error)
                self.nursery.cancel_scope.cancel()

        trio.run(bounded, clock=trio_clock(self.abilities))
        if failures:
            raise failures[0]
