"""What the author of an adapter supplies to the adapter kit, and nothing else: one :class:`AdapterStage`.

A case plays on a stage. It knows no event loop and no socket; the stage knows how the adapter under test connects and
serves, how to reach it with bare bytes, and how the runtime waits, starts things and stops them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, unique
from itertools import chain, repeat
from typing import Any, Final, ParamSpec, Protocol, TypeVar

from .._driver.async_peer import Peer
from .._events import Fragment, Request
from .._protocol.sending import PreparedMessage
from .._types import Buffer, Message

__all__ = [
    "Ability",
    "AdapterStage",
    "LogLine",
    "RawStream",
    "StageEvent",
    "StagePeer",
    "StageServer",
    "StageTask",
    "TaskCancelled",
]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

#: How ``until`` waits between two looks: not at all at first, then for some milliseconds.
_EAGER_LOOKS: Final = 20
_PAUSE: Final = 0.002


@unique
class Ability(Enum):
    """What not every runtime can do. A case that needs more than its stage has is skipped."""

    #: ``StageTask.cancel`` and ``move_on_after`` stop whatever waits.
    CANCEL = "cancel"
    #: Time jumps to the next timer as soon as nobody has anything to do.
    VIRTUAL_CLOCK = "a virtual clock"
    #: ``server_tls`` and ``client_tls`` are there.
    TLS = "TLS"
    #: The adapter ends one direction of a connection and goes on in the other.
    HALF_CLOSE = "half-close"
    #: The adapter lets threads do the engine's work, and ``hold_workers`` keeps them from it.
    WORKERS = "workers"


class TaskCancelled(Exception):
    """The task whose outcome was asked for has been cancelled."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the adapter's log, of level warning or above."""

    text: str
    has_traceback: bool


class RawStream(Protocol):
    """A connection without any WebSocket behind it, on which a case plays the far end."""

    async def send(self, data: bytes) -> None:
        """Send all of ``data``. Raises :exc:`OSError` if the connection is broken."""
        ...

    async def receive(self) -> bytes:
        """What has come, at least one byte; ``b""`` for the end. Raises :exc:`OSError` if the connection is broken."""
        ...

    def end(self) -> None:
        """End the write side, as a TCP FIN does; over TLS without a close_notify."""
        ...

    def reset(self) -> None:
        """Break the connection, as a TCP RST does."""
        ...

    def close(self) -> None:
        """Drop it. Harmless after :meth:`reset`, and twice."""
        ...


class StageEvent(Protocol):
    """A flag that tasks wait for."""

    def set(self) -> object:
        """Let everybody go on, now and later."""
        ...

    async def wait(self) -> object:
        """Wait until it is set."""
        ...


class StageTask(Protocol[_T_co]):
    """Something that runs beside the case."""

    @property
    def is_done(self) -> bool:
        """Whether it has come to its end, of whatever kind."""
        ...

    def cancel(self) -> None:
        """Stop it where it waits. Only with :attr:`Ability.CANCEL`."""
        ...

    async def outcome(self) -> _T_co:
        """Wait for its end and return what it returned. Raises what it raised, or :exc:`TaskCancelled`."""
        ...


