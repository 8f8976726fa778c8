"""Tasks that wait for an input go on in the call that brings it, and lose nothing by it.

Every test runs on both twins of what waits.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from asyncio.tasks import _PyTask  # type: ignore[attr-defined]  # it has no public name
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial

import pytest
from anyio import move_on_after

import wsproto_core
from tests.adapters.asyncio_kit import TWINS
from tests.adapters.kit import TEXT, Raw, echo, frame, url
from wsproto_asyncio import WebSocket, connect, link, serve
from wsproto_asyncio.waiting import Waiters

NAME: ContextVar[str] = ContextVar("NAME")


#: What is compiled wakes links that are, and those in Python know it not.
USED = tuple(TWINS) if wsproto_core.IS_COMPILED else ("python",)


@pytest.fixture(autouse=True, params=USED)
def waiters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this file and every link call ``Waiters`` stand on this twin."""
    waiters = TWINS[request.param]().waiting.Waiters
    monkeypatch.setitem(globals(), "Waiters", waiters)
    monkeypatch.setattr(link, "Waiters", waiters)


class Tray:
    """Somewhere to wait for things."""

    def __init__(self) -> None:
        self.waiters = Waiters()
        self.things: list[str] = []
        self.taken: list[str] = []

    async def take(self) -> None:
        """Take what comes, for ever."""
        while True:
            self.taken.append(await self.waiters.until(lambda: self.things.pop() if self.things else None))

    def put(self, thing: str, wake: Callable[[], None]) -> list[str]:
        """Put something in; return what was taken by the time that everybody had been woken."""
        self.things.append(thing)
        wake()
        return list(self.taken)


async def called_by_the_loop(call: Callable[[], object]) -> None:
    """Let the loop call it, outside of any task, and wait until it has been."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    loop.call_soon(call)
    loop.call_soon(done.set)
    await done.wait()


async def test_it_goes_on_at_once() -> None:
    tray, seen = Tray(), list[list[str]]()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(tray.take())
        await asyncio.sleep(0)
        await called_by_the_loop(lambda: seen.append(tray.put("a", tray.waiters.wake_at_once)))
        await called_by_the_loop(lambda: seen.append(tray.put("b", tray.waiters.wake_at_once)))
        await called_by_the_loop(lambda: seen.append(tray.put("c", tray.waiters.wake)))
        await asyncio.sleep(0)
        task.cancel()
    assert seen == [["a"], ["a", "b"], ["a", "b"]]
    assert tray.taken == ["a", "b", "c"]


async def test_within_a_task_it_goes_on_later() -> None:
    tray = Tray()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(tray.take())
        await asyncio.sleep(0)
        assert tray.put("a", tray.waiters.wake_at_once) == []
        await asyncio.sleep(0)
        assert tray.taken == ["a"]
        task.cancel()


async def test_it_goes_on_in_its_own_context() -> None:
    waiters, names = Waiters(), list[str]()

    async def wait() -> None:
        NAME.set("mine")
        waits = iter([None, True])
        await waiters.until(lambda: next(waits))
        names.append(NAME.get())

    def wake() -> None:
        NAME.set("the loop's")
        waiters.wake_at_once()
        names.append(NAME.get())

    async with asyncio.TaskGroup() as group:
        group.create_task(wait())
        await asyncio.sleep(0)
        await called_by_the_loop(wake)
    assert names == ["mine", "the loop's"]


async def test_in_its_own_context_it_goes_on_later() -> None:
    """Which cannot be entered twice. Until then its pause is nobody else's, and it can be cancelled."""
    tray, context, loop = Tray(), copy_context(), asyncio.get_running_loop()
    others: list[asyncio.Task[None]] = []

    def wake() -> None:
        assert tray.put("a", tray.waiters.wake_at_once) == []
        others.append(loop.create_task(tray.take()))

    async with asyncio.TaskGroup() as group:
        task = group.create_task(tray.take(), context=context)
        await asyncio.sleep(0)
        loop.call_soon(wake, context=context)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert tray.taken == ["a"]
        await asyncio.sleep(0)  # both wait now
        task.cancel()
        await asyncio.wait([task])
        assert tray.put("b", tray.waiters.wake) == ["a"]
        await asyncio.sleep(0)
        assert tray.taken == ["a", "b"]
        others[0].cancel()


async def test_who_was_cancelled_is_not_woken() -> None:
    tray = Tray()
    tasks = [asyncio.create_task(tray.take()) for _ in range(2)]
    await asyncio.sleep(0)

    def cancel_and_wake() -> None:
        tasks[0].cancel()
        tray.put("a", tray.waiters.wake_at_once)

    await called_by_the_loop(cancel_and_wake)
    assert tray.taken == ["a"]
    await asyncio.wait(tasks[:1])
    assert tasks[0].cancelled()
    tasks[1].cancel()
    await asyncio.wait(tasks)
    assert tray.waiters._pauses == []


async def test_who_goes_on_may_cancel_the_others() -> None:
    tray = Tray()

    async def cancel_all() -> None:
        await tray.waiters.until(lambda: True if tray.things else None)
        for task in tasks:
            task.cancel("enough")

    first = asyncio.create_task(cancel_all())
    await asyncio.sleep(0)
    tasks = [asyncio.create_task(tray.take()) for _ in range(2)]
    await asyncio.sleep(0)
    await called_by_the_loop(lambda: tray.put("a", tray.waiters.wake_at_once))
    await asyncio.wait([first, *tasks])
    assert [task.cancelled() for task in tasks] == [True, True]
    assert tray.taken == []
    assert tray.waiters._pauses == []


