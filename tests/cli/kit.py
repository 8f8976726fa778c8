"""What the tests of the command share: the command as a real process, with its lines as they come, or in a terminal."""

from __future__ import annotations

import os
import queue
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final, TypeAlias

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

#: Seconds after which a test gives up waiting for something that should come at once.
PATIENCE: Final = 20.0
COMMAND: Final = (sys.executable, "-m", "wsproto_cli")

#: An opening handshake, for clients that then say nothing more.
UPGRADE: Final = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WSPROTO_")}
    return {**kept, **more}


Done: TypeAlias = subprocess.CompletedProcess[bytes]


def wsproto(*arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Done:
    """The command, from beginning to end, with its standard input in a pipe."""
    command = [*COMMAND, *arguments]
    env = env or environment()
    return subprocess.run(command, input=stdin, capture_output=True, timeout=PATIENCE, check=False, env=env)


def closing_frame(ws: ServerConnection) -> tuple[int, str]:
    """Wait for the client to close: its code and reason."""
    with pytest.raises(ConnectionClosed) as caught:
        ws.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


class Running:
    """A command that runs: write to its ``stdin``, wait for lines of ``stdout`` and ``stderr``."""

    def __init__(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        command: Sequence[str] = COMMAND,
        pass_fds: Sequence[int] = (),
    ) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [*command, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=env or environment(), pass_fds=pass_fds
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.stdin: IO[bytes] = self.process.stdin
        self.stdout = _Lines(self.process.stdout)
        self.stderr = _Lines(self.process.stderr)

    def write(self, data: bytes) -> None:
        self.stdin.write(data)
        self.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        try:
            self.stdin.close()
        except BrokenPipeError:
            pass  # what was written last was not read
        self.stdout.join()
        self.stderr.join()


class _Lines:
    """The lines of a pipe, read by a thread so that waiting for one has an end."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.seen: list[str] = []
        self._coming: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def until(self, pattern: str) -> re.Match[str]:
        """The next line that has ``pattern`` in it."""
        deadline = time.monotonic() + PATIENCE
        while (line := self._next(deadline)) is not None:
            self.seen.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"no line has {pattern!r} in it: {self.seen}")

    def text(self) -> str:
        """Everything, once the command has ended."""
        while (line := self._next(time.monotonic() + PATIENCE)) is not None:
            self.seen.append(line)
        return "\n".join(self.seen)

    def join(self) -> None:
        self._thread.join(PATIENCE)

    def _next(self, deadline: float) -> str | None:
        try:
            return self._coming.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"nothing more came: {self.seen}") from None

    def _read(self) -> None:
        with self._pipe:
            for line in self._pipe:
                self._coming.put(line.decode().rstrip("\n"))
        self._coming.put(None)


@contextmanager
def running(*arguments: str, **options: Any) -> Iterator[Running]:
    command = Running(*arguments, **options)
    try:
        yield command
    finally:
        command.end()


class Echo(Running):
    """A running ``wsproto echo``; ``uri`` is where it listens."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        super().__init__("echo", "--port", "0", *arguments, env=env)
        self.uri = self.stdout.until(r"^listening on (\S+)$")[1]
        self.port = int(self.uri.rstrip("/").rpartition(":")[2]) if "unix:" not in self.uri else 0


@contextmanager
def echo(*arguments: str, env: dict[str, str] | None = None) -> Iterator[Echo]:
    command = Echo(*arguments, env=env)
    try:
        yield command
    finally:
        command.end()


@contextmanager
def stranger(handler: Callable[[ServerConnection], None], **options: object) -> Iterator[str]:
    """A server of the ``websockets`` library in this process; gives its URI."""
    server: Server = serve(handler, "127.0.0.1", 0, **options)  # type: ignore[arg-type]  # passed through
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
    finally:
        server.shutdown()
        thread.join(PATIENCE)


class Terminal:
    """The command in a terminal of its own: all three streams are one screen."""

    def __init__(self, *arguments: str) -> None:
        import pty  # not on Windows, where these tests are skipped

        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [*COMMAND, *arguments], environment(TERM="xterm", INPUTRC="/dev/null"))
        self.screen = ""
        self._status: int | None = None

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until the screen shows ``pattern``, and forget everything up to there."""
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.screen, re.DOTALL)) is None:
            if not self._more(deadline):
                raise AssertionError(f"{pattern!r} is not on the screen: {self.screen!r}")
        self.screen = self.screen[found.end() :]
        return found

    def wait(self) -> int:
        """The exit status; reads on, since a full terminal would block the command."""
        deadline = time.monotonic() + PATIENCE
        while self._more(deadline):
            pass
        return self._reap()

    def modes(self) -> list[object]:
        import termios

        return list(termios.tcgetattr(self._fd))

    def until_modes_differ(self, before: list[object]) -> None:
        """Wait until the command has taken the terminal over, which may be a moment after its prompt shows."""
        deadline = time.monotonic() + PATIENCE
        while self.modes() == before:
            assert time.monotonic() < deadline, "the terminal's modes are as they were"
            time.sleep(0.01)

    def end(self) -> None:
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            self._reap()
        os.close(self._fd)

    def _more(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        try:
            data = os.read(self._fd, 65536) if ready else b""
        except OSError:  # Linux: the other side is closed
            data = b""
        self.screen += data.decode()
        return bool(data)

    def _reap(self) -> int:
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    window = Terminal(*arguments)
    try:
        yield window
    finally:
        window.end()
