"""Standard input, line by line, read by a thread: the one way that works for terminals, pipes and files everywhere."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import os
import select
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Final

__all__ = ["Editor", "Lines", "RawLines", "is_open", "is_terminal", "terminal_as_it_was"]

_CHUNK: Final = 64 * 1024


def _import_if_there(name: str) -> Any:
    """A module of the standard library that not every platform has, or ``None``."""
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


readline: Any = _import_if_there("readline")
termios: Any = _import_if_there("termios")


class Lines:
    """An asynchronous iterator over lines without their line feeds.

    ``read`` blocks and returns the next few, or ``None`` at the end. It is called again when those are dealt with, so
    that a fast producer waits for a slow connection.
    """

    def __init__(self, read: Callable[[], list[bytes] | None]) -> None:
        self._read = read
        self._loop = asyncio.get_running_loop()
        self._batches: asyncio.Queue[list[bytes] | None] = asyncio.Queue()
        self._taken = threading.Semaphore(0)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # A daemon, since nothing can interrupt a blocked read: the process ends without it.
        threading.Thread(target=self._run, name="stdin", daemon=True).start()
        while (batch := await self._batches.get()) is not None:
            for line in batch:
                yield line
            self._taken.release()

    def _run(self) -> None:
        batch: list[bytes] | None = []
        while batch is not None:
            try:
                batch = self._read()
            except OSError:  # the terminal is gone
                batch = None
            try:
                self._loop.call_soon_threadsafe(self._batches.put_nowait, batch)
            except RuntimeError:  # the loop is closed: nobody wants to know any more
                return
            self._taken.acquire()


class RawLines:
    """Lines of a pipe or a file. What follows the last line feed is a line too, unless it is empty."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._begun: list[bytes] = []
        self._ended = False

    def __call__(self) -> list[bytes] | None:
        """The next lines; ``None`` at the end."""
        while not self._ended:
            data = _read(self._fd)
            self._ended = not data
            *lines, rest = data.split(b"\n")
            if lines:
                lines[0] = b"".join((*self._begun, lines[0]))
                self._begun = []
            if rest:
                self._begun.append(rest)
            if self._ended and self._begun:
                lines.append(b"".join(self._begun))
            if lines:
                return lines
        return None


class Editor:
    """Lines typed at a terminal, with the editing and the history of the standard library's readline where it is."""

    prompt: Final = "> "

    def __init__(self) -> None:
        self._is_asking = False
        if readline is not None:
            readline.parse_and_bind("set enable-bracketed-paste off")  # or the terminal keeps it on behind us
            readline.set_auto_history(True)

    def __call__(self) -> list[bytes] | None:
        """The next line; ``None`` for Ctrl-D."""
        self._is_asking = True
        try:
            return [input(self.prompt).encode("utf-8", "surrogateescape")]
        except EOFError:
            return None
        except UnicodeDecodeError as error:
            return [bytes(error.object).rstrip(b"\n")]  # whoever sends it will say what is wrong
        finally:
            self._is_asking = False

    def typed(self) -> str | None:
        """Prompt and text as they stand on the screen; ``None`` while nothing is asked."""
        if not self._is_asking:
            return None
        return self.prompt + ("" if readline is None else readline.get_line_buffer())


@contextlib.contextmanager
def terminal_as_it_was() -> Generator[None, None, None]:
    """Restore the modes of the terminal afterwards: the thread that changed them may still be waiting for a line."""
    if termios is None or not is_terminal(sys.stdin):
        yield
        return
    fd = sys.stdin.fileno()
    modes = termios.tcgetattr(fd)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSADRAIN, modes)


def is_open(stream: object) -> bool:
    """Whether a standard stream is there, with a file below: it is ``None`` where the shell said ``<&-``."""
    try:
        return bool(getattr(stream, "fileno", lambda: -1)() >= 0)
    except (OSError, ValueError):
        return False


def is_terminal(stream: object) -> bool:
    """Whether a standard stream is there, open, and a terminal."""
    try:
        return bool(getattr(stream, "isatty", lambda: False)())
    except ValueError:  # closed
        return False


def _read(fd: int) -> bytes:
    while True:
        try:
            return os.read(fd, _CHUNK)
        except BlockingIOError:  # somebody who shares the pipe made it so
            select.select([fd], [], [])