async def test_cancelling_says_why() -> None:
    tray = Tray()
    task = asyncio.create_task(tray.take())
    await asyncio.sleep(0)
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task


async def test_who_is_woken_can_still_be_cancelled_and_takes_nothing() -> None:
    tray = Tray()
    task = asyncio.create_task(tray.take())
    await asyncio.sleep(0)
    tray.put("a", tray.waiters.wake)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert tray.things == ["a"]


async def test_one_pause_serves_all_waits_of_a_task() -> None:
    tray, pauses = Tray(), set[int]()
    task = asyncio.create_task(tray.take())
    await asyncio.sleep(0)
    for thing in "abc":
        (pause,) = tray.waiters._pauses
        pauses.add(id(pause))
        await called_by_the_loop(partial(tray.put, thing, tray.waiters.wake_at_once))
    assert tray.taken == ["a", "b", "c"]
    assert len(pauses) == 1
    task.cancel()
    await asyncio.wait([task])


async def test_a_task_that_waits_no_more_is_not_kept_alive() -> None:
    tray = Tray()

    async def look() -> list[str]:
        return await tray.waiters.until(lambda: tray.things or None)

    task = asyncio.create_task(look())
    await asyncio.sleep(0)
    await called_by_the_loop(lambda: tray.put("a", tray.waiters.wake_at_once))
    assert await task == ["a"]
    gone = weakref.ref(task)
    del task
    assert gone() is None


async def test_waiting_for_a_message_again_and_again_makes_no_garbage() -> None:
    """What a wait makes lives as long as the wait: the collector would look at it, for every connection that waits."""
    sizes = list[int]()

    async def handler(ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)

    def count() -> None:
        kept = [type(thing).__name__ for thing in gc.get_objects()]
        sizes.append(sum(map(kept.count, ("coroutine", "generator", "Pause"))))

    async with serve(handler, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        for _ in range(3):
            raw.send(frame(TEXT, b"a"))
            await raw.frame()
            count()
    assert sizes[0] == sizes[1] == sizes[2]


def test_a_task_of_another_loop_is_told_and_disturbs_nobody() -> None:
    async def wait_there() -> Tray:
        tray = Tray()
        task = asyncio.create_task(tray.take())
        await asyncio.sleep(0)
        await called_by_the_loop(lambda: tray.put("a", tray.waiters.wake_at_once))

        def elsewhere() -> None:
            with pytest.raises(RuntimeError, match="different loop"):
                asyncio.run(tray.take())

        await asyncio.to_thread(elsewhere)
        await called_by_the_loop(lambda: tray.put("b", tray.waiters.wake_at_once))
        task.cancel()
        await asyncio.wait([task])
        return tray

    assert asyncio.run(wait_there()).taken == ["a", "b"]


async def test_a_time_limit_ends_it() -> None:
    tray = Tray()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await tray.take()
    assert tray.waiters._pauses == []


async def test_an_error_of_the_task_is_the_tasks() -> None:
    tray, waits = Tray(), iter([None, True])

    async def fail() -> None:
        await tray.waiters.until(lambda: next(waits))
        raise RuntimeError("mine")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await called_by_the_loop(tray.waiters.wake_at_once)
    with pytest.raises(RuntimeError, match="mine"):
        await task


async def test_an_answer_leaves_within_the_read() -> None:
    """The handler has answered, and the answer has left, before anything else of the same turn is called."""
    order: list[str] = []

    async def handler(ws: WebSocket) -> None:
        async for message in ws:
            asyncio.get_running_loop().call_soon(lambda: order.append(f"{ws.engine.bytes_queued} bytes are left"))
            await ws.send(message)
            order.append(f"{ws.engine.bytes_queued} bytes wait")

    async with serve(handler, "127.0.0.1", 0) as server, Raw.connect(server.port) as raw:
        raw.send(frame(TEXT, b"a"))
        assert (await raw.frame()).payload == b"a"
    assert order == ["3 bytes wait", "0 bytes are left"]


async def test_many_who_wait_for_their_own_connection() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:

        async def converse(name: int) -> None:
            async with connect(url(server)) as ws:
                for number in range(20):
                    await ws.send(f"{name} {number}")
                    assert await asyncio.wait_for(ws.recv(), 30) == f"{name} {number}"

        await asyncio.gather(*map(converse, range(10)))


@pytest.mark.parametrize("task_type", [asyncio.Task, _PyTask], ids=["in C", "in Python"])
async def test_any_task_can_wait_and_be_cancelled_by_any_means(
    task_type: Callable[..., asyncio.Task[list[str]]],
) -> None:
    tray, loop = Tray(), asyncio.get_running_loop()

    async def take_for_a_moment() -> list[str]:
        with move_on_after(0.01):
            await tray.take()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(tray.take(), 0.01)
        return tray.taken

    task = task_type(take_for_a_moment(), loop=loop)
    await asyncio.sleep(0)
    await called_by_the_loop(lambda: tray.put("a", tray.waiters.wake_at_once))
    assert await task == ["a"]
    assert tray.waiters._pauses == []
