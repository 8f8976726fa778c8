"""Signals, and interrupts at the worst moments: a wait goes on, or ends, and the connection is as it was."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any

import pytest

from tests.adapters.kit import TEXT, frame
from tests.adapters.sockets_kit import PATIENCE, drain, eventually, run, tidy, url
from wsproto_sockets import WebSocket, connect, serve
from wsproto_sockets._speedups import IS_COMPILED

__all__ = ["tidy"]

pytestmark = pytest.mark.usefixtures("tidy")


@pytest.fixture
def handling() -> Iterator[Callable[[Any], object]]:
    """Says what SIGUSR1 does."""
    before = signal.getsignal(signal.SIGUSR1)
    yield partial(signal.signal, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def signalling(ws: WebSocket, until: Callable[[], object]) -> None:
    """Send the main thread signals while it waits in ``recv``: one may come just before the system is asked."""
    main = threading.main_thread().ident
    assert main is not None
    eventually(lambda: ws.link._is_reading)

    def sent() -> object:
        signal.pthread_kill(main, signal.SIGUSR1)
        return until()

    eventually(sent)


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocks", "polls"])
def test_a_signal_does_not_end_the_wait(handling: Callable[[Any], object], timeout: float | None) -> None:
    counted: list[int] = []
    handling(lambda number, _: counted.append(number))
    with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        (other,) = server.connections

        def speak() -> None:
            signalling(ws, lambda: len(counted) >= 2)
            other.send("here")

        speaking = run(speak)
        assert ws.recv(timeout) == "here"
        speaking.result(PATIENCE)


@pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocks", "polls"])
def test_an_interrupt_ends_the_wait_and_nothing_else(handling: Callable[[Any], object], timeout: float | None) -> None:
    caught = threading.Event()
    handling(interrupt_unless(caught))
    with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
        (other,) = server.connections
        speaking = run(signalling, ws, caught.is_set)
        with pytest.raises(KeyboardInterrupt):
            ws.recv(timeout)
        caught.set()
        speaking.result(PATIENCE)
        assert not ws.link._is_reading
        other.send("still here")
        assert ws.recv(timeout) == "still here"
        run(ws.send, "and so am I").result(PATIENCE)


def interrupt_unless(caught: threading.Event) -> Callable[[int, object], None]:
    def handler(_: int, __: object) -> None:
        if not caught.is_set():
            caught.set()
            raise KeyboardInterrupt

    return handler


class Interrupting:
    """A lock behind one of whose calls an interrupt comes, as Python lets it: once the call has done its work."""

    def __init__(self, lock: Any, moment: str) -> None:
        self._lock, self._moment = lock, moment

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def acquire(self, blocking: bool = True) -> bool:
        taken: bool = self._lock.acquire(blocking)
        self._interrupt("acquire")
        return taken

    def release(self) -> None:
        self._lock.release()
        self._interrupt("release")

    def _interrupt(self, moment: str) -> None:
        if self._moment == moment and threading.current_thread() is threading.main_thread():
            self._moment = "over"
            raise KeyboardInterrupt


if IS_COMPILED:

    def test_an_interrupt_lets_who_has_waited_have_the_lock_first(handling: Callable[[Any], object]) -> None:
        """And take in what has come, even where others want the lock."""
        handling(interrupt_unless(threading.Event()))
        came: SimpleQueue[bytes] = SimpleQueue()
        with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
            eventually(lambda: ws.link._asleep)
            ws.link.stream.wait = came.get  # type: ignore[union-attr, method-assign]  # C, as the system

            def hold() -> None:
                eventually(lambda: ws.link._is_reading)
                with ws.link.lock:
                    _thread.interrupt_main(signal.SIGUSR1)
                    came.put(frame(TEXT, b"hello", mask=None))
                    eventually(lambda: ws.link._is_wanted)

            holding = run(hold)
            with pytest.raises(KeyboardInterrupt):
                ws.recv(PATIENCE)
            holding.result(PATIENCE)
            run(ws.send, "from another thread").result(PATIENCE)
            assert ws.recv(PATIENCE) == "hello"


if not IS_COMPILED:  # else nothing asks for signals between the lock and the wait

    @pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocks", "polls"])
    @pytest.mark.parametrize("moment", ["release", "acquire"])
    def test_an_interrupt_around_the_wait_keeps_nothing(moment: str, timeout: float | None) -> None:
        """Neither the lock, nor the place of who reads."""
        with serve(drain, "127.0.0.1", 0) as server, connect(url(server)) as ws:
            (other,) = server.connections
            eventually(lambda: ws.link._asleep)
            ws.link.lock = Interrupting(ws.link.lock, moment)  # type: ignore[assignment]  # it has what is asked of it

            def speak() -> None:
                eventually(lambda: ws.link._is_reading)
                other.ping()

            if moment == "acquire":  # which is behind what comes
                run(speak)
            with pytest.raises(KeyboardInterrupt):
                ws.recv(timeout)
            assert not ws.link._is_reading
            run(ws.send, "from another thread").result(PATIENCE)
            other.send("a message")
            assert ws.recv(PATIENCE) == "a message"
