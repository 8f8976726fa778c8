"""Runs examples as their readers do: as programs of their own."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Final, TypeVar

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
_T = TypeVar("_T")


def run(work: Awaitable[_T], *, timeout: float = 50.0) -> _T:
    """Run a scenario in an event loop of its own, for ``timeout`` seconds at the most."""

    async def bounded() -> _T:
        async with asyncio.timeout(timeout):
            return await work

    return asyncio.run(bounded())


@contextlib.contextmanager
def example(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run an example until the context ends. It must not have complained."""
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                _, complaints = process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert complaints == ""


@contextlib.contextmanager
def demo(port: int = 0) -> Iterator[str]:
    """Run the demo's server; the context is the address that it prints."""
    with example("demo/server.py", "--port", str(port)) as process:
        yield printed_address(process)


def printed_address(process: subprocess.Popen[str]) -> str:
    """The address that a server prints first."""
    assert process.stdout is not None
    line = process.stdout.readline()
    address = re.match(r"(?:http|ws)://127\.0\.0\.1:\d+/", line)
    assert address is not None, f"printed {line!r}, exit status {process.poll()}"
    return address[0]
