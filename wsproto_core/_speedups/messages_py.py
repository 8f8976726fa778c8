"""The messages of a connection, for ``async for``.

This is the specification of ``messages_c``, which is native, because only there can a message be handed over without
an exception that is made for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Self

    from .._events import Fragment
    from .._types import Message
    from .link_py import WaitersBase

__all__ = ["Messages"]


class Messages:
    """The messages of a connection, for ``async for`` where coroutines yield what they wait for, as those of asyncio
    do. For authors of adapters.

    What ``engine`` has at hand comes first; then, unless it is flowing, what ``peer`` gives, or raises:
    :exc:`StopAsyncIteration` at the end. While there is nothing it yields what ``waiters`` say, and tries again when it
    is resumed. It holds no message and no state, so any number of tasks may share one, and nothing is made for a
    message or a wait.
    """

    __slots__ = ("_engine", "_peer", "_waiters")

    def __init__(self, engine: _Source, peer: _Taker, waiters: WaitersBase) -> None:
        self._engine, self._peer, self._waiters = engine, peer, waiters

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Self:
        return self

    def __await__(self) -> Generator[Any, None, Message]:
        return cast("Generator[Any, None, Message]", self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> object:
        engine = self._engine
        message = engine.message_at_hand()
        if message is None:
            message = None if engine.is_flowing else self._peer.take_next()
            if message is None:
                return self._waiters.place()
        raise StopIteration(message)


class _Source(Protocol):
    def message_at_hand(self) -> Message | Fragment | None: ...
    @property
    def is_flowing(self) -> bool: ...


class _Taker(Protocol):
    def take_next(self) -> Message | Fragment | None: ...
