"""The target of everything at once: a client and a server, and an input that says who does what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from wsproto_core import ClientConnection, Limits, Message, PerMessageDeflate, Receive, ServerConnection, Timeouts

from ..machines.joint import Joint, Station
from .choices import Choices

__all__ = ["conversation"]

_START: Final = 1000.0
_LIMITS: Final = Limits(outbox_size=2000, inbox_size=4000, message_size=5000)
_ONE_MORE: Final = 6000
_TIMEOUTS: Final = Timeouts(
    opening_timeout=20.0, ping_interval=3.0, pong_timeout=5.0, idle_timeout=30.0, closing_timeout=15.0
)
_MOST_STEPS: Final = 200
_MESSAGES: Final[tuple[Message, ...]] = ("", b"", "é€😀", "a" * 126, b"a" * 300, "x" * 3000)
_CODES: Final = (1000, 1005, 4999)


def conversation(data: bytes) -> object:
    """A client and a server do what ``data`` says, on a transport that may lose or forge. Whatever happens, both keep
    their contracts, their queues stay bounded, what arrives is what was sent unless bytes were forged, and it ends.
    """
    choices = Choices(data)
    play = _Play(choices)
    for _ in range(_MOST_STEPS):
        if not choices.has_more:
            break
        choices.choose(_STEPS)(play, choices.byte() % 2)
        play.check()
    return play.end()


class _Play:
    """Two engines, and what was said."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        options: dict[str, Any] = {
            "extensions": choices.choose(([], [PerMessageDeflate(threshold=0)])),
            "fragment_size": choices.choose((100_000, 300, 1)),
            "receive": Receive.MESSAGES,
            "limits": _LIMITS,
            "timeouts": _TIMEOUTS,
            "now": _START,
        }
        client = ClientConnection("ws://example.com/", entropy=bytes, **options)
        client.connect()
        self.joint = Joint(client, ServerConnection(**options), _START)
        self.sent: tuple[list[Message], list[Message]] = ([], [])
        self.parts: tuple[list[str], list[str]] = ([], [])
        self.is_forged = False

    def station(self, index: int) -> Station:
        """One side."""
        return self.joint.stations[index]

    def check(self) -> None:
        """What holds after every step."""
        for index, station in enumerate(self.joint.stations):
            assert station.engine.bytes_queued <= _LIMITS.outbox_size + _ONE_MORE
            if not self.is_forged:
                arrived = station.messages
                assert arrived == self.sent[1 - index][: len(arrived)]

    def end(self) -> object:
        """Let everything arrive, and close."""
        self.joint.settle()
        for station in self.joint.stations:
            station.engine.close(now=self.joint.now)
        self.joint.finish()
        self.check()
        return [
            (report.initiator, report.code, report.timer, report.violation, report.received_code, report.sent_code)
            for report in (station.report for station in self.joint.stations)
        ]

    # --- steps --------------------------------------------------------------------------------------------------------

    def send(self, index: int) -> None:
        """A message."""
        engine, message = self.station(index).engine, self.choices.choose(_MESSAGES)
        if engine.can_send and not self.parts[index]:
            engine.send(message)
            self.sent[index].append(message)

    def send_part(self, index: int) -> None:
        """A part of a message."""
        engine, parts, byte = self.station(index).engine, self.parts[index], self.choices.byte()
        if engine.can_send:
            parts.append("é" * (byte & 0x7F))
            engine.send_fragment(parts[-1], final=byte > 0x7F)
            if byte > 0x7F:
                self.sent[index].append("".join(parts))
                parts.clear()

    def ping(self, index: int) -> None:
        """A ping."""
        engine, payload = self.station(index).engine, self.choices.take(self.choices.byte() % 126)
        if engine.can_send and engine.statistics.pings_sent < 60:
            engine.ping(payload, now=self.joint.now)

    def close(self, index: int) -> None:
        """A goodbye."""
        self.station(index).engine.close(self.choices.choose(_CODES), now=self.joint.now)

    def read(self, index: int) -> None:
        """One read, of any size."""
        self.joint.read(index, 1 + self.choices.byte())

    def settle(self, _: int) -> None:
        """Everything that takes no time."""
        self.joint.settle()

    def wait(self, _: int) -> None:
        """Until the next deadline."""
        self.joint.pass_time()

    def forge(self, index: int) -> None:
        """Bytes that nobody wrote."""
        data, station = self.choices.take(self.choices.byte()), self.station(index)
        station.flush(self.joint.now)
        if not station.is_shut:
            self.is_forged = True
            station.written += data

    def end_half(self, index: int) -> None:
        """One writing side ends."""
        self.joint.end(index)

    def lose(self, index: int) -> None:
        """One transport breaks."""
        self.joint.lose(index, OSError("broken"))

    def abort(self, index: int) -> None:
        """One side gives up."""
        self.station(index).engine.abort(now=self.joint.now)


_Step: TypeAlias = Callable[[_Play, int], None]

#: What happens often stands there often.
_STEPS: Final[tuple[_Step, ...]] = (
    *(_Play.settle,) * 4,
    *(_Play.send,) * 4,
    *(_Play.read,) * 4,
    *(_Play.send_part,) * 2,
    *(_Play.ping,) * 2,
    _Play.wait,
    _Play.close,
    _Play.forge,
    _Play.end_half,
    _Play.lose,
    _Play.abort,
)
