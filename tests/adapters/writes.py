"""What is written to sockets, write by write."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

__all__ = ["writes"]


@contextlib.contextmanager
def writes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What leaves within the block by ``socket.send``, as asyncio and ``wsproto_trio`` call it."""
    written: list[bytes] = []
    original = socket.socket.send

    def send(self: socket.socket, data: bytes, *args: Any) -> int:
        sent = original(self, data, *args)
        written.append(bytes(data[:sent]))
        return sent

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "send", send)
        yield written
