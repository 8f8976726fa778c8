"""The traffic of a socket: what every read and every write of its transport passes.

This file runs in Python and, compiled with the C types of ``traffic_c.pxd``, as ``traffic_c``. What is called for every
message takes what it is given by its place only: compiled, nothing is looked for then.

What lives here: the way of bytes that come and go at once. What must not: whatever waits, ends or fails.
"""

from __future__ import annotations

import socket
from abc import abstractmethod
from collections import deque
from typing import Any

from wsproto_core import Outlet

from .leaves_py import receive, send

__all__ = ["SocketTraffic"]


class SocketTraffic(Outlet):
    """The part of a transport that bytes pass: between ``sock`` and ``reader``, by way of ``memory``."""

    __slots__ = ("_is_closing", "_memory", "_queue", "_reader", "_sock")

    def __init__(self, sock: socket.socket, reader: Any, memory: memoryview) -> None:
        self._sock = sock
        self._reader = reader
        self._memory = memory
        self._is_closing: bool = False
        # What the kernel did not take yet. Most connections never need a queue, and an empty one takes memory.
        self._queue: deque[memoryview] | None = None

    def is_closing(self, /) -> bool:
        """Whether it is over, or about to be."""
        return self._is_closing

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Send ``data``, which must not change any more."""
        SocketTraffic.put(self, data)  # by its class: compiled, nothing is looked up

    def put(self, data: bytes | bytearray | memoryview, /) -> bool:
        """Send ``data``, unless it is over or about to be; return whether it was not."""
        if self._is_closing:
            return False
        if self._queue is not None:
            self._keep(memoryview(data))
            return True
        try:
            sent = send(self._sock, data)
        except OSError as error:
            self._break(error)
            return True
        if sent != len(data):
            self._keep(memoryview(data)[sent:])
        return True

    def _readable(self, /) -> bool:
        """Something has come, or may have; return whether it had."""
        if self._queue is not None and self._shall_wait():
            return True
        try:
            data = receive(self._sock, self._memory)
        except OSError as error:
            self._break(error)
            return True
        if data is None:
            return False
        try:
            if data:
                self._reader.data_received(data)
            else:
                self._peer_ended()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._fail(error)
        return True

    # --- what else there is, for the transport ------------------------------------------------------------------------

    @abstractmethod
    def _keep(self, data: memoryview) -> None:
        """Let ``data`` wait until the kernel takes more."""

    @abstractmethod
    def _shall_wait(self) -> bool:
        """Something comes while something waits; return whether that goes first."""

    @abstractmethod
    def _peer_ended(self) -> None:
        """No more will come."""

    @abstractmethod
    def _break(self, error: Exception | None) -> None:
        """Drop it, with whatever waits."""

    @abstractmethod
    def _fail(self, error: BaseException) -> None:
        """The reader raised, which must not be: somebody is told, and it is over."""
