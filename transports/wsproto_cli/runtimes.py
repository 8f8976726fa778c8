"""The runtimes that ``wsproto echo`` runs on: a table, and the life of a server from its first moment to a signal.

trio and anyio have ``run`` and ``open_signal_receiver`` under these names; for asyncio they are made here.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import signal
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from socket import socket, socketpair
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from .echoing import Echo, Log, serve_options
from .status import tell_in_one_line

__all__ = [
    "GRACE_PERIOD",
    "RUNTIMES",
    "STOP_SIGNALS",
    "Life",
    "Runtime",
    "blocking_signal_receiver",
    "open_signal_receiver",
    "serve",
]

#: Seconds that connections and handlers have to end in, once a signal has come.
GRACE_PERIOD: Final = 3.0
#: What makes a server close.
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

#: As long as the context lasts, signals do not end the process but come out of the iterator.
_SignalReceiver: TypeAlias = Callable[..., AbstractContextManager[AsyncIterator[Any]]]


@dataclass(frozen=True, slots=True)
class Life:
    """Whom to tell of the two turning points of a server: it listens, and it begins to close."""

    listening: Callable[[], None]
    closing: Callable[[], None]
    #: Signals at which it lets nobody else in, and begins to close when everybody is gone.
    drain_signals: Sequence[int] = ()

    @property
    def signals(self) -> Sequence[int]:
        """All that it waits for."""
        return (*STOP_SIGNALS, *self.drain_signals)


@dataclass(frozen=True, slots=True)
class _Server:
    """What is to be run: an adapter's ``serve()``, with its arguments."""

    serve: Callable[..., Any]
    echo: Echo
    arguments: Mapping[str, Any]
    life: Life
    uvloop: bool


@dataclass(frozen=True, slots=True)
class Runtime:
    """One runtime: the adapter for it, what has to be installed, if anything, and how to run a server there."""

    adapter: str
    requires: str | None
    run: Callable[[_Server], None]


def serve(options: argparse.Namespace, sockets: Sequence[socket], log: Log | None, life: Life) -> None:
    """Serve on ``sockets`` until SIGINT or SIGTERM, then close every connection with 1001. A second signal does what it
    does to any process. Raises :exc:`UsageError`.
    """
    runtime = RUNTIMES[options.runtime]
    echo = Echo(log)
    arguments = serve_options(options, sockets, echo)
    runtime.run(_Server(import_module(runtime.adapter).serve, echo, arguments, life, options.uvloop))


async def _live(server: _Server, receive_signals: _SignalReceiver) -> None:
    async with server.serve(server.echo.handle, **server.arguments) as running:
        with receive_signals(*server.life.signals) as signals:
            server.life.listening()
            while await anext(signals) not in STOP_SIGNALS:
                await running.stop_accepting()
                server.echo.when_empty(_stop)
        server.life.closing()
        await running.close(grace_period=GRACE_PERIOD)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


# --- asyncio ------------------------------------------------------------------------------------------------------


def _run_asyncio(server: _Server) -> None:
    factory = import_module("uvloop").new_event_loop if server.uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(tell_in_one_line)
        runner.run(_live(server, open_signal_receiver))


@contextmanager
def open_signal_receiver(*numbers: int) -> Generator[AsyncIterator[int], None, None]:
    """What trio and anyio have under this name, for asyncio."""
    arrivals: asyncio.Queue[int] = asyncio.Queue()
    with ExitStack() as handlers:
        for number in numbers:
            handlers.callback(_handle(number, functools.partial(arrivals.put_nowait, number)))
        yield _each(arrivals)


def _handle(number: int, act: Callable[[], None]) -> Callable[[], object]:
    """Let the event loop call ``act`` for each such signal; return what undoes that."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(number, act)
    except NotImplementedError:  # Windows
        return _handle_natively(number, functools.partial(loop.call_soon_threadsafe, act))
    return functools.partial(loop.remove_signal_handler, number)


def _handle_natively(number: int, act: Callable[[], object]) -> Callable[[], object]:
    """The same without a loop. ``act`` runs between any two steps of the main thread."""

    def handler(*_: object) -> None:
        act()

    return functools.partial(signal.signal, number, signal.signal(number, handler))


async def _each(arrivals: asyncio.Queue[int]) -> AsyncIterator[int]:
    while True:
        yield await arrivals.get()


# --- trio and anyio -----------------------------------------------------------------------------------------------


def _run_library(name: str, server: _Server) -> None:
    library = import_module(name)
    library.run(_live, server, library.open_signal_receiver)


# --- threads ------------------------------------------------------------------------------------------------------


def _run_threads(server: _Server) -> None:
    with server.serve(server.echo.handle_in_thread, **server.arguments) as running:
        with blocking_signal_receiver(server.life.signals) as arrivals:
            server.life.listening()
            while next(arrivals) not in STOP_SIGNALS:
                running.stop_accepting()
                server.echo.when_empty(_stop)
        server.life.closing()
        running.close(grace_period=GRACE_PERIOD)


@contextmanager
def blocking_signal_receiver(numbers: Sequence[int]) -> Generator[Iterator[int], None, None]:
    """Signals as they come. The interpreter writes them into a socket at once: a handler in Python, which runs between
    two steps of the main thread, comes too late where that thread has taken its last step before it waits.
    """
    arrivals, entrance = socketpair()
    entrance.setblocking(False)
    with arrivals, entrance, ExitStack() as handlers:
        handlers.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(entrance.fileno()))
        for number in numbers:
            handlers.callback(_handle_natively(number, _nothing))
        yield _received(arrivals, numbers)


def _received(arrivals: socket, numbers: Sequence[int]) -> Iterator[int]:
    while True:
        (number,) = arrivals.recv(1)
        if number in numbers:  # others may have handlers of their own
            yield number


def _nothing() -> None:
    """It is written into the socket."""


# --- the table ----------------------------------------------------------------------------------------------------

RUNTIMES: Final[Mapping[str, Runtime]] = MappingProxyType(
    {
        "asyncio": Runtime("wsproto_asyncio", None, _run_asyncio),
        "trio": Runtime("wsproto_trio", "trio", functools.partial(_run_library, "trio")),
        "anyio": Runtime("wsproto_anyio", "anyio", functools.partial(_run_library, "anyio")),
        "threads": Runtime("wsproto_sockets", None, _run_threads),
    }
)
