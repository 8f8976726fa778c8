"""One worker process, as its parent sees it. ``worker`` is what runs in it.

A worker is a fresh interpreter, never a fork: no threads, locks, event loops or random state of the parent come along,
and after an upgrade the next one runs the new code. It has a process group of its own, so that Ctrl-C reaches the
parent alone, which passes it on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from .runtimes import GRACE_PERIOD

__all__ = ["Worker", "WorkerFailed"]

#: Seconds for a worker to be ready, and after a signal to be gone.
_START_TIMEOUT: Final = 60.0
_END_TIMEOUT: Final = GRACE_PERIOD + 5.0
#: What a service manager says to the parent and not to its workers.
_NOT_INHERITED: Final = frozenset({"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET"})


class WorkerFailed(Exception):
    """A worker could not be started, or was not ready in time, or ended before."""


class Worker:
    """A worker that runs, or has run. Made by :meth:`start`."""

    def __init__(self, process: asyncio.subprocess.Process, lifeline: socket.socket) -> None:
        #: Whether it was told to end, some time or other, so that its end is no surprise.
        self.is_stopping: bool = False
        self.pid: int = process.pid
        self._process = process
        self._lifeline = lifeline
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        self._is_told_to_close = False

    @classmethod
    async def start(cls, options: argparse.Namespace, sockets: Sequence[socket.socket]) -> Worker:
        """Start one that serves on ``sockets``, and wait until it is ready. Raises :exc:`WorkerFailed`."""
        lifeline, far_end = socket.socketpair()
        lifeline.setblocking(False)
        try:
            with far_end:
                worker = cls(await _spawn(options, sockets, far_end), lifeline)
        except BaseException as error:
            lifeline.close()
            if isinstance(error, OSError):
                raise WorkerFailed(f"a worker cannot be started: {error.strerror}") from error
            raise
        try:
            await worker._until_ready()
        except BaseException:
            worker._kill()
            await worker.ended()
            raise
        return worker

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return self._loop.time() - self._started_at

    def stop(self) -> None:
        """Tell it to close its connections and to end; beyond the grace period it is killed. Harmless twice."""
        if not self._is_told_to_close:
            self.is_stopping = self._is_told_to_close = True
            self._signal(signal.SIGTERM)
            self._loop.call_later(_END_TIMEOUT, self._kill)

    def retire(self, drain: float | None) -> None:
        """Tell it to let nobody else in, and to end once everybody is gone; :meth:`stop` it after ``drain`` seconds."""
        self.is_stopping = True
        if drain == 0:
            self.stop()
            return
        self._signal(signal.SIGHUP)
        if drain is not None:
            self._loop.call_later(drain, self.stop)

    async def ended(self) -> str:
        """Wait for its end; return how it ended, in words."""
        status = await self._process.wait()
        self._lifeline.close()
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                if await self._loop.sock_recv(self._lifeline, 1):
                    return
                raise WorkerFailed(f"worker {self.pid} {await self.ended()} before it was ready")
        except TimeoutError:
            raise WorkerFailed(f"worker {self.pid} was not ready within {_START_TIMEOUT:g} s") from None

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            self._process.send_signal(number)


async def _spawn(
    options: argparse.Namespace, sockets: Sequence[socket.socket], lifeline: socket.socket
) -> asyncio.subprocess.Process:
    inherited = [sock.fileno() for sock in sockets]
    order = {"options": vars(options), "sockets": inherited, "lifeline": lifeline.fileno()}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # no module of the current folder takes the place of ours
        "-m",
        "wsproto_cli.worker",
        json.dumps(order),
        stdin=subprocess.DEVNULL,
        pass_fds=[*inherited, lifeline.fileno()],
        process_group=0,
        env={name: value for name, value in os.environ.items() if name not in _NOT_INHERITED},
    )
