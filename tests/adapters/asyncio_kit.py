"""The transport and the waiting of the asyncio adapter on both twins of its hot code, side by side in one process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any, Final, Protocol

import pytest

from tests.hot_code import fresh, needs_build
from wsproto_asyncio import _speedups, stream, waiting
from wsproto_asyncio._speedups import leaves_py, traffic_py, waiting_py


class Leaves(Protocol):
    """What a module of leaves has."""

    @property
    def LARGE(self) -> int: ...  # noqa: N802  # it is a constant
    def accept(self, sock: socket.socket) -> tuple[socket.socket, Any] | None: ...
    def receive(self, sock: socket.socket, memory: memoryview) -> bytes | memoryview | None: ...
    def send(self, sock: socket.socket, data: bytes | bytearray | memoryview) -> int: ...


@dataclass(frozen=True)
class Twin:
    """The leaves, and ``stream`` and ``waiting`` as they are in a process that uses this one."""

    leaves: Leaves
    stream: Any
    waiting: Any


def in_python() -> Twin:
    return Twin(
        leaves_py,
        rebuilt(stream, SocketTraffic=traffic_py.SocketTraffic),
        rebuilt(waiting, Waiting=waiting_py.Waiting),
    )


def compiled() -> Twin:
    """The compiled twin; skips, or fails in CI, where it has not been built."""
    with needs_build():
        from wsproto_asyncio._speedups import leaves_c, traffic_c, waiting_c
    return Twin(
        leaves_c,
        rebuilt(stream, SocketTraffic=traffic_c.SocketTraffic),
        rebuilt(waiting, Waiting=waiting_c.Waiting),
    )


def rebuilt(module: ModuleType, **hot: Any) -> ModuleType:
    """The module once more, with these names of the hot code."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in hot.items():
            patch.setattr(_speedups, name, value)
        return fresh(module)


TWINS: Final[Mapping[str, Callable[[], Twin]]] = MappingProxyType({"python": in_python, "compiled": compiled})
