"""The object that applications hold: one WebSocket connection on asyncio.

Its coroutines are the core's, the same for every runtime. What lives here is what only asyncio has: the transport,
and the :class:`Listener`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from wsproto_core import (
    Accepted,
    AsyncPeer,
    ClientConnection,
    CloseCode,
    Closed,
    Event,
    Fragment,
    ServerConnection,
)

from .link import Link
from .listener import Listener

__all__ = ["WebSocket"]

_logger = logging.getLogger("wsproto_asyncio")


class WebSocket(AsyncPeer):
    """One WebSocket connection. Made by :func:`connect`, :func:`serve` and :func:`reconnect`.

    Any number of tasks may send, receive, ping and close at the same time. Cancelling any of these loses no message and
    breaks nothing. Once the connection has ended they raise :exc:`ConnectionClosedOK` or :exc:`ConnectionClosedError`,
    whose ``report`` explains the end.
    """

    def __init__(
        self,
        engine: ServerConnection | ClientConnection,
        *,
        listener: Listener | None = None,
        watch: Callable[[WebSocket, Event], None] | None = None,
    ) -> None:
        #: The binding to the transport.
        self.link: Link = Link(engine, self._deliver)
        super().__init__(engine, self.link)
        self._listener = listener
        self._watch = watch

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def local_address(self) -> Any:
        """This end, as the socket module writes addresses; ``None`` when there is no transport."""
        return self._extra("sockname")

    @property
    def remote_address(self) -> Any:
        """The other end, as the socket module writes addresses; ``None`` when there is no transport."""
        return self._extra("peername")

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport below, for ``get_extra_info`` and its like. Writing to it breaks the connection."""
        return self.link.transport

    def __repr__(self) -> str:
        return f"<WebSocket {self.state.value} {self.remote_address}>"

    # --- behind -------------------------------------------------------------------------------------------------------

    def _extra(self, name: str) -> Any:
        return None if self.link.transport is None else self.link.transport.get_extra_info(name)

    def start(self, rest: bytes) -> None:
        """Client: begin the handshake over an open transport, behind which ``rest`` came already."""
        assert isinstance(self.engine, ClientConnection), "a client starts it"
        self.engine.connect(now=self.link.now())
        self.link.flush()
        if rest:
            self.link.data_received(rest)

    def opened(self) -> None:
        """The handshake is accepted. Called by whoever accepts it."""
        self._was_open = True
        if self._listener is not None:
            self._tell(self._listener.opened)

    def _deliver(self, events: Sequence[Event]) -> None:
        listener = self._listener
        for event in events if listener is not None else self.engine.gather(events):
            if listener is not None and isinstance(event, str | bytes | Fragment):
                self._tell(listener.received, event)
            else:
                self._react(event)

    def _react(self, event: Event) -> None:
        self.note(event)
        match event:
            case Accepted():
                self.opened()
            case Closed(report) if self._listener is not None and self._was_open:
                self._tell(self._listener.closed, report)
            case _:
                pass
        if self._watch is not None:
            self._watch(self, event)

    def _tell(self, method: Callable[..., None], *arguments: object) -> None:
        try:
            method(self, *arguments)
        except Exception as error:
            self.fail(error, "the listener raised")

    def fail(self, error: Exception, words: str) -> None:
        """``error`` left the application's code: log it and close with 1011, unless all it says is that this connection
        is over.
        """
        if self.is_end(error):
            self.close_nowait()
            return
        _logger.error("%r: %s", self, words, exc_info=error)
        self.close_nowait(CloseCode.INTERNAL_ERROR)
