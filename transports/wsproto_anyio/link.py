"""The binding: one anyio stream and one engine, and nothing decided.

One reader, one writer, one timer, one ``until``. After every input the output is flushed; only inputs wake waiters,
and every waiter checks its own predicate again. What happens, and when, is the engine's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from anyio import (
    BrokenResourceError,
    BusyResourceError,
    CancelScope,
    ClosedResourceError,
    EndOfStream,
    aclose_forcefully,
    create_task_group,
    current_time,
    move_on_after,
    sleep,
    sleep_forever,
)
from anyio.abc import AnyByteStream
from anyio.lowlevel import checkpoint_if_cancelled
from anyio.streams.tls import TLSStream

from wsproto_core import ByteEngine, CloseCode, Event, Log

from .waiting import Signal, Waiters

__all__ = ["LOST", "Link"]

#: What is written at once: after each piece the engine learns that the peer reads, however slowly.
_PIECE_SIZE: Final = 128 * 1024
#: Seconds that a last word may take, this side's or the peer's, when the connection is lost or dropped.
_LAST_WORD_TIME: Final = 0.1

#: What a stream raises when it cannot go on; TLS adds ``ssl.SSLError``, an :exc:`OSError`.
LOST: Final[tuple[type[Exception], ...]] = (
    BrokenResourceError,
    ClosedResourceError,
    BusyResourceError,
    EndOfStream,
    OSError,
)


class Link(Waiters):
    """Carries bytes between a stream and ``engine``, and hands every batch of events to ``deliver``."""

    #: Where an operator is told what went wrong.
    log: ClassVar[Log] = logging.getLogger("wsproto_anyio")

    def __init__(self, engine: ByteEngine, deliver: Callable[[Sequence[Event]], None]) -> None:
        super().__init__()
        self.engine = engine
        self.is_lost: bool = False
        #: The close code for the peer when :meth:`run` is cancelled.
        self.goodbye: int = CloseCode.INTERNAL_ERROR
        self._deliver = deliver
        self._outputs, self._readings = Signal(), Signal()
        self._scope = CancelScope()
        self._alarm: CancelScope | None = None
        self._error: BaseException | None = None
        self._is_sending = False
        self._peer_ended = False
        self._has_ended = False
        self._may_have_last_word = True

    def now(self) -> float:
        """The engine's clock."""
        return current_time()

    async def run(self, stream: AnyByteStream) -> None:
        """Carry bytes until ``stream`` is gone, and close it. Cancelling this says goodbye, and waits for nothing."""
        _pause_reading(stream)
        try:
            with self._scope:
                async with create_task_group() as group:
                    group.start_soon(self._write, stream)
                    group.start_soon(self._keep_time)
                    await self._read(stream)
        finally:
            with CancelScope(shield=True):
                await self._leave(stream)
            self.is_lost = True
            self._after_input(self.engine.transport_lost(self._error, self.now()))

    async def _leave(self, stream: AnyByteStream) -> None:
        if not self._scope.cancel_called:  # so it is cancelled from outside
            self.engine.close(self.goodbye, now=self.now())
        try:
            # Behind half a frame nothing can follow.
            if self._may_have_last_word and not self._is_sending and (last := b"".join(self.engine.data_to_send())):
                with move_on_after(_LAST_WORD_TIME):
                    await stream.send(last)
        except LOST as error:
            self._error = self._error or error
        try:
            await aclose_forcefully(stream)
        except LOST as error:
            self._error = self._error or error

    # --- in: what the stream tells ------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take bytes that came from the stream."""
        self._after_input(self.engine.receive_data(data, self.now()))

    async def _read(self, stream: AnyByteStream) -> None:
        try:
            while True:
                while not self.engine.wants_read:
                    self._arm()  # the application may have made room for what waits to be expanded
                    await self._readings.wait()
                self.receive(await stream.receive())
        except EndOfStream:
            self._peer_ended = True
            self._after_input(self.engine.receive_eof(self.now()))
            if self._has_ended:
                self._scope.cancel()
        except LOST as error:
            self._error = error.__cause__ or error
            self._scope.cancel()

    async def _keep_time(self) -> None:
        """Tell the engine that a deadline has come, or earlier: most of them move later, and then it looks again."""
        while True:
            with CancelScope() as self._alarm:
                self._arm()
                await sleep_forever()
            self._after_input(self.engine.handle_timeout(self.now()))

    def _arm(self) -> None:
        deadline = self.engine.next_deadline()
        if self._alarm is not None and deadline is not None and deadline < self._alarm.deadline:
            self._alarm.deadline = deadline

    def _after_input(self, events: Sequence[Event]) -> None:
        if events:
            self._deliver(events)
        self.flush()
        self.wake()

    # --- out: what the engine wants -----------------------------------------------------------------------------------

    def flush_soon(self) -> None:
        """Let the writer and the reader look at the engine, at their next turn: what is sent until then leaves in one
        write.
        """
        self._outputs.wake()
        self._readings.wake()

    def flush(self) -> None:
        """Do with the stream what the engine wants; what it has to say leaves at the writer's next turn."""
        engine = self.engine
        if engine.should_abort:
            self._scope.cancel()
        self._arm()
        if engine.bytes_queued or engine.half_close:
            self._outputs.wake()
        self._readings.wake()

    async def _write(self, stream: AnyByteStream) -> None:
        engine = self.engine
        try:
            while True:
                had_room = engine.can_send
                await checkpoint_if_cancelled()  # or send() would begin with one, and what was taken would be lost
                if buffers := engine.data_to_send():
                    if not had_room:
                        self.wake()
                    await self._send(stream, b"".join(buffers))
                elif engine.half_close:
                    break
                else:
                    await self._outputs.wait()
            self._has_ended = True
            await self._end(stream)
        except LOST as error:
            self._error = error.__cause__ or error
            if engine.wants_read:
                await sleep(_LAST_WORD_TIME)  # what the peer said before it left may still be there to read
            self._scope.cancel()

    async def _send(self, stream: AnyByteStream, data: bytes) -> None:
        self._is_sending = True
        for start in range(0, len(data), _PIECE_SIZE):
            piece = data[start : start + _PIECE_SIZE]
            await stream.send(piece)
            self.engine.transmitted(len(piece), self.now())
        self._is_sending = False

    async def _end(self, stream: AnyByteStream) -> None:
        """Everything has been said: end the write side, or both if the peer has ended or there is no half."""
        if not self._peer_ended:
            # TLS knows no half, but what carries it does. Closing with unread bytes would reset the connection.
            while isinstance(stream, TLSStream):
                stream = stream.transport_stream
            try:
                await stream.send_eof()
            except (AttributeError, RuntimeError):  # it cannot, or (uvloop's words) it is gone already
                pass
            else:
                return
        self._scope.cancel()

    # --- waiting ------------------------------------------------------------------------------------------------------

    async def until_lost(self) -> None:
        """Wait until the stream is gone. The engine's closing timer sees to it that it goes."""
        await self.until(lambda: self.is_lost or None)

    def abort(self) -> None:
        """Drop the stream at once."""
        self._may_have_last_word = False
        self._scope.cancel()


def _pause_reading(stream: AnyByteStream) -> None:
    """Stop what is read ahead. On asyncio, anyio does so only behind a ``receive`` that had to wait: until then,
    whatever the peer sends is kept in memory, without bound.
    """
    while isinstance(stream, TLSStream):
        stream = stream.transport_stream
    transport = getattr(stream, "_transport", None)
    if transport is not None:
        transport.pause_reading()
