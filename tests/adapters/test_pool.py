"""``Pool`` of every adapter, over real sockets: one set of tests for all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Self

import pytest

import wsproto_anyio
import wsproto_asyncio
import wsproto_sockets
import wsproto_trio
from tests.adapters.kit import QUICK, answer_to
from tests.adapters.stages.running import on_every_stage
from tests.adapters.stages.sockets_stage import SocketsStage, faced, finish
from wsproto_core import (
    Backoff,
    ConnectionClosed,
    ConnectionRefused,
    HandshakeRejected,
    LocalProtocolError,
    PoolClosed,
    PoolLimits,
    PoolStatistics,
    PoolTimeout,
    Request,
    Response,
    State,
)
from wsproto_core.testing import Ability, AdapterStage, RawStream, StagePeer, StageServer

FAST = Backoff(initial=0.001, cap=0.01)
Test = Callable[[Any], Coroutine[Any, Any, None]]


class SocketsPool:
    """``wsproto_sockets.Pool`` with the face of the others."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._pool = wsproto_sockets.Pool(*arguments, **options)

    @property
    def statistics(self) -> PoolStatistics:
        return self._pool.statistics

    @asynccontextmanager
    async def connection(self, *, timeout: float | None = None) -> AsyncIterator[StagePeer]:
        with self._pool.connection(timeout=timeout) as ws:
            yield faced(ws)

    async def close(self, *, grace_period: float = 10.0) -> None:
        self._pool.close(grace_period=grace_period)

    def abort(self) -> None:
        self._pool.abort()

    async def __aenter__(self) -> Self:
        self._pool.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.__exit__(kind, error, trace)


def pool_class(stage: AdapterStage) -> Any:
    """The ``Pool`` of the adapter that plays on ``stage``."""
    if isinstance(stage, SocketsStage):
        return SocketsPool
    connects: Any = stage.connect("ws://127.0.0.1/")
    modules = {"wsproto_asyncio": wsproto_asyncio, "wsproto_trio": wsproto_trio, "wsproto_anyio": wsproto_anyio}
    return modules[type(connects).__module__.partition(".")[0]].Pool


def pool_of(stage: AdapterStage, port: int, **options: Any) -> Any:
    """A pool of connections to ``port``; those of ``PoolLimits`` among ``options`` are its limits."""
    names = {name: options.pop(name) for name in tuple(options) if name in PoolLimits.__dataclass_fields__}
    return pool_class(stage)(f"ws://127.0.0.1:{port}/", PoolLimits(**names), **{"backoff": FAST, **options})


def serve_at(stage: AdapterStage, port: int) -> AbstractAsyncContextManager[StageServer]:
    """The echo server of the adapter, at ``port``."""
    if isinstance(stage, SocketsStage):
        return serve_threads_at(port)
    server: Any = stage.serve(echo)
    return type(server)(echo, "127.0.0.1", port)  # type: ignore[no-any-return]  # one of the adapters' ``serve``


@asynccontextmanager
async def serve_threads_at(port: int) -> AsyncIterator[Any]:
    with wsproto_sockets.serve(lambda ws: finish(echo(faced(ws))), "127.0.0.1", port) as server:
        yield server


async def echo(ws: StagePeer) -> None:
    """Send back what comes."""
    async for message in ws:
        await ws.send(message)


async def ask(pool: Any, question: str) -> Any:
    """Say something, and return the answer."""
    async with pool.connection() as ws:
        await ws.send(question)
        return await ws.recv()


# --- using it ---------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_one_connection_serves_many_one_after_the_other(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, pool_of(stage, server.port) as pool:
        assert pool.statistics.open == 0
        for number in range(5):
            assert await ask(pool, str(number)) == str(number)
        assert (pool.statistics.opened, pool.statistics.acquired, pool.statistics.idle) == (1, 5, 1)
        await stage.until(lambda: len(server.connections) == 1)


@on_every_stage()
async def test_many_at_a_time_share_a_few(stage: AdapterStage) -> None:
    most = 0

    async def counting(ws: StagePeer) -> None:
        nonlocal most
        async for message in ws:
            most = max(most, len(server.connections))
            await ws.send(message)

    async with stage.serve(counting) as server, pool_of(stage, server.port, max_size=3) as pool:
        tasks = [stage.spawn(ask, pool, str(number)) for number in range(20)]
        assert [await task.outcome() for task in tasks] == [str(number) for number in range(20)]
        assert (pool.statistics.users, pool.statistics.waiting, pool.statistics.acquired) == (0, 0, 20)
        assert pool.statistics.opened <= 3
    assert most <= 3


