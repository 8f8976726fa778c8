"""What all clients have in common: a time limit around the way to a connection, and a block around its life."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Generator
from types import TracebackType
from typing import Any, Generic, TypeVar

import trio

from wsproto_core import connection_failure

from .household import Household
from .peer import StreamPeer, UdpPeer

__all__ = ["Opening", "live"]

_P = TypeVar("_P", bound=StreamPeer[Any] | UdpPeer)


class Opening(ABC, Generic[_P]):
    """A connection to be: use it as a context manager, which closes it behind the block; or await it, with a nursery
    for its tasks to live in.
    """

    def __init__(self, timeout: float | None, nursery: trio.Nursery | None) -> None:
        self._timeout = timeout
        self._nursery = nursery
        self._household = Household()
        self._peer: _P | None = None

    @abstractmethod
    async def _open(self, nursery: trio.Nursery, shield: bool) -> _P:
        """Connect. Tasks live in ``nursery``; with ``shield`` they go on when it is cancelled: see :meth:`Link.run`."""

    def __await__(self) -> Generator[Any, None, _P]:
        if self._nursery is None:
            name = type(self).__name__
            raise TypeError(f"on trio: async with {name}(...) as peer, or await {name}(..., nursery=nursery)")
        return self._connect(self._nursery, shield=False).__await__()

    async def __aenter__(self) -> _P:
        nursery = await self._household.open()
        try:
            self._peer = await (self._connect(self._nursery, shield=False) if self._nursery else self.open_in(nursery))
        except BaseException as error:
            await self._household.close(type(error), error, error.__traceback__)
            raise
        return self._peer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        peer = self._peer
        assert peer is not None, "entered"
        try:
            await peer.close(1000 if kind is None else 1011)
        except trio.Cancelled:
            peer.link.leave()
            if error is None:
                raise
        finally:
            await self._household.close(kind, error, trace)

    async def open_in(self, nursery: trio.Nursery) -> _P:
        """Connect, for a block that has ``nursery`` for itself: only the block ends the connection, by ``close()`` or
        ``link.leave()``, also when it is cancelled.
        """
        return await self._connect(nursery, shield=True)

    async def _connect(self, nursery: trio.Nursery, *, shield: bool) -> _P:
        try:
            with trio.move_on_after(float("inf") if self._timeout is None else self._timeout):
                return await self._open(nursery, shield)
            raise TimeoutError
        except OSError as error:
            raise connection_failure(error, self._timeout) from error


def live(peer: StreamPeer[Any], stream: trio.abc.Stream, nursery: trio.Nursery, *, shield: bool) -> None:
    """Let ``peer`` carry bytes over ``stream``, as a task in ``nursery``."""
    peer.link.take_over(stream)
    nursery.start_soon(functools.partial(peer.link.run, shield=shield))
