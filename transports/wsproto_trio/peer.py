"""The object that applications hold: one WebSocket connection on trio.

Its coroutines are the core's, the same for every runtime. What lives here is what only trio has: the stream, and the
rule that everything which may wait is a checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import trio

from wsproto_core import (
    Accepted,
    AsyncPeer,
    Buffer,
    ClientConnection,
    CloseCode,
    Event,
    Fragment,
    Message,
    ServerConnection,
)

from .link import Link

__all__ = ["WebSocket"]

_logger = logging.getLogger("wsproto_trio")


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
        watch: Callable[[WebSocket, Event], None] | None = None,
    ) -> None:
        #: The binding to the stream.
        self.link: Link = Link(engine, self._deliver)
        super().__init__(engine, self.link)
        self._watch = watch

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def local_address(self) -> Any:
        """This end, as the socket module writes addresses; ``None`` when there is no socket."""
        return self.link.local_address

    @property
    def remote_address(self) -> Any:
        """The other end, as the socket module writes addresses; ``None`` when there is no socket."""
        return self.link.remote_address

    @property
    def stream(self) -> trio.abc.Stream | None:
        """The stream below: a ``SocketStream``, or an ``SSLStream`` to ask for its certificate. Using it otherwise
        breaks the connection.
        """
        return self.link.stream

    def __repr__(self) -> str:
        return f"<WebSocket {self.state.value} {self.remote_address}>"

    # --- checkpoints: before anything is taken or queued, so that nothing can be lost ---------------------------------

    async def send(self, message: Message | Buffer, *, compress: bool | None = None, urgent: bool = False) -> None:
        await trio.lowlevel.checkpoint()
        await super().send(message, compress=compress, urgent=urgent)

    async def send_fragment(self, data: Message | Buffer, *, final: bool, compress: bool | None = None) -> None:
        await trio.lowlevel.checkpoint()
        await super().send_fragment(data, final=final, compress=compress)

    async def recv(self) -> Message:
        await trio.lowlevel.checkpoint()
        return await super().recv()

    async def recv_fragment(self) -> Fragment:
        await trio.lowlevel.checkpoint()
        return await super().recv_fragment()

    # --- behind -------------------------------------------------------------------------------------------------------

    def start(self, rest: bytes) -> None:
        """Client: begin the handshake over an open stream, behind which ``rest`` came already."""
        assert isinstance(self.engine, ClientConnection), "a client starts it"
        self.engine.connect(now=self.link.now())
        self.link.flush()
        if rest:
            self.link.received(rest)

    def opened(self) -> None:
        """The handshake is accepted. Called by whoever accepts it."""
        self._was_open = True

    def _deliver(self, events: Sequence[Event]) -> None:
        for event in self.engine.gather(events):
            self.note(event)
            if isinstance(event, Accepted):
                self.opened()
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
