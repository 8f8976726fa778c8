"""The bridge of every runtime with coroutines, and the two things that it makes: a client to be, and a server to be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from .._driver.async_peer import AsyncPeer
from .._errors import ServerAlreadyRunning, ServerNotStarted
from .bridge import BridgeBase, Counting

__all__ = ["AsyncBridge", "BridgeClient", "BridgeServer"]

_P = TypeVar("_P", bound=AsyncPeer[Any])
_S = TypeVar("_S", bound=Counting)


class BridgeClient(Generic[_P]):
    """A connection to be: await it, or use it as a context manager, which closes it behind the block; as far as the
    runtime allows both.
    """

    def __init__(
        self,
        opening: Any,
        attempt: Callable[[], AbstractContextManager[None]],
        opened: Callable[[_P], None],
    ) -> None:
        self._opening = opening
        self._attempt = attempt
        self._opened = opened

    def __await__(self) -> Generator[Any, Any, _P]:
        return self._counted(self._opening).__await__()

    async def __aenter__(self) -> _P:
        return await self._counted(self._opening.__aenter__())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opening.__aexit__(kind, error, trace)

    async def _counted(self, opening: Awaitable[_P]) -> _P:
        with self._attempt():
            peer = await opening
        self._opened(peer)
        return peer


class BridgeServer(Generic[_S]):
    """A server to be: await it, use it as a context manager, which closes it behind the block, or start it in a
    nursery; as far as the runtime allows them. Each of these once.

    Raises :exc:`ServerAlreadyRunning` the second time, and :exc:`BindFailed` where it cannot listen.
    """

    def __init__(self, serving: Any, started: Callable[[_S], None]) -> None:
        self._serving = serving
        self._started = started
        self._is_taken = False
        self._server: _S | None = None

    @property
    def server(self) -> _S:
        """The running server. Raises :exc:`ServerNotStarted` before it is."""
        if self._server is None:
            raise ServerNotStarted("the server has not been started: use `async with`")
        return self._server

    def __await__(self) -> Generator[Any, Any, _S]:
        return self._begin(lambda: self._serving).__await__()

    async def __call__(self, *, task_status: Any = None) -> None:
        """Serve until the server is closed: what ``nursery.start`` calls."""
        async with self as server:
            if task_status is not None:
                task_status.started(server)
            running: Any = server
            await running.serve_forever()

    async def __aenter__(self) -> _S:
        return await self._begin(self._serving.__aenter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._serving.__aexit__(kind, error, trace)

    async def _begin(self, start: Callable[[], Awaitable[_S]]) -> _S:
        if self._is_taken:
            raise ServerAlreadyRunning("the server was started before: make another")
        self._is_taken = True
        self._server = await start()
        self._started(self._server)
        return self._server


class AsyncBridge(BridgeBase[_P]):
    """Makes connections of every kind with one configuration, and counts them all."""

    def connect(self, address: str, **options: Any) -> BridgeClient[_P]:
        """A client: ``async with bridge.connect("ws://localhost:8765/") as peer``.

        ``address`` begins with ``ws://``, ``wss://``, ``ws+unix://``, ``tcp://``, ``tls://``, ``unix://`` or
        ``udp://``. ``options`` are those of ``connect``, ``connect_tcp`` or ``connect_udp``, and come before those of
        the bridge. Raises what these raise.
        """
        return BridgeClient(self._connector(address, options), self._attempt, self._opened)

    def serve(self, address: str, handler: Any, **options: Any) -> BridgeServer[Any]:
        """A server: ``async with bridge.serve("tcp://127.0.0.1:0", handler) as server``.

        ``address`` begins as for :meth:`connect`. ``options`` are those of ``serve``, ``serve_tcp`` or ``serve_udp``,
        and come before those of the bridge. Raises what these raise.
        """
        return BridgeServer(self._server(address, handler, options), self._started)

    def pool(self, address: str, **options: Any) -> Any:
        """A pool of WebSocket connections: ``async with bridge.pool("ws://localhost:8765/") as pool``. ``options`` are
        those of ``Pool``. Raises what it raises.
        """
        return self._pool(address, options)

    def reconnect(self, address: str, **options: Any) -> Any:
        """A WebSocket client that comes back: ``async with bridge.reconnect("ws://localhost:8765/") as connections``.
        ``options`` are those of ``reconnect``. Its attempts that fail are not counted. Raises what it raises.
        """
        tell = options.pop("opened", None)

        async def opened(peer: _P, reopening: Any) -> None:
            self._opened(peer)
            if tell is not None:
                await tell(peer, reopening)

        return self._reconnect(address, {"opened": opened, **options})
