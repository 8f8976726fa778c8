"""Every coroutine test of this folder runs on asyncio and on uvloop."""

from tests.adapters.loops import pytest_generate_tests, pytest_pyfunc_call

__all__ = ["pytest_generate_tests", "pytest_pyfunc_call"]
