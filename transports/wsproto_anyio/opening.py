"""What all clients have in common: a time limit around the way to a connection, and a block around its life."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

from anyio import fail_after
from anyio.abc import TaskGroup

from wsproto_core import connection_failure

from .household import Household
from .peer import StreamPeer, UdpPeer

__all__ = ["Opening"]

_P = TypeVar("_P", bound=StreamPeer[Any] | UdpPeer)


class Opening(Household[_P]):
    """A connection to be."""

    def __init__(self, timeout: float | None, group: TaskGroup | None) -> None:
        super().__init__(group)
        self._timeout = timeout

    @abstractmethod
    async def _open(self, group: TaskGroup) -> _P:
        """Connect."""

    async def _begin(self, group: TaskGroup) -> _P:
        try:
            with fail_after(self._timeout):
                return await self._open(group)
        except OSError as error:
            raise connection_failure(error, self._timeout) from error

    async def _end(self, inmate: _P, error: BaseException | None) -> None:
        await inmate.close(1000 if error is None else 1011)
