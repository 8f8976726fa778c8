"""Runs coroutine tests on every event loop, and holds them to leaving nothing behind.

A ``conftest.py`` imports the two hooks. Every ``async def test_...`` below it then runs once on asyncio, once on
uvloop and once on asyncio with the transports of aiofastnet, within a time limit, and fails if it leaves a task, a
complaint to the loop's exception handler or (through the warnings that are errors) an unclosed transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvloop

__all__ = ["TEST_SECONDS", "pytest_generate_tests", "pytest_pyfunc_call", "run_on", "transports_of"]

#: No wait of a test is longer than this.
TEST_SECONDS = 30.0

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
    "aiofastnet": asyncio.new_event_loop,
}


@contextlib.contextmanager
def transports_of(kind: str) -> Iterator[None]:
    """Let servers use transports of aiofastnet where ``kind`` says so, and elsewhere our own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WSPROTO_ASYNCIO_TRANSPORTS", "aiofastnet" if kind == "aiofastnet" else "own")
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every coroutine test on every loop."""
    if inspect.iscoroutinefunction(metafunc.function):
        metafunc.fixturenames.append("loop_kind")
        metafunc.parametrize("loop_kind", list(LOOPS))


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test, and tell pytest that this is done."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    marker = pyfuncitem.get_closest_marker("timeout")
    seconds = float(marker.args[0]) * 0.9 if marker else TEST_SECONDS
    run_on(str(pyfuncitem.callspec.params["loop_kind"]), lambda: pyfuncitem.obj(**arguments), seconds=seconds)
    return True


def run_on(
    kind: str, test: Callable[[], Awaitable[None]], *, debug: bool = False, seconds: float = TEST_SECONDS
) -> None:
    """Run ``test`` on a new loop of that kind, to its clean end."""
    complaints: list[dict[str, Any]] = []

    async def bounded() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with asyncio.timeout(seconds):
            await test()
        await leftovers_gone()

    with transports_of(kind), asyncio.Runner(loop_factory=LOOPS[kind], debug=debug) as runner:
        runner.run(bounded())
        gc.collect()  # a task whose exception nobody retrieved says so when it is collected
    if complaints:
        pytest.fail(f"the loop's exception handler was called: {complaints}")


async def leftovers_gone() -> None:
    """Wait for tasks that are on their way out; fail with the names of those that stay."""
    try:
        async with asyncio.timeout(5):
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others, timeout=0.05)
    except TimeoutError:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        pytest.fail(f"tasks are left behind: {others}")
