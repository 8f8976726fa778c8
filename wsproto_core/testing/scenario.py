"""Random conversations of two WebSocket engines over random wires; each follows from its seed alone.

A scenario draws the wire, the timeouts and the style of each side, then makes moves: messages, fragments, pings,
closes, time that passes, and in some scenarios faults, from a process that hangs to a line that is cut. At the end it
heals what can be healed, closes both sides, and holds them to more than the contract:

* What arrived is what was sent, in order, from the first message on.
* Without a fault everything arrived, and both reports are clean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .._config import Timeouts
from .._driver.client import ClientConnection
from .._driver.server import ServerConnection
from .._events import Accepted, Event, Request
from .._extensions.permessage_deflate import PerMessageDeflate
from .chance import Chance
from .clock import VirtualClock
from .contract import BrokenContract
from .link import Chunks, Link
from .moves import FAULTS, MOVES, NAMES, Conversation, Move
from .wire import Wire

__all__ = ["Scenario", "run_scenario"]

_TIMEOUTS: Final = (
    Timeouts(),
    Timeouts(opening_timeout=5.0, ping_interval=2.0, pong_timeout=3.0, idle_timeout=20.0, closing_timeout=6.0),
    Timeouts(ping_interval=None, idle_timeout=6.0, closing_timeout=5.0),
)
_LATENCIES: Final = (0.0, 0.0, 0.001, 0.05, 0.4)
_JITTERS: Final = (0.0, 0.0, 0.02)
_BANDWIDTHS: Final = (None, None, None, 1_000_000.0, 20_000.0)
_CAPACITIES: Final = (None, None, 65_536, 2500)
_WAITS: Final = (0.0, 0.0, 0.001, 0.01, 0.1, 0.7, 3.0, 9.0)


class Scenario(Conversation):
    """The scenario of ``seed``, ready to be played once. As a string it is the story so far."""

    def __init__(self, seed: int) -> None:
        #: What everything follows from.
        self.seed: int = seed
        chance = Chance(seed)
        super().__init__(chance, _make_wire(chance))
        self.wire.server.react = self._answer

    def __str__(self) -> str:
        ends = [f"{name}: {side.engine.close_report}" for name, side in zip(NAMES, self.wire.sides, strict=True)]
        return "\n".join([f"seed {self.seed}", *map(str, self.steps), *ends])

    def play(self) -> None:
        """Play it to its end. Raises :exc:`BrokenContract`, with the story as a note."""
        try:
            self._open()
            moves = MOVES + FAULTS if self.chance.happens(0.4) else MOVES
            for _ in range(2 + self.chance.below(10)):
                self._move(moves)
            self._end()
            self._judge()
        except AssertionError as error:
            error.add_note(str(self))
            raise

    def _open(self) -> None:
        self.wire.client.engine.connect()
        self.wire.run(1.5 if self.chance.happens(0.9) else 0.1)

    def _answer(self, event: Event) -> None:
        """The server's application lets nearly everybody in."""
        if not isinstance(event, Request):
            return
        if self.chance.happens(0.95):
            self.wire.server.engine.accept()
        elif self.chance.happens(0.5):
            self.note(1, "reject")
            self.wire.server.engine.reject(403)
        else:
            self.disturb(1, "ignore")

    def _move(self, moves: Sequence[Move]) -> None:
        self.chance.choose(moves)(self, self.chance.below(2))
        self.wire.run(self.chance.choose(_WAITS))
        self.receive()

    def _end(self) -> None:
        self.wake(0)
        self.wake(1)
        self.wire.run(1.0)
        self.receive()
        for who in (0, 1):
            self.say_goodbye(who, 1000)
        self.wire.finish()
        self.receive()

    def _judge(self) -> None:
        for who in (0, 1):
            arrived, sent = self.received[who], self.sent[1 - who]
            if arrived != (sent[: len(arrived)] if self.is_disturbed else sent):
                raise BrokenContract(f"{len(sent)} were sent to the {NAMES[who]}: {len(arrived)} arrived, or others")
        if self.is_disturbed or not self.wire.client.told(Accepted):
            return
        for side in self.wire.sides:
            if not side.report.clean:
                raise BrokenContract(f"nobody disturbed them, and it ended like this: {side.report}")


def run_scenario(seed: int) -> Scenario:
    """Play the scenario of ``seed`` and return it. Raises :exc:`BrokenContract`, with the moves so far as a note."""
    scenario = Scenario(seed)
    scenario.play()
    return scenario


def _make_wire(chance: Chance) -> Wire[ClientConnection, ServerConnection]:
    clock = VirtualClock()
    extensions = [PerMessageDeflate()] if chance.happens(0.05) else []
    client = ClientConnection(
        "ws://example.com/",
        entropy=chance.randbytes,
        timeouts=chance.choose(_TIMEOUTS),
        extensions=extensions,
        now=clock.now,
    )
    server = ServerConnection(timeouts=chance.choose(_TIMEOUTS), extensions=extensions, now=clock.now)
    chunks: tuple[Chunks, ...] = (None, None, 100, chance)
    wire = Wire(
        client, server, up=_make_link(chance), down=_make_link(chance), chunks=chance.choose(chunks), clock=clock
    )
    for side in wire.sides:
        side.pulls = chance.happens(0.3)
    return wire


def _make_link(chance: Chance) -> Link:
    return Link(
        latency=chance.choose(_LATENCIES),
        jitter=chance.choose(_JITTERS),
        bandwidth=chance.choose(_BANDWIDTHS),
        capacity=chance.choose(_CAPACITIES),
        chance=chance,
    )
