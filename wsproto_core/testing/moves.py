"""What two sides of a wire do to each other by chance, and a record of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from .._driver.client import ClientConnection
from .._driver.server import ServerConnection
from .._types import Message, Opcode, State
from ..frames import Frame
from .chance import Chance
from .wire import Side, Wire

__all__ = ["FAULTS", "MOVES", "NAMES", "Conversation", "Move", "Step"]

NAMES: Final = ("client", "server")

#: What follows the number of a message: short and long headers of a frame, characters of every length.
_TEXTS: Final = ("", "a", "é" * 20, "€uro 👋" * 11, "x" * 125, "y" * 500, "z" * 2500)
_CODES: Final = (1000, 1000, 1001, 1005, 3000, 4999)
#: Each ends the connection, whoever receives it: reserved opcode and bits, a ping in fragments, bad UTF-8.
_OFFENCES: Final = (
    b"\x83\x00",
    b"\xf1\x00",
    b"\x09\x00",
    bytes(Frame(Opcode.TEXT, b"\xff")),
    bytes(Frame(Opcode.CLOSE, b"\x03\xe8\xff")),
)


class Step(NamedTuple):
    """One move of a scenario."""

    #: When, in seconds of the clock.
    at: float
    #: ``client`` or ``server``.
    who: str
    #: What it did, and with what.
    what: str
    detail: Any = None

    def __str__(self) -> str:
        told = "" if self.detail is None else f" {self.detail!r}"
        return f"{self.at:.3f} {self.who} {self.what}{told if len(told) < 60 else told[:57] + '...'}"


class Conversation:
    """Two sides, each named by its number: 0 is the client, 1 the server. Every move is one that its engine allows."""

    def __init__(self, chance: Chance, wire: Wire[ClientConnection, ServerConnection]) -> None:
        #: What decides.
        self.chance: Chance = chance
        #: Where it takes place.
        self.wire: Wire[ClientConnection, ServerConnection] = wire
        #: The moves made so far.
        self.steps: list[Step] = []
        #: Whether anything has happened because of which not everything need arrive.
        self.is_disturbed: bool = False
        #: What the client and the server have sent, and received.
        self.sent: tuple[list[Message], list[Message]] = ([], [])
        self.received: tuple[list[Any], list[Any]] = ([], [])
        self._parts: tuple[list[str], list[str]] = ([], [])

    # --- moves --------------------------------------------------------------------------------------------------------

    def send(self, who: int) -> None:
        """A message, unless one is being sent in parts."""
        engine = self.side(who).engine
        if not engine.can_send or self._parts[who]:
            return
        text = f"{len(self.sent[who])} {self.chance.choose(_TEXTS)}"
        message = text if self.chance.happens(0.5) else text.encode()
        self.note(who, "send", message)
        engine.send(message)
        self.sent[who].append(message)

    def send_part(self, who: int) -> None:
        """A part of a message, perhaps the last."""
        engine, parts = self.side(who).engine, self._parts[who]
        if not engine.can_send:
            return
        part, final = f"part {len(parts)} {self.chance.choose(_TEXTS)}", self.chance.happens(0.5)
        self.note(who, "send the last part" if final else "send a part", part)
        engine.send_fragment(part, final=final)
        parts.append(part)
        if final:
            self.sent[who].append("".join(parts))
            parts.clear()

    def ping(self, who: int) -> None:
        """A ping."""
        if self.side(who).engine.can_send:
            self.note(who, "ping")
            self.side(who).engine.ping(now=self.wire.now)

    def close(self, who: int) -> None:
        """A close, with a code of any kind."""
        self.say_goodbye(who, self.chance.choose(_CODES))

    # --- faults -------------------------------------------------------------------------------------------------------

    def stall(self, who: int) -> None:
        """Nothing of what this side writes leaves any more."""
        self.disturb(who, "stall")
        self.side(who).outgoing.stalled = True

    def sleep(self, who: int) -> None:
        """This side hangs."""
        self.disturb(who, "sleep")
        self.side(who).asleep = True

    def wake(self, who: int) -> None:
        """This side, and its line, are well again."""
        side = self.side(who)
        side.asleep = side.outgoing.stalled = False

    def lose(self, who: int) -> None:
        """This side's transport breaks."""
        self.disturb(who, "lose the transport")
        self.side(who).lose(OSError("broken") if self.chance.happens(0.5) else None)

    def shut(self, who: int) -> None:
        """This side's outgoing half ends, whatever the engine thinks of it."""
        self.disturb(who, "end the outgoing half")
        self.side(who).end()

    def cut(self, who: int) -> None:
        """The line is cut, and both notice."""
        self.disturb(who, "cut")
        self.wire.cut(OSError("cut"))

    def offend(self, who: int) -> None:
        """Bytes that no engine would write."""
        side = self.side(who)
        if side.engine.state is State.OPEN and not side.outgoing.is_shut:
            offence = self.chance.choose(_OFFENCES)
            self.disturb(who, "offend", offence)
            side.inject(offence)

    # --- what comes of it ---------------------------------------------------------------------------------------------

    def say_goodbye(self, who: int, code: int) -> None:
        """Close with ``code``; before the connection is open that abandons it."""
        engine = self.side(who).engine
        if engine.state is State.CONNECTING:
            self.disturb(who, "abandon")
        elif engine.state is State.OPEN:
            self.note(who, "close", code)
        engine.close(code, now=self.wire.now)

    def side(self, who: int) -> Side[ClientConnection] | Side[ServerConnection]:
        """Which one it is."""
        return self.wire.sides[who]

    def receive(self) -> None:
        """Both applications take what has arrived."""
        for side, received in zip(self.wire.sides, self.received, strict=True):
            if not side.asleep:
                received.extend(side.receive() if side.pulls else side.messages[len(received) :])

    def note(self, who: int, what: str, detail: object = None) -> None:
        """Record a move."""
        self.steps.append(Step(self.wire.now, NAMES[who], what, detail))

    def disturb(self, who: int, what: str, detail: object = None) -> None:
        """Record a move after which not everything need arrive."""
        self.is_disturbed = True
        self.note(who, what, detail)


#: What one side does.
Move: TypeAlias = Callable[[Conversation, int], None]

#: What happens on any day, as often as it stands here.
MOVES: Final[tuple[Move, ...]] = (
    *(Conversation.send,) * 8,
    *(Conversation.send_part,) * 4,
    *(Conversation.ping,) * 3,
    Conversation.close,
)
#: What should not happen.
FAULTS: Final[tuple[Move, ...]] = (
    Conversation.stall,
    Conversation.sleep,
    Conversation.wake,
    Conversation.lose,
    Conversation.shut,
    Conversation.cut,
    Conversation.offend,
)