@on_every_stage()
async def test_several_users_of_one_connection(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, pool_of(stage, server.port, max_size=1, max_users=2) as pool:
        async with pool.connection() as first, pool.connection(timeout=0) as second:
            assert first == second
            assert pool.statistics.users == 2
            with pytest.raises(PoolTimeout):
                await pool.connection(timeout=0).__aenter__()
        assert pool.statistics.idle == 1


@on_every_stage()
async def test_min_size_is_there_before_anybody_asks(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, pool_of(stage, server.port, min_size=2) as pool:
        await stage.until(lambda: pool.statistics.idle == 2)
        async with pool.connection(timeout=0):
            assert pool.statistics.in_use == 1
        assert pool.statistics.opened == 2


@on_every_stage()
async def test_an_option_that_cannot_work_is_told_at_once(stage: AdapterStage) -> None:
    kind = pool_class(stage)
    with pytest.raises(TypeError, match="max_size"):
        kind("ws://localhost/", max_size=1)
    with pytest.raises(TypeError, match="sock"):
        kind("ws://localhost/", sock=None)
    with pytest.raises(ValueError, match="ws"):
        kind("http://localhost/")


# --- what breaks ------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_an_exception_of_the_block_costs_nobody_else(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, pool_of(stage, server.port, max_size=2) as pool:
        async with pool.connection() as other:
            error = KeyError("mine")
            with pytest.raises(KeyError) as caught:  # noqa: PT012  # the block is what raises
                async with pool.connection() as ws:
                    await ws.send("an answer that nobody waits for")
                    raise error
            assert caught.value is error
            await other.send("still here")
            assert await other.recv() == "still here"
            assert await ask(pool, "fresh") == "fresh"
        await stage.until(lambda: pool.statistics.closed == 1)


@on_every_stage()
async def test_one_that_ends_in_the_block_is_replaced(stage: AdapterStage) -> None:
    async def fickle(ws: StagePeer) -> None:
        async for message in ws:
            if message == "go":
                return
            await ws.send(message)

    async with stage.serve(fickle) as server, pool_of(stage, server.port, max_size=1) as pool:
        with pytest.raises(ConnectionClosed):
            await ask(pool, "go")
        async with pool.connection() as ws:
            await ws.close()
        assert await ask(pool, "again") == "again"
        assert pool.statistics.open == 1


@on_every_stage()
async def test_a_server_that_goes_and_comes_back(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, pool_of(stage, server.port, min_size=2) as pool:
        port = server.port
        await stage.until(lambda: pool.statistics.idle == 2)
        await server.close()
        await stage.until(lambda: pool.statistics.closed == 2)
        waiting = [stage.spawn(ask, pool, str(number)) for number in range(3)]
        await stage.until(lambda: pool.statistics.failed > 2)
        assert not any(task.is_done for task in waiting)
        async with serve_at(stage, port):
            assert [await task.outcome() for task in waiting] == ["0", "1", "2"]
            await stage.until(lambda: pool.statistics.idle >= 2)
            await pool.close()
    assert pool.statistics.opened == pool.statistics.closed


@on_every_stage()
async def test_a_failure_that_time_does_not_mend_is_raised(stage: AdapterStage) -> None:
    async def refuse(ws: StagePeer, request: Request) -> Response:
        return Response(403)

    async with stage.serve(echo, process_request=refuse) as server, pool_of(stage, server.port) as pool:
        tasks = [stage.spawn(ask, pool, "?") for _ in range(3)]
        for task in tasks:
            with pytest.raises(HandshakeRejected, match="403"):
                await task.outcome()
        with pytest.raises(HandshakeRejected, match="403"):
            await ask(pool, "?")


@on_every_stage()
async def test_attempts_that_are_exhausted_are_told(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server:
        port = server.port
    async with pool_of(stage, port, backoff=Backoff(max_attempts=1)) as pool:
        with pytest.raises(ConnectionRefused):
            await ask(pool, "?")
    async with pool_of(stage, port, acquire_timeout=0.05) as pool:
        with pytest.raises(PoolTimeout) as caught:
            await ask(pool, "?")
        assert isinstance(caught.value.__cause__, ConnectionRefused)


@on_every_stage()
async def test_one_that_does_not_answer_its_check_is_replaced(stage: AdapterStage) -> None:
    """The other end has vanished: the bytes leave, and nothing comes back."""

    async def deaf(stream: RawStream) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (data := await stream.receive()):
                return
            head += data
        await stream.send(answer_to(head))
        while await stream.receive():
            pass

    limits: dict[str, Any] = {"min_size": 1, "health_interval": 0.01, "health_timeout": 0.01}
    async with stage.listen(deaf) as port, pool_of(stage, port, timeouts=QUICK, **limits) as pool:
        await stage.until(lambda: pool.statistics.closed >= 2)
        pool.abort()


@on_every_stage()
async def test_one_that_answers_its_checks_is_kept(stage: AdapterStage) -> None:
    pings = 0
    limits: dict[str, Any] = {"min_size": 1, "health_interval": 0.001}

    async def counting(ws: StagePeer) -> None:
        nonlocal pings
        while ws.state is State.OPEN:
            pings = ws.statistics.pings_received
            await stage.sleep(0.002)

    async with stage.serve(counting) as server, pool_of(stage, server.port, **limits) as pool:
        await stage.until(lambda: pings >= 3)
        assert pool.statistics.opened == 1


# --- how long they stay -----------------------------------------------------------------------------------------------


@on_every_stage()
async def test_those_to_spare_leave_when_they_have_rested(stage: AdapterStage) -> None:
    limits: dict[str, Any] = {"min_size": 1, "idle_timeout": 0.01}
    async with stage.serve(echo) as server, pool_of(stage, server.port, **limits) as pool:
        async with pool.connection(), pool.connection(), pool.connection():
            assert pool.statistics.in_use == 3
        await stage.until(lambda: pool.statistics.open == 1)
        assert pool.statistics.closed == 2
        await stage.until(lambda: len(server.connections) == 1)


@on_every_stage()
async def test_one_that_is_too_old_is_replaced(stage: AdapterStage) -> None:
    limits: dict[str, Any] = {"min_size": 1, "max_size": 1, "max_lifetime": 0.01}
    async with stage.serve(echo) as server, pool_of(stage, server.port, **limits) as pool:
        await stage.until(lambda: pool.statistics.opened >= 3)
        assert await ask(pool, "hi") == "hi"


# --- waiting, and not any longer --------------------------------------------------------------------------------------


@on_every_stage()
async def test_who_waits_too_long(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, pool_of(stage, server.port, max_size=1) as pool:
        async with pool.connection():
            with pytest.raises(PoolTimeout, match=r"within 0\.01 seconds"):
                async with pool.connection(timeout=0.01):
                    pytest.fail("there is only one")
        assert (pool.statistics.timed_out, pool.statistics.waiting) == (1, 0)
        assert await ask(pool, "hi") == "hi"


@on_every_stage(Ability.CANCEL)
async def test_cancelled_while_it_waits(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, pool_of(stage, server.port, max_size=1) as pool:
        async with pool.connection():
            gone, staying = stage.spawn(ask, pool, "gone"), stage.spawn(ask, pool, "staying")
            await stage.until(lambda: pool.statistics.waiting == 2)
            gone.cancel()
            await stage.until(lambda: pool.statistics.waiting == 1)
        assert await staying.outcome() == "staying"
        assert (pool.statistics.users, pool.statistics.opened) == (0, 1)


@on_every_stage(Ability.CANCEL)
async def test_cancelled_at_the_moment_when_it_gets_one(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, pool_of(stage, server.port, max_size=1) as pool:
        async with pool.connection():
            task = stage.spawn(ask, pool, "gone")
            await stage.until(lambda: pool.statistics.waiting == 1)
        assert pool.statistics.users == 1  # it has one, and has not heard of it yet
        task.cancel()
        await stage.until(lambda: task.is_done)
        assert pool.statistics.users == 0
        assert await ask(pool, "hi") == "hi"


@on_every_stage(Ability.CANCEL)
async def test_cancelled_in_the_block(stage: AdapterStage) -> None:
    async def forever() -> None:
        async with pool.connection() as ws:
            inside.set()
            await ws.recv()

    inside = stage.event()
    async with stage.serve(echo) as server, pool_of(stage, server.port, max_size=1) as pool:
        task = stage.spawn(forever)
        await inside.wait()
        task.cancel()
        assert await ask(pool, "hi") == "hi"
        assert pool.statistics.opened == 2


# --- the end ----------------------------------------------------------------------------------------------------------


@on_every_stage()
async def test_closing_waits_for_the_users(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server, pool_of(stage, server.port, max_size=1) as pool:
        async with pool.connection() as ws:
            waiting = stage.spawn(ask, pool, "too late")
            await stage.until(lambda: pool.statistics.waiting == 1)
            closing = stage.spawn(pool.close)
            with pytest.raises(PoolClosed):
                await waiting.outcome()
            with pytest.raises(PoolClosed):
                await ask(pool, "too late")
            await ws.send("the last")
            assert await ws.recv() == "the last"
            assert not closing.is_done
        await closing.outcome()
        assert pool.statistics.open == 0
        await stage.until(lambda: not server.connections)


@on_every_stage()
async def test_closing_waits_for_the_grace_period_only(stage: AdapterStage) -> None:
    async def forever() -> None:
        async with pool.connection() as ws:
            await ws.recv()

    async with stage.serve(echo) as server, pool_of(stage, server.port) as pool:
        task = stage.spawn(forever)
        await stage.until(lambda: pool.statistics.in_use == 1)
        await pool.close(grace_period=0.01)
        assert pool.statistics.open == 0
        with pytest.raises(ConnectionClosed):
            await task.outcome()


@on_every_stage()
async def test_it_does_not_wait_for_what_is_being_opened(stage: AdapterStage) -> None:
    heard = stage.event()

    async def silent(stream: RawStream) -> None:
        await stream.receive()
        heard.set()
        while await stream.receive():
            pass

    async with stage.listen(silent) as port, pool_of(stage, port, min_size=1, timeouts=QUICK):
        await heard.wait()


@on_every_stage()
async def test_an_exception_leaves_the_pool_as_itself(stage: AdapterStage) -> None:
    error = KeyError("mine")
    async with stage.serve(echo) as server:
        pool = pool_of(stage, server.port, min_size=1)
        with pytest.raises(KeyError) as caught:  # noqa: PT012  # the block is what raises
            async with pool:
                await ask(pool, "hi")
                raise error
        assert caught.value is error
        assert pool.statistics.open == 0


@on_every_stage(Ability.CANCEL)
async def test_cancelling_the_pool_leaves_nothing_behind(stage: AdapterStage) -> None:
    seen: list[StagePeer] = []

    async def user() -> None:
        async with pool_of(stage, server.port, min_size=2) as pool, pool.connection() as ws:
            seen.append(ws)
            await ws.recv()

    async with stage.serve(echo) as server:
        task = stage.spawn(user)
        await stage.until(lambda: seen)
        task.cancel()
        await stage.until(lambda: task.is_done)
        await stage.until(lambda: seen[0].state is State.CLOSED)
        await stage.until(lambda: not server.connections)


@on_every_stage(Ability.CANCEL)
async def test_cancelled_while_it_closes(stage: AdapterStage) -> None:
    async def user() -> None:
        async with pool_of(stage, server.port) as pool:
            pools.append(pool)
            holder.append(stage.spawn(hold, pool))
            await stage.until(lambda: pool.statistics.in_use == 1)

    async def hold(pool: Any) -> None:
        async with pool.connection():
            await released.wait()

    pools: list[Any] = []
    holder: list[Any] = []
    released = stage.event()
    async with stage.serve(echo) as server:
        task = stage.spawn(user)
        await stage.until(lambda: pools and pools[0].statistics.in_use == 1)
        for _ in range(5):
            await stage.sleep(0)
        task.cancel()
        await stage.until(lambda: task.is_done)
        released.set()
        await stage.until(lambda: holder[0].is_done)
        await stage.until(lambda: not server.connections)


@on_every_stage()
async def test_it_is_entered_once_and_before_it_is_used(stage: AdapterStage) -> None:
    async with stage.serve(echo) as server:
        pool = pool_of(stage, server.port)
        with pytest.raises(PoolClosed, match="never entered"):
            await ask(pool, "hi")
        async with pool:
            with pytest.raises(LocalProtocolError, match="once"):
                await pool.__aenter__()
            assert await ask(pool, "hi") == "hi"
        with pytest.raises(PoolClosed, match="closed"):
            await ask(pool, "hi")
