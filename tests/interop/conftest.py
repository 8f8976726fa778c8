"""Every coroutine test of this folder runs on asyncio and on uvloop, and is marked ``interop``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.loops import pytest_generate_tests, pytest_pyfunc_call

__all__ = ["pytest_collection_modifyitems", "pytest_generate_tests", "pytest_pyfunc_call"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.interop)
