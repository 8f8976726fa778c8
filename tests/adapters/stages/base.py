"""What the stages share: far ends over plain sockets, for which each runtime brings two waits, and the log."""

from __future__ import annotations

import logging
import socket
import ssl
import struct
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache, partial
from typing import Any, Generic, TypeVar, cast

import trustme

from wsproto_core.testing import Ability, AdapterCase, AdapterStage, LogLine, StageTask, TaskCancelled

__all__ = ["CASE_SECONDS", "PATIENCE", "ScopedTask", "Stage"]

T = TypeVar("T")

#: No case takes longer than this on a real clock.
CASE_SECONDS = 20.0
#: What a second of a case takes on a real clock: long enough to tell 20 of them from 30 on a busy machine.
REAL_SECOND = 0.01
#: On a virtual clock, real seconds without a byte on any socket, after which nobody has anything to do.
PATIENCE = 0.01
#: Small, so that a far end which does not read is felt soon.
BUFFER_SIZE = 32 * 1024


class Stage(AdapterStage):
    """A runtime, with far ends over sockets."""

    name: str = ""

    def __init__(self, *, is_timed: bool = False) -> None:
        self.server_tls, self.client_tls = contexts()
        self.abilities = frozenset({Ability.CANCEL, Ability.TLS, Ability.HALF_CLOSE, Ability.WORKERS})
        self.second = REAL_SECOND
        self.lines: list[LogLine] = []
        if is_timed and self.has_virtual_clock:
            self.abilities |= {Ability.VIRTUAL_CLOCK}
            self.second = 1.0

    has_virtual_clock = True

    @property
    def time_limit(self) -> float:
        """Seconds, of whatever clock, after which a case has failed."""
        return 10_000.0 if Ability.VIRTUAL_CLOCK in self.abilities else CASE_SECONDS

    # --- to be brought by each runtime --------------------------------------------------------------------------------

    @abstractmethod
    def perform(self, play: Callable[[AdapterStage], Coroutine[Any, Any, None]]) -> None:
        """Run ``play(self)`` to its end, within a time limit."""

    @abstractmethod
    async def wait_readable(self, sock: socket.socket) -> None: ...

    @abstractmethod
    async def wait_writable(self, sock: socket.socket) -> None: ...

    # --- the same for all ---------------------------------------------------------------------------------------------

    def play(self, case: AdapterCase) -> None:
        """Play ``case``, and listen to the log meanwhile."""
        with listening_to_the_log(self.lines):
            self.perform(case.play)

    def logged(self) -> Sequence[LogLine]:
        return self.lines

    async def dial(self, port: int, *, tls: ssl.SSLContext | None = None) -> Stream:
        sock = socket.socket()
        try:
            prepare(sock)
            try:
                sock.connect(("127.0.0.1", port))
            except BlockingIOError:
                await self.wait_writable(sock)
            stream = Stream(self, sock)
            if tls is not None:
                await stream.secure(tls, server_side=False)
        except BaseException:
            sock.close()
            raise
        return stream

    @asynccontextmanager
    async def listen(
        self, behave: Callable[[Any], Coroutine[Any, Any, None]], *, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[int]:
        streams: list[Stream] = []
        tasks: list[StageTask[None]] = []

        async def connected(stream: Stream) -> None:
            try:
                if tls is not None:
                    await stream.secure(tls, server_side=True)
                await behave(stream)
            except OSError:
                pass  # a client that does not shake hands
            finally:
                stream.close()

        async def accept() -> None:
            while True:
                await self.wait_readable(listener)
                try:
                    sock, _ = listener.accept()
                except OSError:  # shut down
                    return
                prepare(sock)
                streams.append(Stream(self, sock))
                tasks.append(self.spawn(connected, streams[-1]))

        with socket.socket() as listener:
            prepare(listener)
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            accepting = self.spawn(accept)
            try:
                yield listener.getsockname()[1]
            finally:
                for stream in streams:
                    stream.shut()
                listener.shutdown(socket.SHUT_RDWR)
                await accepting.outcome()
                for task in tasks:
                    await task.outcome()


def prepare(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a kernel that waits makes a virtual clock jump
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_SIZE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_SIZE)


class ScopedTask(Generic[T]):
    """A task of a runtime whose scopes cancel: trio's and anyio's have the same face."""

    def __init__(self, scope: Any, done: Any) -> None:
        self._scope = scope
        self._done = done
        self._value: T | None = None
        self._error: Exception | None = TaskCancelled()

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """What the nursery, or the group, starts."""
        try:
            with self._scope:
                self._value = await work()
                self._error = None
        except Exception as error:
            self._error = error
        finally:
            self._done.set()

    @property
    def is_done(self) -> bool:
        return bool(self._done.is_set())

    def cancel(self) -> None:
        self._scope.cancel()

    async def outcome(self) -> T:
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return cast(T, self._value)


class Stream:
    """A non-blocking socket, with TLS or without."""

    def __init__(self, stage: Stage, sock: socket.socket) -> None:
        self._stage = stage
        self.socket = sock

    async def secure(self, context: ssl.SSLContext, *, server_side: bool) -> None:
        """Shake hands."""
        name = None if server_side else "127.0.0.1"
        secured = context.wrap_socket(
            self.socket, server_side=server_side, server_hostname=name, do_handshake_on_connect=False
        )
        self.socket = secured
        await self._retry(secured.do_handshake, self._stage.wait_readable)

    async def send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[await self._retry(partial(self.socket.send, left), self._stage.wait_writable) :]

    async def receive(self) -> bytes:
        return await self._retry(partial(self.socket.recv, 65536), self._stage.wait_readable)

    def end(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def shut(self) -> None:
        """Let whoever waits for this socket go on."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is gone already

    async def _retry(self, attempt: Callable[[], T], wait: Callable[[socket.socket], Awaitable[None]]) -> T:
        while True:
            try:
                return attempt()
            except (BlockingIOError, ssl.SSLWantReadError):
                await wait(self.socket)
            except ssl.SSLWantWriteError:
                await self._stage.wait_writable(self.socket)


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context and a client's that trusts it, from a throw-away authority."""
    ca = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost", "127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    ca.configure_trust(client)
    return server, client


class Listening(logging.Handler):
    """Keeps what is logged at level warning or above."""

    def __init__(self, lines: list[LogLine]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(LogLine(f"{record.name}: {record.getMessage()}", record.exc_info is not None))


@contextmanager
def listening_to_the_log(lines: list[LogLine]) -> Iterator[None]:
    handler = Listening(lines)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
