"""What a server is to do, and how servers run: shared by those that are measured."""

from __future__ import annotations

import asyncio
import importlib
import ssl
from collections.abc import Coroutine
from dataclasses import dataclass
from socket import socket
from typing import Any, Final

__all__ = ["LARGEST", "NEWS", "Wish", "forever", "run_asyncio", "run_uvloop"]

#: The largest message that any server here must take.
LARGEST: Final = 16 * 1024 * 1024
#: What a broadcast says.
NEWS: Final = "x" * 1024


@dataclass(frozen=True)
class Wish:
    """One server to be."""

    sock: socket
    #: Send ``NEWS`` to everybody at each message, instead of the message back.
    broadcasts: bool = False
    #: Accept permessage-deflate.
    deflate: bool = False
    #: Speak TLS.
    ssl: ssl.SSLContext | None = None


def run_asyncio(main: Coroutine[Any, Any, None]) -> None:
    """Run on asyncio's own loop."""
    asyncio.run(main)


def run_uvloop(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop."""
    with asyncio.Runner(loop_factory=importlib.import_module("uvloop").new_event_loop) as runner:
        runner.run(main)


async def forever() -> None:
    """Let the servers of this loop work."""
    await asyncio.get_running_loop().create_future()
