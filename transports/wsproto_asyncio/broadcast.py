"""One message to many connections."""

from __future__ import annotations

from collections.abc import Iterable

from wsproto_core import Buffer, Message, PreparedMessage, WebSocketError

from .peer import WebSocket

__all__ = ["broadcast"]


def broadcast(connections: Iterable[WebSocket], message: Message | Buffer) -> list[WebSocket]:
    """Queue ``message`` for every connection that can take it, encoded once; return those that could not.

    A plain function: it never waits, and what one slow or broken peer does is no other's business. What to do with
    the peers returned (their outbox is full, they are closing, or they are in the middle of a message sent in parts)
    is yours to say: skip them, or ``ws.close_nowait(1013)``.

    Raises :exc:`LocalProtocolError` for text that is not valid Unicode and :exc:`TypeError` for anything that is no
    message.
    """
    prepared = PreparedMessage(message)
    slow: list[WebSocket] = []
    for ws in tuple(connections):
        try:
            ws.send_prepared(prepared)
        except WebSocketError:  # nothing is wrong with the message, so it is the connection that cannot take it
            slow.append(ws)
    return slow
