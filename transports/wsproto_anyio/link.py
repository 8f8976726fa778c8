"""The binding: one anyio stream and one engine, and nothing decided.

One reader, one writer, one timer, one ``until``. After every input the output is flushed; only inputs wake waiters,
and every waiter checks its own predicate again. What happens, and when, is the engine's business.

On asyncio, where there is no TLS, what is sent goes to the transport directly: at once where it is the only thing, else
in one piece, when the task that sent it waits, or when the writer has its turn, whichever is first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

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
    to_thread,
)
from anyio.abc import AnyByteStream, SocketStream, TaskGroup
from anyio.lowlevel import checkpoint_if_cancelled
from anyio.streams.tls import TLSStream

from wsproto_core import ByteEngine, CloseCode, Event, Log, Work

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
        engine.offload()
        self.is_lost: bool = False
        #: The close code for the peer when :meth:`run` is cancelled.
        self.goodbye: int = CloseCode.INTERNAL_ERROR
        self._deliver = deliver
        self._outputs, self._readings = Signal(), Signal()
        self._scope = CancelScope()
        # Where work of the engine is done, while bytes are carried.
        self._workshop: TaskGroup | None = None
        self._alarm: CancelScope | None = None
        self._error: BaseException | None = None
        # asyncio's, while the stream is nothing but that and lives.
        self._transport: Any = None
        self._flush_is_due = False
        # Whether more is to be expected behind what is sent now.
        self._is_corked = True
        self._is_sending = False
        self._peer_ended = False
        self._has_ended = False
        self._may_have_last_word = True

    def now(self) -> float:
        """The engine's clock."""
        return current_time()

    async def run(self, stream: AnyByteStream) -> None:
        """Carry bytes until ``stream`` is gone, and close it. Cancelling this says goodbye, and waits for nothing."""
        transport = _transport_below(stream)
        if transport is not None:
            # anyio does so only behind a ``receive`` that had to wait: until then, whatever the peer sends is kept in
            # memory, without bound.
            transport.pause_reading()
        self._transport = transport if isinstance(stream, SocketStream) else None
        try:
            with self._scope:
                async with create_task_group() as group:
                    self._workshop = group
                    group.start_soon(self._write, stream)
                    group.start_soon(self._keep_time)
                    await self._read(stream)
        finally:
            self._transport = self._workshop = None
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
        events = self.engine.receive_data(data, self.now())
        self._is_corked = len(events) != 1
        self._after_input(events)

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
        if self._changed.is_awaited and self.engine.is_flowing:
            self._arm()
            self._readings.wake()
            if self.engine.bytes_queued:
                self._flush_later()  # with what those answer who wake up
        else:
            self.flush()
        self.wake()

    # --- out: what the engine wants -----------------------------------------------------------------------------------

    def flush_soon(self) -> None:
        """Flush at once if nothing more is expected; else when the task that runs waits, or the writer has its turn."""
        if not self._is_corked:
            self._is_corked = True
            self.flush()
        else:
            self._readings.wake()
            self._flush_later()

    def _flush_later(self) -> None:
        if not self._flush_is_due:
            self._flush_is_due = True
            self._outputs.wake()

    def before_waiting(self) -> None:
        if self._flush_is_due:
            self.flush()

    def flush(self) -> None:
        """Write what the transport takes at once, and do with the stream what the engine wants. What else there is to
        say leaves at the writer's next turn.
        """
        self._flush_is_due = False
        engine = self.engine
        if engine.should_abort:
            self._scope.cancel()
        self._arm()
        if self._transport is not None and not self._is_sending and engine.is_flowing:
            self._write_at_once(self._transport)
        if engine.bytes_queued or engine.half_close:
            self._outputs.wake()
        self._readings.wake()
        self._begin_work()

    def _begin_work(self) -> None:
        """Let threads do what would hold up everybody here."""
        while self._workshop is not None and (work := self.engine.next_work()) is not None:
            self._workshop.start_soon(self._do, work)

    async def _do(self, work: Work) -> None:
        await to_thread.run_sync(work, abandon_on_cancel=True)
        self._after_input(self.engine.work_done(work, self.now()))

    def _write_at_once(self, transport: Any) -> None:
        """Give the transport what it should take without waiting: little, and behind nothing."""
        engine = self.engine
        if engine.bytes_queued > _PIECE_SIZE or transport.get_write_buffer_size() or transport.is_closing():
            return
        had_room = engine.can_send
        for buffer in engine.data_to_send():
            transport.write(buffer)
        if not had_room:
            self.wake()

    async def _write(self, stream: AnyByteStream) -> None:
        engine = self.engine
        try:
            while True:
                had_room = engine.can_send
                if self._flush_is_due:
                    self.flush()
                await checkpoint_if_cancelled()  # or send() would begin with one, and what was taken would be lost
                if buffers := engine.data_to_send():
                    if not had_room:
                        self.wake()
                    await self._send(stream, b"".join(buffers))
                elif engine.half_close:
                    break
                else:
                    self._is_corked = False
                    self._begin_work()
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
        self._transport = None
        self._scope.cancel()


def _transport_below(stream: AnyByteStream) -> Any:
    """The transport of asyncio that carries ``stream``; ``None`` if there is none."""
    while isinstance(stream, TLSStream):
        stream = stream.transport_stream
    return getattr(stream, "_transport", None)
