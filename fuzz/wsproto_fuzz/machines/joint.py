"""Two engines, and the bytes between them, which move only when a machine moves them: so many, in that direction.

A :class:`wsproto_core.testing.Wire` moves everything by itself as time passes. Here, who reads how much and when is an
operation like any other, to be drawn and to be shrunk.
"""

from __future__ import annotations

from typing import Any, Final

from wsproto_core import ByteEngine, Message, WebSocketEngine
from wsproto_core.testing import BrokenContract, Contract, Endpoint

__all__ = ["Joint", "Station", "send_part"]

#: More rounds than this without rest are an endless loop.
_ENDLESS: Final = 10_000


class Station(Endpoint[Any]):
    """One engine and its end of the transport. Push style: what was received is in ``messages``."""

    def __init__(self, engine: ByteEngine) -> None:
        super().__init__(engine)
        #: What it has written, and the other side has not read.
        self.written: bytearray = bytearray()
        #: Whether its writing side has ended, and whether its transport is gone altogether.
        self.is_shut: bool = False
        self.is_lost: bool = False
        #: Whether it was told that the other side has ended.
        self.has_heard_end: bool = False
        self._promises = Contract(engine)

    def flush(self, now: float) -> None:
        """Write all that there is."""
        while not self.is_lost and (buffers := self.engine.data_to_send()):
            data = b"".join(buffers)
            if not data:
                raise BrokenContract("data_to_send() gives buffers that hold nothing")
            if not self.is_shut:
                self.written += data
            self.engine.transmitted(len(data), now)

    def lose(self, error: BaseException | None, now: float) -> None:
        """Its transport is gone."""
        if self.is_lost:
            return
        self.is_lost = self.is_shut = True
        self.deliver(self.engine.transport_lost(error, now), now)
        self._promises.check_silence(self.engine.data_to_send(), now)

    def check_deadline(self, now: float) -> None:
        """Hold the engine to having done what was due."""
        self._promises.check_deadline(now)


class Joint:
    """Two stations, 0 and 1, and the time of both. Raises :exc:`BrokenContract` when an engine breaks its contract."""

    def __init__(self, first: ByteEngine, second: ByteEngine, now: float) -> None:
        self.stations: Final[tuple[Station, Station]] = (Station(first), Station(second))
        #: Monotonic seconds.
        self.now: float = now

    def read(self, index: int, size: int | None = None) -> bool:
        """Let one side read at most ``size`` bytes, or the end behind the last; tell whether there was anything."""
        reader, writer = self.stations[index], self.stations[1 - index]
        self._flush()
        if reader.is_lost or not reader.engine.wants_read:
            return False
        if writer.written:
            data = bytes(writer.written[:size])
            del writer.written[:size]
            reader.deliver(reader.engine.receive_data(data, self.now), self.now)
        elif writer.is_shut and not reader.has_heard_end:
            reader.has_heard_end = True
            reader.deliver(reader.engine.receive_eof(self.now), self.now)
        else:
            return False
        self._flush()
        return True

    def end(self, index: int) -> None:
        """One side's writing side ends, whatever its engine thinks of it."""
        self._flush()
        self.stations[index].is_shut = True

    def lose(self, index: int, error: BaseException | None = None) -> None:
        """One side's transport is gone, for it alone: the other reads what is on its way, and then the end."""
        self._flush()
        self.stations[index].lose(error, self.now)

    def settle(self) -> None:
        """Let everything happen that happens without time passing."""
        for _ in range(_ENDLESS):
            moved = [self.read(index) for index in (0, 1)]
            if not any(moved) and not self._fire():
                return
        raise BrokenContract(f"at {self.now}: it never comes to rest")

    def pass_time(self) -> bool:
        """Let time pass until the next deadline, and it happen; tell whether there is one."""
        deadline = self._next_deadline()
        if deadline is None:
            return False
        self.now = max(self.now, deadline)
        self._fire()
        return True

    def finish(self) -> None:
        """Let time pass until both transports are gone. Raises :exc:`BrokenContract` if that never happens."""
        for _ in range(_ENDLESS):
            self.settle()
            if all(station.is_lost for station in self.stations):
                return
            if not self.pass_time():
                raise BrokenContract(f"at {self.now}: nothing is awaited, and it is not over")
        raise BrokenContract(f"at {self.now}: it never ends")

    def _next_deadline(self) -> float | None:
        deadlines = [station.engine.next_deadline() for station in self.stations if not station.is_lost]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _fire(self) -> bool:
        """Tell the engines the time, if that is what they wait for."""
        acted = False
        for station in self.stations:
            deadline = station.engine.next_deadline()
            if station.is_lost or deadline is None or deadline > self.now:
                continue
            acted = True
            events = station.engine.handle_timeout(self.now)
            if not events:
                station.check_deadline(self.now)
            station.deliver(events, self.now)
        self._flush()
        return acted

    def _flush(self) -> None:
        for station in self.stations:
            station.flush(self.now)
            engine = station.engine
            if engine.half_close:
                station.is_shut = True
            if engine.should_abort or (station.is_shut and station.has_heard_end and not station.written):
                station.lose(None, self.now)


def send_part(engine: WebSocketEngine, parts: list[Message], message: Message, *, final: bool) -> Message | None:
    """Send ``message`` behind the ``parts`` of one, or nothing where it is of the other type; the whole at the end.

    ``parts`` are those sent so far, and empty again behind the last one.
    """
    if parts and type(message) is not type(parts[0]):
        message = type(parts[0])()
    engine.send_fragment(message, final=final)
    parts.append(message)
    if not final:
        return None
    empty: Any = type(message)()
    whole: Message = empty.join(parts)
    parts.clear()
    return whole
