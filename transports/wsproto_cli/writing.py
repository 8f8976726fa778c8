"""Standard output and standard error of a conversation, written in order by one thread.

So a reader that stops, a pager or a terminal after Ctrl-S, does not stop the connection from answering pings. What it
has not taken is bounded: :meth:`Output.put` waits.
"""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, TextIO

from .reading import is_open, is_terminal

__all__ = ["Output"]

_HIGH_WATER: Final = 1024 * 1024
#: In the place of a descriptor: what is to be done in its turn.
_LEAVE_PROMPT: Final = -1


class Output:
    """Two streams and the line that is being typed, which stays whole below what is printed.

    ``typed`` tells what stands on the prompt's line, ``None`` for nothing. ``gone`` is called once, when
    standard output takes no more, with the error.
    """

    def __init__(self, typed: Callable[[], str | None], gone: Callable[[OSError], None]) -> None:
        self.is_terminal: bool = is_terminal(sys.stdout)
        self._typed = typed
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._items: SimpleQueue[tuple[int | None, bytes]] = SimpleQueue()
        self._waiting = 0
        self._has_room = asyncio.Event()
        self._stdout, self._stderr = _descriptor(sys.stdout), _descriptor(sys.stderr)
        threading.Thread(target=self._run, name="stdout", daemon=True).start()

    async def put(self, data: bytes) -> None:
        """Print to standard output; wait while too much waits already."""
        self._add(self._stdout, data)
        await self.room()

    def note(self, line: str) -> None:
        """Print a line to standard error."""
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        self._add(self._stderr, f"{line}\n".encode(encoding, "backslashreplace"))

    async def room(self) -> None:
        """Wait until not too much waits."""
        while self._waiting > _HIGH_WATER:
            self._has_room.clear()
            await self._has_room.wait()

    async def drain(self) -> None:
        """Wait until everything is written."""
        while self._waiting:
            self._has_room.clear()
            await self._has_room.wait()

    def leave_prompt(self) -> None:
        """Take the prompt off the screen: nobody waits for what is typed there any more."""
        self._add(_LEAVE_PROMPT, b"")

    def _add(self, fd: int | None, data: bytes) -> None:
        self._waiting += len(data)
        self._items.put((fd, data))

    def _run(self) -> None:
        while True:
            fd, data = self._items.get()
            failure: OSError | None = None
            try:
                if fd == _LEAVE_PROMPT:
                    self._leave_prompt()
                elif fd is not None:
                    self._print(fd, data)
            except OSError as error:
                failure = error if fd == self._stdout else None
            try:
                self._loop.call_soon_threadsafe(self._written, len(data), failure)
            except RuntimeError:  # the loop is closed
                return

    def _written(self, size: int, failure: OSError | None) -> None:
        self._waiting -= size
        self._has_room.set()
        if failure is not None and self._stdout is not None:
            self._stdout = None
            self._gone(failure)

    def _print(self, fd: int, data: bytes) -> None:
        typed = self._typed()
        if typed is None or not os.isatty(fd):
            _write(fd, data)
            return
        _write(fd, _erase(typed) + data + (self._typed() or "").encode("utf-8", "surrogateescape"))

    def _leave_prompt(self) -> None:
        typed = self._typed()
        self._typed = lambda: None
        if typed is not None and self._stdout is not None:
            _write(self._stdout, _erase(typed))


def _erase(typed: str) -> bytes:
    """What takes a line off a terminal, and the lines above it that it began on."""
    rows = len(typed) // max(1, shutil.get_terminal_size().columns)
    return ("\r" + (f"\x1b[{rows}A" if rows else "") + "\x1b[J").encode()


def _descriptor(stream: TextIO) -> int | None:
    return stream.fileno() if is_open(stream) else None


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody who shares the pipe made it so
            select.select([], [fd], [])
