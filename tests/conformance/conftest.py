"""The attackers run on asyncio; the server that they attack runs on both loops."""

from __future__ import annotations

import inspect

import pytest

from tests.adapters.loops import run_on

__all__ = ["pytest_pyfunc_call"]


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    run_on("asyncio", lambda: pyfuncitem.obj(**arguments))
    return True
