"""Processes on cores of their own, and what they say when they are ready."""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

__all__ = ["GENERATOR_CORE", "SERVER_CORE", "Failed", "said", "started"]

#: Seconds after which a process that has not said anything is taken to hang.
PATIENCE: Final = 60.0
#: One core for servers and one for the generator; the same where there is but one.
SERVER_CORE: Final = max(os.sched_getaffinity(0))
GENERATOR_CORE: Final = min(os.sched_getaffinity(0))
#: What processes need of Linux; ``PR_SET_PDEATHSIG``.
_libc: Final = ctypes.CDLL(None)
_DIES_WITH_PARENT: Final = 1


class Failed(Exception):
    """A subject did not do what was asked of it."""


@contextmanager
def started(
    command: Sequence[str | Path], cores: Sequence[int], *, is_real_time: bool = True, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """A process on some cores, until this ends. Two of the same class on one core do not interrupt each other; where
    that is allowed, nobody else interrupts them either. ``options`` are those of ``Popen``.
    """
    options |= {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    prepare = partial(_claim, cores, is_real_time)
    with subprocess.Popen(command, preexec_fn=prepare, **options) as process:  # noqa: PLW1509  # there are no threads
        try:
            yield process
        finally:
            process.terminate()


def said(process: subprocess.Popen[str]) -> str:
    """The next line from a process. Raises :exc:`Failed` where it ends or hangs instead."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], PATIENCE)[0]:
        raise Failed("said nothing")
    line = process.stdout.readline()
    if line:
        return line
    status = process.wait()
    raise Failed(process.stderr.read() if process.stderr else f"ended with {status}")


def _claim(cores: Sequence[int], is_real_time: bool) -> None:
    """Keep this process to its cores, with all the sockets that it may have, and as long as its parent lives: one that
    is left behind in the real-time class would starve whatever is measured next.
    """
    _libc.prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, cores)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    with suppress(PermissionError):
        if is_real_time:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        else:
            os.setpriority(os.PRIO_PROCESS, 0, -20)
