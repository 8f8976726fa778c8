"""The coroutines of a pool, stepped by hand."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any

import pytest

from tests.driver.pool_world import ENDED, FORBIDDEN, QUIET, REFUSED
from wsproto_core import (
    AsyncPool,
    Backoff,
    CloseReport,
    ConnectionClosedError,
    PoolClosed,
    PoolLimits,
    PoolTimeout,
    State,
)


class HandSignal:
    """A signal whose waiters look again whenever they are stepped on."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True

    async def wait(self) -> None:
        while not self.is_set:
            await Pause()


class Pause:
    """Awaiting it suspends the coroutine until it is stepped on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class HandPeer:
    """A peer whose pongs and end are told by hand."""

    def __init__(self) -> None:
        self.state = State.OPEN
        self.closed_by: str | None = None
        self.pong: Exception | float | None = None

    def close_nowait(self) -> None:
        self.closed_by, self.state = "close", State.CLOSED

    def abort(self) -> None:
        self.closed_by, self.state = "abort", State.CLOSED

    async def ping(self) -> float:
        while self.pong is None:
            await Pause()
        if isinstance(self.pong, Exception):
            raise self.pong
        return self.pong

    async def wait_closed(self) -> CloseReport:
        while self.state is not State.CLOSED:
            await Pause()
        return ENDED


class HandRuntime:
    """Tasks in a list, a clock that is set, and connections at will."""

    def __init__(self) -> None:
        self.time = 100.0
        self.tasks: list[Coroutine[Any, Any, Any]] = []
        self.peers: list[HandPeer] = []
        self.refusal: Exception | None = None
        self.is_stopped = False

    def now(self) -> float:
        return self.time

    def signal(self) -> HandSignal:
        return HandSignal()

    async def open(self) -> None:
        pass

    def spawn(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        self.tasks.append(work(*arguments))

    async def dial(self) -> HandPeer:
        if self.refusal is not None:
            raise self.refusal
        self.peers.append(HandPeer())
        return self.peers[-1]

    async def until(self, deadline: float | None, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        working = work()
        while not step(working):
            if deadline is not None and self.time >= deadline:
                working.close()
                return
            await Pause()

    async def stop(self) -> None:
        self.is_stopped = True

    def run(self, seconds: float = 0.0) -> None:
        """Let time pass, and every task go on until all of them wait."""
        self.time += seconds
        for _ in range(20):
            for task in tuple(self.tasks):
                if step(task):
                    self.tasks.remove(task)


def step(coroutine: Coroutine[Any, Any, Any]) -> bool:
    """Run until it waits; return whether it is done."""
    try:
        coroutine.send(None)
    except StopIteration:
        return True
    return False


@pytest.fixture
def runtime() -> Iterator[HandRuntime]:
    runtime = HandRuntime()
    yield runtime
    for task in runtime.tasks:
        task.close()


def enter(pool: AsyncPool[Any]) -> None:
    assert step(pool.__aenter__())


def make_pool(runtime: HandRuntime, **limits: Any) -> AsyncPool[Any]:
    return AsyncPool(
        runtime,  # type: ignore[arg-type]  # a peer is more than a pool asks for
        PoolLimits(**{**QUIET, **limits}),
        backoff=Backoff(),
        retry=None,
        chance=lambda: 0.5,
    )


def in_block(pool: AsyncPool[Any], **options: Any) -> tuple[Coroutine[Any, Any, None], list[HandPeer], HandSignal]:
    """A task that holds a connection until the signal is set; the list gets the connection."""
    got: list[HandPeer] = []
    leave = HandSignal()

    async def user() -> None:
        async with pool.connection(**options) as peer:
            got.append(peer)
            await leave.wait()

    return user(), got, leave


def test_a_block_has_a_connection_and_gives_it_back(runtime: HandRuntime) -> None:
    pool = make_pool(runtime)
    enter(pool)
    for _ in range(2):
        user, got, leave = in_block(pool)
        assert not step(user)
        runtime.run()
        assert not step(user)
        assert pool.statistics.in_use == 1
        leave.set()
        assert step(user)
        assert got == runtime.peers
    assert pool.statistics.idle == 1


def test_who_counts_is_told_of_each_connection_and_each_failure(runtime: HandRuntime) -> None:
    opened: list[HandPeer] = []
    failed: list[Exception] = []
    pool = make_pool(runtime, min_size=1)
    pool.on_opened, pool.on_failed = opened.append, failed.append
    runtime.refusal = REFUSED
    enter(pool)
    runtime.run()
    assert (opened, failed) == ([], [REFUSED])
    runtime.refusal = None
    runtime.run(60.0)
    runtime.run()
    assert (opened, failed) == (runtime.peers, [REFUSED])
    assert len(opened) == 1


def test_an_exception_of_the_block_replaces_the_connection(runtime: HandRuntime) -> None:
    pool = make_pool(runtime, min_size=1)
    enter(pool)
    runtime.run()
    user, _, _ = in_block(pool)
    assert not step(user)
    with pytest.raises(KeyError):
        user.throw(KeyError("mine"))
    assert runtime.peers[0].closed_by == "close"
    runtime.run()
    assert [peer.state for peer in runtime.peers] == [State.CLOSED, State.OPEN]


def test_cancelled_while_it_waits_it_leaves_nothing_behind(runtime: HandRuntime) -> None:
    pool = make_pool(runtime, max_size=1)
    enter(pool)
    first, second, third = in_block(pool), in_block(pool), in_block(pool)
    for user, _, _ in (first, second, third):
        step(user)
    runtime.run()
    assert not step(first[0])
    second[0].close()
    assert pool.statistics.waiting == 1
    assert len(pool._wishes) == 1
    first[2].set()
    assert step(first[0])
    third[0].close()  # at the moment when it has its connection, and does not know
    assert third[1] == []
    assert pool.statistics.idle == 1
    assert pool.statistics.users == 0


def test_who_waits_too_long_is_woken(runtime: HandRuntime) -> None:
    pool = make_pool(runtime, max_size=1)
    enter(pool)
    holder, _, _ = in_block(pool)
    step(holder)
    runtime.run()
    step(holder)
    waiter, _, _ = in_block(pool, timeout=5.0)
    runtime.run()
    assert not step(waiter)
    runtime.run(5.0)
    with pytest.raises(PoolTimeout):
        step(waiter)
    holder.close()


def test_a_later_deadline_does_not_wake_the_timer(runtime: HandRuntime) -> None:
    pool = make_pool(runtime, max_size=1)
    enter(pool)
    holder, _, _ = in_block(pool)
    step(holder)
    runtime.run()
    step(holder)
    waiters = [in_block(pool, timeout=timeout)[0] for timeout in (5.0, 9.0, 1.0)]
    for waiter in waiters:
        step(waiter)
        runtime.run()
    for pause, waiter in ((1.0, waiters[2]), (4.0, waiters[0]), (4.0, waiters[1])):
        runtime.run(pause)
        with pytest.raises(PoolTimeout):
            step(waiter)
    holder.close()


def test_a_failure_reaches_who_waits(runtime: HandRuntime) -> None:
    pool = make_pool(runtime)
    enter(pool)
    runtime.refusal = FORBIDDEN
    user, _, _ = in_block(pool)
    step(user)
    runtime.run()
    with pytest.raises(ValueError, match="not like this"):
        step(user)
    assert pool.statistics.failed == 1


def test_a_connection_that_rests_is_pinged(runtime: HandRuntime) -> None:
    pool = make_pool(runtime, min_size=2, health_interval=20.0, health_timeout=5.0)
    enter(pool)
    runtime.run()
    runtime.run(20.0)
    good, bad = runtime.peers
    good.pong = 0.1
    runtime.run()
    runtime.run(5.0)
    assert (good.state, bad.state) == (State.OPEN, State.CLOSED)
    assert bad.closed_by == "abort"
    bad.pong = ConnectionClosedError(ENDED)
    runtime.run()
    assert pool.statistics.closed == 1


def test_close_returns_when_every_connection_has_ended(runtime: HandRuntime) -> None:
    pool = make_pool(runtime, min_size=2, max_size=2)
    enter(pool)
    runtime.run()
    user, _, leave = in_block(pool)
    step(user)
    closing = pool.close()
    assert not step(closing)
    assert sorted(peer.state.value for peer in runtime.peers) == ["closed", "open"]
    leave.set()
    assert step(user)
    runtime.run()
    assert step(closing)
    assert step(pool.close(grace_period=0))
    late, _, _ = in_block(pool)
    with pytest.raises(PoolClosed):
        step(late)


def test_abort_drops_everything(runtime: HandRuntime) -> None:
    pool = make_pool(runtime)
    enter(pool)
    user, got, _ = in_block(pool)
    step(user)
    runtime.run()
    step(user)
    pool.abort()
    assert got[0].closed_by == "abort"
    runtime.run()
    assert step(pool.close())
    user.close()


def test_one_that_was_never_entered_can_be_closed(runtime: HandRuntime) -> None:
    pool = make_pool(runtime)
    late, _, _ = in_block(pool)
    with pytest.raises(PoolClosed, match="never entered"):
        step(late)
    assert step(pool.close())


def test_leaving_the_block_closes_it(runtime: HandRuntime) -> None:
    pool = make_pool(runtime, min_size=1)
    enter(pool)
    runtime.run()
    leaving = pool.__aexit__(None, None, None)
    assert not step(leaving)
    runtime.run()
    assert step(leaving)
    assert runtime.peers[0].closed_by == "close"
    assert runtime.is_stopped


@pytest.mark.parametrize("error", [None, KeyError("mine")])
def test_cancelled_while_it_closes_it_still_ends_its_tasks(runtime: HandRuntime, error: KeyError | None) -> None:
    pool = make_pool(runtime, min_size=1)
    enter(pool)
    runtime.run()
    leaving = pool.__aexit__(None if error is None else KeyError, error, None)
    assert not step(leaving)
    # What leaves the block leaves it as itself; else it is the cancellation.
    with pytest.raises(Cancelled if error is None else StopIteration):
        leaving.throw(Cancelled())
    assert runtime.is_stopped


class Cancelled(BaseException):
    """As runtimes have it."""


def test_a_fault_of_closing_is_told(runtime: HandRuntime) -> None:
    pool = make_pool(runtime, min_size=1)
    enter(pool)
    runtime.run()
    leaving = pool.__aexit__(KeyError, KeyError("mine"), None)
    assert not step(leaving)
    with pytest.raises(ZeroDivisionError):
        leaving.throw(ZeroDivisionError())
