"""One message to many connections, on every runtime."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from .._errors import WebSocketError
from .._protocol.sending import PreparedMessage
from .._types import Buffer, Message

__all__ = ["broadcast"]


class _Receiver(Protocol):
    def send_prepared(self, message: PreparedMessage) -> None: ...


_R = TypeVar("_R", bound=_Receiver)


def broadcast(connections: Iterable[_R], message: Message | Buffer) -> list[_R]:
    """Queue ``message`` for every connection that can take it, encoded once; return those that could not.

    A plain function: it never waits, and what one slow or broken peer does is no other's business. What to do with the
    peers returned (their outbox is full, they are closing, or they are in the middle of a message sent in parts) is
    yours to say: skip them, or ``ws.close_nowait(1013)``.

    Raises :exc:`LocalProtocolError` for text that is not valid Unicode and :exc:`TypeError` for anything that is no
    message.
    """
    prepared = PreparedMessage(message)
    missed: list[_R] = []
    for peer in tuple(connections):
        try:
            peer.send_prepared(prepared)
        except WebSocketError:  # nothing is wrong with the message, so it is the connection that cannot take it
            missed.append(peer)
    return missed
