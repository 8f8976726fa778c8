"""What all clients have in common: a time limit around the way to a connection, and a block around its life."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Generator
from types import TracebackType
from typing import Any, Generic, TypeVar

from wsproto_core import AsyncPeer, connection_failure

__all__ = ["Opening"]

_P = TypeVar("_P", bound=AsyncPeer[Any])


class Opening(ABC, Generic[_P]):
    """A connection to be: await it, or use it as a context manager, which closes it behind the block."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._peer: _P | None = None

    @abstractmethod
    async def _open(self) -> _P:
        """Connect."""

    def __await__(self) -> Generator[Any, None, _P]:
        return self._connect().__await__()

    async def __aenter__(self) -> _P:
        self._peer = await self._connect()
        return self._peer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._peer is not None, "entered"
        await self._peer.close(1000 if kind is None else 1011)

    async def _connect(self) -> _P:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._open()
        except OSError as error:
            raise connection_failure(error, self._timeout) from error
