"""The transport of the asyncio adapter on both twins of its hot code, side by side in one process."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any, Final, Protocol

import pytest

from tools.prepare_peers import in_ci
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
    try:
        from wsproto_asyncio._speedups import leaves_c, traffic_c
    except ImportError as error:
        if in_ci():
            raise
        pytest.skip(f"the compiled twin is not built ({error}): run `make twin`")
    return Twin(leaves_c, stream_on(traffic_c.SocketTraffic))


def stream_on(traffic: Any) -> ModuleType:
    """The module once more, with a transport that is made of this class."""
    spec = stream.__spec__
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_speedups, "SocketTraffic", traffic)
        spec.loader.exec_module(module)
    return module


TWINS: Final[Mapping[str, Callable[[], Twin]]] = MappingProxyType({"python": in_python, "compiled": compiled})
