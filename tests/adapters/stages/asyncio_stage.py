"""asyncio and uvloop, and asyncio with the transports of aiofastnet. asyncio's loop can have a virtual clock."""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, TypeVar, TypeVarTuple

import uvloop

from tests.adapters.loops import leftovers_gone, transports_of
from tests.adapters.stages.base import PATIENCE, Stage
from wsproto_asyncio import connect, serve
from wsproto_core.testing import Ability, AdapterStage, StagePeer, TaskCancelled

__all__ = ["AiofastnetStage", "AsyncioStage", "UvloopStage", "VirtualLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Task(Generic[T]):
    def __init__(self, task: asyncio.Task[T]) -> None:
        self._task = task

    @property
    def is_done(self) -> bool:
        return self._task.done()

    def cancel(self) -> None:
        self._task.cancel()

    async def outcome(self) -> T:
        await asyncio.wait([self._task])
        if self._task.cancelled():
            raise TaskCancelled
        return self._task.result()


class AsyncioStage(Stage):
    name = "asyncio"

    def __init__(self, *, is_timed: bool = False) -> None:
        super().__init__(is_timed=is_timed)
        self._tasks: list[asyncio.Task[Any]] = []

    def connect(self, uri: str, **options: Any) -> AbstractAsyncContextManager[StagePeer]:
        return connect(uri, **options)

    def serve(self, handler: Callable[[Any], Coroutine[Any, Any, None]], **options: Any) -> serve:
        return serve(handler, "127.0.0.1", 0, **options)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def event(self) -> asyncio.Event:
        return asyncio.Event()

    def spawn(self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> Task[T]:
        task = asyncio.get_running_loop().create_task(work(*args, **kwargs))
        self._tasks.append(task)
        return Task(task)

    async def move_on_after(self, seconds: float, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        try:
            return await asyncio.wait_for(work(), seconds)
        except TimeoutError:
            return None

    async def wait_readable(self, sock: socket.socket) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(sock, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(sock)

    async def wait_writable(self, sock: socket.socket) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(sock, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(sock)

    @asynccontextmanager
    async def hold_workers(self) -> AsyncIterator[None]:
        loop, gate = asyncio.get_running_loop(), threading.Event()
        loop.set_default_executor(ThreadPoolExecutor(1))
        held = loop.run_in_executor(None, gate.wait)
        try:
            yield
        finally:
            gate.set()
            await held

    def make_loop(self) -> asyncio.AbstractEventLoop:
        return VirtualLoop() if Ability.VIRTUAL_CLOCK in self.abilities else asyncio.new_event_loop()

    def perform(self, play: Callable[[AdapterStage], Coroutine[Any, Any, None]]) -> None:
        complaints: list[Any] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
            try:
                async with asyncio.timeout(self.time_limit):
                    await play(self)
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)
            await leftovers_gone()

        with transports_of(self.name), asyncio.Runner(loop_factory=self.make_loop) as runner:
            runner.run(bounded())
        assert complaints == []


class UvloopStage(AsyncioStage):
    name = "uvloop"
    has_virtual_clock = False

    def make_loop(self) -> asyncio.AbstractEventLoop:
        return uvloop.new_event_loop()


class AiofastnetStage(AsyncioStage):
    name = "aiofastnet"


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes at once when nobody has anything to do."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._in_threads: set[asyncio.Future[Any]] = set()
        super().__init__(ImpatientSelector(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds

    @property
    def is_idle(self) -> bool:
        """Whether no thread works for it: threads, which look up addresses, live in real time."""
        return not self._in_threads

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._in_threads.add(future)
        future.add_done_callback(self._in_threads.discard)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Threads live in real time: from Python 3.12 on a limit of the loop's own would be over at once."""
        await super().shutdown_default_executor()


class ImpatientSelector(selectors.DefaultSelector):
    """Does not wait for time to pass, but for bytes, a moment."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout if timeout is None else min(timeout, PATIENCE))
        if not ready and timeout and self._loop.is_idle:
            self._loop.jump(timeout)
        return ready
