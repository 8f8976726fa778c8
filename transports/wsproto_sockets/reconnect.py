"""Clients that come back."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from time import monotonic
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from wsproto_core import (
    Advice,
    Backoff,
    Buffer,
    CloseCode,
    Comeback,
    Message,
    OutboxLimits,
    PendingMessages,
    Reopening,
    WebSocketError,
)

from .client import prepare
from .peer import WebSocket

__all__ = ["reconnect"]

_DEFAULT_BACKOFF: Final = Backoff()
_DEFAULT_OUTBOX: Final = OutboxLimits()
_NO_ADVICE: Final[Mapping[int, Advice]] = MappingProxyType({})


class reconnect:  # noqa: N801  (it is used like a function, and is iterable and a context manager)
    """Connect, and connect again whenever the connection has ended::

        with reconnect(uri) as connections:
            for ws in connections:
                ...

    The body of the loop is the life of one connection; when it comes to its end, or to ``continue``, the connection is
    closed and the next one made. ``break`` ends the loop, and leaving the block closes what is still open.

    * ``backoff``: how long to wait between attempts, and when to give up.
    * ``advice``: what close codes of the server say about coming back, on top of :data:`CLOSE_CODE_ADVICE`:
      ``{4001: Advice(returns=False)}``. A ``Retry-After`` of a server that refuses is heard in any case.
    * ``retry(error)``: whether a failure, or an end (as :exc:`ConnectionClosed`), is worth another attempt; without it,
      as :func:`is_retryable` and ``advice`` say. What is not is raised.
    * ``opened(ws, reopening)``: a function, called with each new connection and a :class:`Reopening` before the loop
      gets it: the place to subscribe anew. If it raises, the attempt has failed.
    * ``outbox``: what ``connections.send_later(message)`` keeps while there is no connection.
    * ``options``: those of :func:`connect`, which are checked at once.

    The loop belongs to one thread; any other may call :meth:`send_later` and :meth:`close`. Without the block,
    ``for ws in reconnect(uri)`` does the same, but after ``break`` it is the garbage collection that closes the
    connection.
    """

    def __init__(
        self,
        uri: str,
        *,
        backoff: Backoff = _DEFAULT_BACKOFF,
        advice: Mapping[int, Advice] = _NO_ADVICE,
        retry: Callable[[BaseException], bool] | None = None,
        opened: Callable[[WebSocket, Reopening], object] | None = None,
        outbox: OutboxLimits = _DEFAULT_OUTBOX,
        **options: Any,
    ) -> None:
        prepare(uri, **options)  # an option that cannot work is told now, and not by the first attempt
        self._uri = uri
        self._options = options
        self._comeback = Comeback(backoff, advice=advice, retry=retry)
        self._lock = threading.RLock()
        self._pending = PendingMessages[WebSocket](outbox, self._lock)
        self._opened = opened
        self._running: Generator[WebSocket, None, None] | None = None
        self._ws: WebSocket | None = None
        self._pump_thread: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def waiting(self) -> tuple[Message, ...]:
        """The messages of :meth:`send_later` that no connection has taken yet, the oldest first."""
        return self._pending.messages

    def send_later(self, message: Message | Buffer) -> list[Message]:
        """Send ``message`` as soon as there is a connection with room for it, behind those that wait already.

        Never waits. Returns the messages that are given up for want of room, by the policy of :class:`OutboxLimits`:
        mostly none. What a connection has taken is as if it had been sent by ``ws.send()``: it may be lost with it.
        While a message is being sent in parts, those of ``send_later`` wait for the next call, or connection.

        Raises :exc:`LocalProtocolError` for text that is not valid Unicode and :exc:`TypeError` for what is no message.
        """
        given_up = self._pending.put(message)
        self._push()
        return given_up

    def close(self) -> None:
        """End the loop: close the connection that is open, and do not come back. For other threads."""
        self._closed.set()
        if self._ws is not None:
            self._ws.close_nowait()

    def __enter__(self) -> Self:
        self._running = self._lives()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._running is not None, "entered"
        self._running.close()

    def __iter__(self) -> Iterator[WebSocket]:
        return self._running or self._lives()

    def _lives(self) -> Generator[WebSocket, None, None]:
        while not self._closed.is_set():
            try:
                ws = self._open()
            except Exception as error:
                pause = self._comeback.failed(error, random.random())
            else:
                try:
                    yield ws
                finally:
                    self._end(ws)
                pause = self._comeback.ended(ws.wait_closed(), random.random())
            self._closed.wait(pause)

    def _open(self) -> WebSocket:
        self._ws = ws = prepare(self._uri, **self._options).open()
        if self._closed.is_set():
            ws.close_nowait()  # it was not there yet when close() looked for it
        if self._opened is not None:
            try:
                self._opened(ws, Reopening.after(self._comeback, self._pending))
            except BaseException:
                ws.close(CloseCode.INTERNAL_ERROR)
                raise
        self._comeback.opened(monotonic())
        self._pending.attach(ws)
        self._push()
        return ws

    def _end(self, ws: WebSocket) -> None:
        with self._lock:  # no pump is being started
            self._pending.detach()
            pump = self._pump_thread
        ws.close()
        if pump is not None:
            pump.join()

    def _push(self) -> None:
        with self._lock:
            ws = self._pending.push()
            if ws is not None:
                self._pump_thread = threading.Thread(
                    target=self._pump, args=(ws,), name="wsproto_sockets outbox", daemon=True
                )
                self._pump_thread.start()

    def _pump(self, ws: WebSocket) -> None:
        try:
            while (message := self._pending.take()) is not None:
                ws.send(message)
        except WebSocketError:  # the connection is ending: what waits is for the next one
            self._pending.put_back()
