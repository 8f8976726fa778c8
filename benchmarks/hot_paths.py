"""What is done for every message, or connection, over and over, for ``check.py`` to count: ``python hot_paths.py PATH
TIMES``.

Each path runs a little beforehand, so that every run has what the first one makes.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from types import MappingProxyType
from typing import Final, TypeAlias

import wire
from pair import Engine, connected, live_and_end

from wsproto_core import ServePlan

__all__ = ["MESSAGES", "PATHS"]

#: Messages of 64 bytes each time.
MESSAGES: Final = 16
#: How often each path runs beforehand.
FIRST: Final = 50
TEXT: Final = "x" * 64
READ: Final = wire.text(64) * MESSAGES
REQUEST: Final = wire.request()
PLAN: Final = ServePlan(None, 0, None, entropy=os.urandom)

Path: TypeAlias = Callable[[Engine], None]


def receive(engine: Engine) -> None:
    """A read brings messages."""
    engine.receive_data(READ, 1.0)


def send(engine: Engine) -> None:
    """Messages leave in one write."""
    for _ in range(MESSAGES):
        engine.send(TEXT)
    engine.data_to_send()


def echo(engine: Engine) -> None:
    """A read brings messages, and all go back in one write."""
    for message in engine.receive_data(READ, 1.0):
        assert isinstance(message, str)
        engine.send(message)
    engine.data_to_send()


def connection(_: Engine) -> None:
    """As many connections as there are messages elsewhere open, and end."""
    for _time in range(MESSAGES):
        live_and_end(PLAN, REQUEST)


#: Each path: what it does, and at which end.
PATHS: Final = MappingProxyType(
    {
        "receive": (receive, "server"),
        "send": (send, "server"),
        "send masked": (send, "client"),
        "echo": (echo, "server"),
        "connection": (connection, "server"),
    }
)


def main() -> None:
    """Do it."""
    gc.disable()  # when a collection comes depends on everything before
    server, client = connected(deflate=False)
    ends: dict[str, Engine] = {"server": server, "client": client}
    for path, role in PATHS.values():
        run(path, ends[role], FIRST)
    path, role = PATHS[sys.argv[1]]
    run(path, ends[role], int(sys.argv[2]))


def run(path: Path, engine: Engine, times: int) -> None:
    for _ in range(times):
        path(engine)


if __name__ == "__main__":
    main()
