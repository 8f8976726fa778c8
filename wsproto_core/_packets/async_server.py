"""A running server of any kind: what it knows, and how it comes to its end.

:class:`ServerFacts` holds with threads as well; :class:`AsyncServer` is the same for every runtime with coroutines. How
tasks are started, waited for and cancelled is left to adapters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any, Generic, Protocol, TypeVar

from .._driver.async_peer import AsyncPeer
from .._driver.peer import Log
from .._driver.reception import AsyncReception, ProcessRequest
from .._driver.tally import Tally
from .binding import DatagramBinding
from .statistics import DatagramStatistics, ServerStatistics

__all__ = ["AsyncListening", "AsyncServer", "Flag", "Listening", "ServerFacts"]

_A = TypeVar("_A", bound=AsyncPeer[Any])
_L = TypeVar("_L", bound="Listening")
_AL = TypeVar("_AL", bound="AsyncListening")


class Listening(Protocol):
    """Sockets that wait for visitors. For authors of adapters."""

    @property
    def sockets(self) -> Sequence[Any]:
        """Those that are still open."""
        ...


class AsyncListening(Listening, Protocol):
    """The same, on a runtime with coroutines. For authors of adapters."""

    async def stop_accepting(self) -> None:
        """Let nobody else in; who is there may stay. Harmless twice."""
        ...

    async def close(self) -> None:
        """Stop to listen."""
        ...


class Flag(Protocol):
    """An event of the runtime, set once and waited for. For authors of adapters."""

    def set(self) -> object:
        """Let everybody go on who waits."""
        ...

    async def wait(self) -> object:
        """Wait until it is set."""
        ...


class ServerFacts(Generic[_L]):
    """What a server tells of where it listens. For authors of adapters."""

    def __init__(self) -> None:
        #: Where it listens.
        self.listening: list[_L] = []

    @property
    def sockets(self) -> Sequence[Any]:
        """The listening sockets."""
        return [sock for one in self.listening for sock in one.sockets]

    @property
    def port(self) -> int:
        """The port of the first listening socket: the one chosen by the system where 0 was asked for."""
        return int(self.sockets[0].getsockname()[1])

    @property
    def datagram_statistics(self) -> Sequence[ServerStatistics | DatagramStatistics]:
        """UDP: what has been counted at each socket, in the order of :attr:`sockets`; no other server has any."""
        places: Sequence[object] = self.listening
        return [one.statistics for one in places if isinstance(one, DatagramBinding)]


class AsyncServer(ABC, ServerFacts[_AL], Generic[_A, _AL]):
    """A running server, on a runtime with coroutines. For authors of adapters.

    ``is_closed`` is an event of the runtime, ``log`` the operator's; the rest are those of :class:`AsyncReception`.
    """

    def __init__(
        self,
        *,
        handler: Callable[[_A], Awaitable[None]] | None,
        process_request: ProcessRequest[_A] | None = None,
        max_connections: int | None,
        is_closed: Flag,
        log: Log,
    ) -> None:
        super().__init__()
        #: Who gets in.
        self.reception: AsyncReception[_A] = AsyncReception(
            max_connections,
            handler=handler,
            process_request=process_request,
            spawn=self.spawn,
            ending=self.ending,
            log=log,
        )
        self._is_closed = is_closed

    @property
    def connections(self) -> Collection[_A]:
        """The open connections. A live view: copy it before you await."""
        return self.reception.open

    @property
    def tally(self) -> Tally:
        """What its connections have counted so far, those of the past included."""
        return self.reception.counted()

    async def serve_forever(self) -> None:
        """Wait until the server is closed, or this is cancelled."""
        await self._is_closed.wait()

    async def stop_accepting(self) -> None:
        """Close the listening sockets, and keep the connections: those that are open or on the way to it. Harmless
        twice.

        What waits in such a socket is lost, unless another process has the socket as well.
        """
        for one in self.listening:
            await one.stop_accepting()

    async def close(self, code: int = 1001, reason: str = "", *, grace_period: float = 10.0) -> None:
        """Stop: no new connections, ``code`` to every open one, and after ``grace_period`` seconds an abrupt end.

        Handlers get to finish within the grace period and are cancelled then. So do opening handshakes that have begun:
        they are answered with 503. Returns when nothing runs any more.
        """
        for ws in tuple(self.reception.open):
            ws.close_nowait(code, reason)  # raises before anything has happened, if at all
        self.reception.begin_closing()
        await self.stop_accepting()
        for one in self.listening:
            await one.close()
        for seconds, overdue in self.reception.last_calls(grace_period):
            await self.finish(seconds)
            for ws in overdue():
                self.drop(ws)
        self.cancel_tasks()
        await self.finish(None)
        self._is_closed.set()

    # --- what only a runtime has --------------------------------------------------------------------------------------

    @abstractmethod
    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> object:
        """Run ``work``, up to the server's end at the latest. The last that it does is to call :meth:`ending`."""

    def ending(self) -> None:
        """Where the runtime does not keep books of its tasks: the one that calls this is about to end."""

    @abstractmethod
    async def finish(self, timeout: float | None) -> None:
        """Wait for connections and tasks, but for one that closes the server itself; for ``timeout`` seconds at the
        most.
        """

    @abstractmethod
    def drop(self, peer: _A) -> None:
        """End the connection of ``peer`` at once."""

    @abstractmethod
    def cancel_tasks(self) -> None:
        """Cancel what ``spawn`` has started, but for a handler that closes the server itself."""
