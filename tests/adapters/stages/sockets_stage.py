"""Blocking sockets and threads: coroutines that block instead of waiting, each in a thread of its own."""

from __future__ import annotations

import inspect
import select
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from tests.adapters.stages.base import CASE_SECONDS, Stage
from wsproto_core import CloseReport, Fragment, Message
from wsproto_core.testing import Ability, AdapterStage, StagePeer
from wsproto_sockets import Server, WebSocket, connect, serve

__all__ = ["SocketsStage", "finish"]

T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits for a loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return cast(T, done.value)
    work.close()
    raise RuntimeError("it waits for a loop, and there is none")


class Event(threading.Event):
    async def wait(self) -> None:  # type: ignore[override]  # the face of a coroutine
        super().wait(CASE_SECONDS)


class Task(Generic[T]):
    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._future = Future[T]()
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self.thread.start()

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        try:
            self._future.set_result(finish(work()))
        except BaseException as error:
            self._future.set_exception(error)

    @property
    def is_done(self) -> bool:
        return self._future.done()

    def cancel(self) -> None:
        raise NotImplementedError("a thread cannot be cancelled")

    async def outcome(self) -> T:
        return self._future.result(CASE_SECONDS)


@dataclass(frozen=True)
class Peer:
    """A ``WebSocket`` whose methods that block are coroutine functions."""

    ws: WebSocket

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ws, name)

    async def send(self, *args: Any, **kwargs: Any) -> None:
        self.ws.send(*args, **kwargs)

    async def send_fragment(self, *args: Any, **kwargs: Any) -> None:
        self.ws.send_fragment(*args, **kwargs)

    async def recv(self, timeout: float | None = None) -> Message:
        return self.ws.recv(timeout)

    async def recv_fragment(self) -> Fragment:
        return self.ws.recv_fragment()

    def __aiter__(self) -> Peer:
        return self

    async def __anext__(self) -> Message:
        try:
            return next(self.ws)
        except StopIteration:
            raise StopAsyncIteration from None

    async def ping(self, *args: Any) -> float:
        return self.ws.ping(*args)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.ws.close(code, reason)

    async def wait_closed(self) -> CloseReport:
        return self.ws.wait_closed()


@dataclass(frozen=True)
class Serving:
    """A ``Server`` in the same way."""

    server: Server[Any]

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def connections(self) -> Collection[StagePeer]:
        return [faced(ws) for ws in self.server.connections]

    @property
    def datagram_statistics(self) -> Sequence[Any]:
        return self.server.datagram_statistics

    async def serve_forever(self) -> None:
        self.server.serve_forever()

    async def close(self, code: int = 1001, reason: str = "", *, grace_period: float = 10.0) -> None:
        self.server.close(code, reason, grace_period=grace_period)


def faced(ws: WebSocket) -> StagePeer:
    return cast(StagePeer, Peer(ws))


class SocketsStage(Stage):
    name = "sockets"
    has_virtual_clock = False

    def __init__(self, *, is_timed: bool = False) -> None:
        super().__init__(is_timed=is_timed)
        self.abilities -= {Ability.CANCEL, Ability.WORKERS}
        self._tasks: list[Task[Any]] = []

    @asynccontextmanager
    async def connect(self, uri: str, **options: Any) -> AsyncIterator[StagePeer]:
        with connect(uri, **options) as ws:
            yield faced(ws)

    @asynccontextmanager
    async def serve(
        self, handler: Callable[[Any], Coroutine[Any, Any, None]], **options: Any
    ) -> AsyncIterator[Serving]:
        if process_request := options.pop("process_request", None):
            options["process_request"] = lambda ws, request: answered(process_request(faced(ws), request))
        with serve(lambda ws: finish(handler(faced(ws))), "127.0.0.1", 0, **options) as server:
            yield Serving(server)

    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def event(self) -> Event:
        return Event()

    def spawn(self, work: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> Task[T]:
        task = Task(lambda: work(*args, **kwargs))
        self._tasks.append(task)
        return task

    async def move_on_after(self, seconds: float, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        raise NotImplementedError("a thread cannot be cancelled")

    async def recv_within(self, ws: StagePeer, seconds: float) -> Message | None:
        try:
            return cast(Peer, ws).ws.recv(seconds)
        except TimeoutError:
            return None

    async def wait_readable(self, sock: socket.socket) -> None:
        wait(sock, select.POLLIN)

    async def wait_writable(self, sock: socket.socket) -> None:
        wait(sock, select.POLLOUT)

    def perform(self, play: Callable[[AdapterStage], Coroutine[Any, Any, None]]) -> None:
        finish(play(self))
        for task in self._tasks:
            task.thread.join(CASE_SECONDS)
            assert not task.thread.is_alive()


def wait(sock: socket.socket, events: int) -> None:
    poll = select.poll()
    poll.register(sock, events)
    if not poll.poll(CASE_SECONDS * 1000):
        raise TimeoutError("nothing happens on a far end's socket")


def answered(answer: Any) -> Any:
    return finish(answer) if inspect.iscoroutine(answer) else answer
