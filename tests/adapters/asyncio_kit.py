"""The transport of the asyncio adapter on both twins of its hot code, side by side in one process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

import pytest

from tests.hot_code import fresh, needs_build
from wsproto_asyncio import _speedups, stream
from wsproto_asyncio._speedups import leaves_py, traffic_py


class Leaves(Protocol):
    """What a module of leaves has."""

    @property
    def LARGE(self) -> int: ...  # noqa: N802  # it is a constant
    def receive(self, sock: socket.socket, memory: memoryview) -> bytes | memoryview | None: ...
    def send(self, sock: socket.socket, data: bytes | bytearray | memoryview) -> int: ...


@dataclass(frozen=True)
class Twin:
    """The leaves, and ``stream`` as it is in a process that uses this one."""

    leaves: Leaves
    stream: Any


def in_python() -> Twin:
    return Twin(leaves_py, stream_on(traffic_py.SocketTraffic))


def compiled() -> Twin:
    """The compiled twin; skips, or fails in CI, where it has not been built."""
    with needs_build():
        from wsproto_asyncio._speedups import leaves_c, traffic_c
    return Twin(leaves_c, stream_on(traffic_c.SocketTraffic))


def stream_on(traffic: Any) -> Any:
    """The module once more, with a transport that is made of this class."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_speedups, "SocketTraffic", traffic)
        return fresh(stream)


TWINS: Final[Mapping[str, Callable[[], Twin]]] = MappingProxyType({"python": in_python, "compiled": compiled})
