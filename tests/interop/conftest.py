"""Every test of this folder is marked ``interop``; a coroutine test runs on the ``runtime`` that it asks for."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from tests.interop.aiohttp_peer import Aiohttp
from tests.interop.node_peer import Ws
from tests.interop.peers import Papers, Peer
from tests.interop.runtimes import RUNTIMES, Runtime
from tests.interop.websockets_peers import WebsocketsAsyncio, WebsocketsThreads

PEERS: list[Peer] = [WebsocketsAsyncio(), WebsocketsThreads(), Aiohttp(), Ws()]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.interop)


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test on the ``runtime`` that it asks for, and make sure that it ran."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    runtime, has_run = arguments["runtime"], False
    assert isinstance(runtime, Runtime)

    async def script() -> None:
        nonlocal has_run
        await pyfuncitem.obj(**arguments)
        has_run = True

    runtime.run(script)
    assert has_run
    return True


@pytest.fixture(params=RUNTIMES, ids=[runtime.name for runtime in RUNTIMES])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Each adapter on each of its loops."""
    assert isinstance(request.param, Runtime)
    return request.param


@pytest.fixture(params=PEERS, ids=[peer.name for peer in PEERS])
def peer(request: pytest.FixtureRequest) -> Peer:
    """Each library; skips, or fails in CI, where it is not installed."""
    chosen: Peer = request.param
    chosen.require()
    return chosen


@pytest.fixture(scope="session")
def papers() -> Papers:
    return Papers()