class StagePeer(Peer, Protocol):
    """A connection object of the adapter under test: what each name means stands in :class:`AsyncWebSocket`."""

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol agreed on."""
        ...

    @property
    def extensions(self) -> tuple[str, ...]:
        """The names of the extensions in use."""
        ...

    @property
    def request(self) -> Request | None:
        """Server: the opening handshake."""
        ...

    async def send(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Send a message; wait for room."""
        ...

    def send_nowait(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        """Queue a message, or raise :exc:`OutboxFull`."""
        ...

    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that was encoded once for many."""
        ...

    async def send_fragment(self, data: Message | Buffer, *, final: bool, compress: bool | None = None) -> None:
        """Send the next part of a message; wait for room."""
        ...

    async def recv_fragment(self) -> Fragment:
        """The next part of a message."""
        ...


class StageServer(Protocol):
    """A running server of the adapter under test."""

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        ...

    @property
    def connections(self) -> Collection[StagePeer]:
        """The open connections."""
        ...

    async def serve_forever(self) -> object:
        """Wait until it is closed."""
        ...

    async def close(self, code: int = 1001, reason: str = "", *, grace_period: float = 10.0) -> None:
        """Stop, as :meth:`wsproto_asyncio.Server.close` does."""
        ...


class AdapterStage(ABC):
    """One runtime with the adapter under test. Make a new one for every case."""

    #: What the runtime can do.
    abilities: frozenset[Ability] = frozenset()
    #: How long a second of a case takes. On a virtual clock 1.0; elsewhere as little as the runtime can tell apart.
    second: float = 1.0
    #: ``SSLContext`` of a server for ``127.0.0.1``, and of a client that trusts it.
    server_tls: Any = None
    client_tls: Any = None

    # --- the adapter under test ---------------------------------------------------------------------------------------

    @abstractmethod
    def connect(self, uri: str, **options: Any) -> AbstractAsyncContextManager[StagePeer]:
        """The adapter's ``connect``: raises what it raises, and closes the connection behind the block as it does."""

    @abstractmethod
    def serve(
        self, handler: Callable[[Any], Coroutine[Any, Any, None]], **options: Any
    ) -> AbstractAsyncContextManager[StageServer]:
        """The adapter's ``serve``, on 127.0.0.1 and a free port. ``process_request`` may be a coroutine function."""

    @abstractmethod
    def logged(self) -> Sequence[LogLine]:
        """What the adapter has logged so far, at level warning or above."""

    # --- far ends without an adapter ----------------------------------------------------------------------------------

    @abstractmethod
    async def dial(self, port: int, *, tls: Any = None) -> RawStream:
        """Connect to ``port`` of 127.0.0.1, by TLS if there is a context, with a small receive buffer."""

    @abstractmethod
    def listen(
        self, behave: Callable[[RawStream], Coroutine[Any, Any, None]], *, tls: Any = None
    ) -> AbstractAsyncContextManager[int]:
        """Listen on a free port of 127.0.0.1, which is what the block gets. ``behave`` plays each connection, in a task
        of its own, and is over when the block is left.
        """

    # --- the runtime --------------------------------------------------------------------------------------------------

    @abstractmethod
    def now(self) -> float:
        """The clock of the engines, in seconds."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Let others run, and time pass."""

    @abstractmethod
    def event(self) -> StageEvent:
        """A new flag."""

    @abstractmethod
    def spawn(self, work: Callable[_P, Coroutine[Any, Any, _T]], *args: _P.args, **kwargs: _P.kwargs) -> StageTask[_T]:
        """Run ``work`` beside the case. It does not outlive the case."""

    @abstractmethod
    async def move_on_after(self, seconds: float, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T | None:
        """What ``work`` returns, or ``None`` if it was cancelled for taking longer than ``seconds``. Only with
        :attr:`Ability.CANCEL`.
        """

    def hold_workers(self) -> AbstractAsyncContextManager[object]:
        """Until the end of the block, no thread has time for the engine's work. Only with :attr:`Ability.WORKERS`."""
        raise NotImplementedError("who claims Ability.WORKERS says how to hold them")

    async def recv_within(self, ws: StagePeer, seconds: float) -> Message | None:
        """The next message, or ``None`` if none comes in time. A runtime that cannot cancel has its own way."""
        return await self.move_on_after(seconds, ws.recv)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until ``condition`` holds. Whoever runs the case bounds its time."""
        for pause in chain(repeat(0.0, _EAGER_LOOKS), repeat(_PAUSE)):  # pragma: no branch  (the second has no end)
            if condition():
                return
            await self.sleep(pause)
