"""The parent of all workers: it starts them, replaces those that die, and restarts them gracefully.

The listening sockets are the supervisor's, and stay open: what comes while no worker serves a socket waits in it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from socket import socket
from typing import Any, Final

from wsproto_core import Backoff

from .echoing import Log
from .runtimes import STOP_SIGNALS, Life, open_signal_receiver
from .service_manager import notify_ready, notify_reloading
from .spawning import Worker, WorkerFailed
from .status import ExitStatus, complain

__all__ = ["supervise"]

#: A worker that dies again and again is replaced less and less often, until one has lived for so many seconds.
_BACKOFF: Final = Backoff(initial=0.25, cap=15.0)
_LONG_LIFE: Final = 30.0


async def supervise(options: argparse.Namespace, sockets: Sequence[Sequence[socket]], log: Log, life: Life) -> int:
    """Run one worker for each element of ``sockets`` until SIGINT or SIGTERM; return the exit status.

    SIGHUP restarts them: new ones start, and once they are ready the ones before let nobody else in and, after
    ``options.drain`` seconds at the latest, close their connections with 1001.
    """
    supervisor = _Supervisor(options, sockets, log)
    with open_signal_receiver(*STOP_SIGNALS, signal.SIGHUP) as signals:
        supervisor.run(supervisor.begin(life.listening))
        supervisor.run(supervisor.obey(signals))
        status = await supervisor.verdict
    life.closing()
    await supervisor.end()
    return status


class _Supervisor:
    """All the workers, and the tasks that look after them."""

    def __init__(self, options: argparse.Namespace, sockets: Sequence[Sequence[socket]], log: Log) -> None:
        #: What the command ends with, once that is decided.
        self.verdict: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.log = log
        #: Everyone who runs, also those who are about to end.
        self.workers: set[Worker] = set()
        self._slots = [_Slot(self, options, mine) for mine in sockets]
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work``, until the end begins at the latest."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def begin(self, listening: Callable[[], None]) -> None:
        """Start the first workers. If one of them cannot be started, that is the end."""
        try:
            async with asyncio.TaskGroup() as group:
                for slot in self._slots:
                    group.create_task(slot.renew())
        except* WorkerFailed as failures:
            complain(str(failures.exceptions[0]))
            self._decide(ExitStatus.FAILED)
        else:
            listening()

    async def obey(self, signals: AsyncIterator[int]) -> None:
        """Restart at SIGHUP. It is the end if it came because the terminal is gone, as any other signal is."""
        had_terminal = _has_terminal()
        async for number in signals:
            if number != signal.SIGHUP or _has_terminal() != had_terminal:
                break
            self.run(self._restart())
        self._decide(ExitStatus.OK)

    async def end(self) -> None:
        """Stop every worker, and wait until all are gone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self.workers:
            worker.stop()
        await asyncio.gather(*(worker.ended() for worker in self.workers))

    async def _restart(self) -> None:
        notify_reloading()
        for outcome in await asyncio.gather(*(slot.renew() for slot in self._slots), return_exceptions=True):
            if isinstance(outcome, WorkerFailed):
                complain(f"{outcome}; the one before goes on")
        self.log("restarted")
        notify_ready()

    def _decide(self, status: int) -> None:
        if not self.verdict.done():
            self.verdict.set_result(status)


class _Slot:
    """The place of one worker, and the sockets that it serves, whichever worker that is."""

    def __init__(self, supervisor: _Supervisor, options: argparse.Namespace, sockets: Sequence[socket]) -> None:
        self._supervisor = supervisor
        self._options = options
        self._sockets = sockets
        self._worker: Worker | None = None
        self._lock = asyncio.Lock()
        self._deaths = 0

    async def renew(self) -> None:
        """Start a worker; once it is ready, it takes the place of the one before, which is told to end.

        Raises :exc:`WorkerFailed`, and then the one before stays.
        """
        async with self._lock:
            await self._fill()

    async def _fill(self) -> None:
        worker = await Worker.start(self._options, self._sockets)
        self._supervisor.workers.add(worker)
        self._supervisor.log(f"worker {worker.pid} is ready")
        before, self._worker = self._worker, worker
        self._supervisor.run(self._look_after(worker))
        if before is not None:
            before.retire(self._options.drain)

    async def _look_after(self, worker: Worker) -> None:
        """Wait for the end of ``worker``; if it is a surprise, find another one."""
        words = await worker.ended()
        self._supervisor.workers.discard(worker)
        if worker.is_stopping:
            self._supervisor.log(f"worker {worker.pid} {words}")
            return
        complain(f"worker {worker.pid} {words}; another one takes its place")
        self._deaths = 0 if worker.age > _LONG_LIFE else self._deaths + 1
        while not await self._replace(worker):
            self._deaths += 1

    async def _replace(self, worker: Worker) -> bool:
        """Start another one after a pause, unless a restart has done so; return whether the slot is filled."""
        await asyncio.sleep(_BACKOFF.delay(self._deaths, random.random()))
        async with self._lock:
            try:
                if self._worker is worker:
                    await self._fill()
            except WorkerFailed as error:
                complain(str(error))
                return False
            return True


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal. A window that is closed takes it away, and sends SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
