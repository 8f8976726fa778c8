"""The object that applications hold: one WebSocket connection on anyio.

Its coroutines are the core's, the same for every runtime. What lives here is what only anyio has: the stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from anyio import TypedAttributeLookupError
from anyio.abc import AnyByteStream, SocketAttribute, TaskGroup

from wsproto_core import AsyncPeer, ClientConnection, CloseCode, Event, ServerConnection

from .link import Link

__all__ = ["WebSocket"]

_logger = logging.getLogger("wsproto_anyio")


class WebSocket(AsyncPeer):
    """One WebSocket connection. Made by :func:`connect`, :func:`serve` and :func:`reconnect`.

    Any number of tasks may send, receive, ping and close at the same time. Cancelling any of these loses no message and
    breaks nothing. Once the connection has ended they raise :exc:`ConnectionClosedOK` or :exc:`ConnectionClosedError`,
    whose ``report`` explains the end.
    """

    def __init__(
        self,
        engine: ServerConnection | ClientConnection,
        stream: AnyByteStream,
        *,
        watch: Callable[[WebSocket, Event], None] | None = None,
    ) -> None:
        #: The binding to the stream.
        self.link: Link = Link(engine, self._deliver)
        super().__init__(engine, self.link)
        #: This end, as anyio writes addresses: ``(host, port)`` or a path; ``None`` when the stream has none.
        self.local_address: Any = _address(stream, SocketAttribute.local_address)
        #: The other end, written in the same way.
        self.remote_address: Any = _address(stream, SocketAttribute.remote_address)
        self._stream = stream
        self._watch = watch

    @property
    def stream(self) -> AnyByteStream:
        """The stream below, for its ``extra`` and its like. Reading, writing or closing it breaks the connection."""
        return self._stream

    def __repr__(self) -> str:
        return f"<WebSocket {self.state.value} {self.remote_address}>"

    # --- behind -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Be connected, until the stream is gone."""
        await self.link.run(self._stream)

    def start(self, group: TaskGroup, rest: bytes) -> None:
        """Client: begin the handshake over the open stream, behind which ``rest`` came already; live in ``group``."""
        assert isinstance(self.engine, ClientConnection), "a client starts it"
        self.engine.connect(now=self.link.now())
        group.start_soon(self.run, name=f"{self!r}")
        if rest:
            self.link.receive(rest)

    def _deliver(self, events: Sequence[Event]) -> None:
        for event in self.engine.gather(events):
            self.note(event)
            if self._watch is not None:
                self._watch(self, event)

    def fail(self, error: Exception, words: str) -> None:
        """``error`` left the application's code: log it and close with 1011, unless all it says is that this connection
        is over.
        """
        if self.is_end(error):
            self.close_nowait()
            return
        _logger.error("%r: %s", self, words, exc_info=error)
        self.close_nowait(CloseCode.INTERNAL_ERROR)


def _address(stream: AnyByteStream, attribute: Any) -> Any:
    try:
        return stream.extra(attribute)
    except (TypedAttributeLookupError, OSError):  # no socket, or one whose peer has left already
        return None
