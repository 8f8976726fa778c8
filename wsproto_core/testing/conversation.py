"""One connection of a :class:`Script`: two engines on a wire, and what their applications do in the course of time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias

from .._driver.client import ClientConnection
from .._driver.server import ServerConnection
from .._events import Accepted, Event, Request
from .._extensions.permessage_deflate import PerMessageDeflate
from .._handshake.uri import parse_uri
from .._protocol.sending import PreparedMessage
from .._types import Message, State
from .chance import Chance
from .clock import VirtualClock
from .contract import BrokenContract
from .script import Dialogue, Move
from .step import Step
from .wire import Wire

__all__ = ["Conversation", "MakeClient", "MakeServer"]

#: What makes the engines: the two classes, or your own that take the same arguments.
MakeClient: TypeAlias = Callable[..., ClientConnection]
MakeServer: TypeAlias = Callable[..., ServerConnection]

_NAMES: Final = ("client", "server")
#: Messages are short here.
_WORK_SIZE: Final = 100
_URI: Final = parse_uri("ws://example.com/")


class Conversation(Wire[ClientConnection, ServerConnection]):
    """A wire that makes the moves of ``dialogue`` by itself, heals what can be healed, and closes both sides.

    The sides are named by numbers: 0 is the client, 1 the server. Every move is one that its engine allows.
    ``everybody``: the conversations that a broadcast reaches, this one too.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        clock: VirtualClock,
        chance: Chance,
        everybody: Sequence[Conversation],
        make_client: MakeClient,
        make_server: MakeServer,
    ) -> None:
        extensions = [PerMessageDeflate()] if dialogue.compressed else []
        super().__init__(
            make_client(
                _URI, entropy=chance.randbytes, timeouts=dialogue.client.timeouts, extensions=extensions, now=clock.now
            ),
            make_server(timeouts=dialogue.server.timeouts, extensions=extensions, now=clock.now),
            up=dialogue.up.link(chance),
            down=dialogue.down.link(chance),
            clock=clock,
        )
        #: The moves made so far.
        self.steps: list[Step] = []
        #: Whether anything has happened because of which not everything need arrive.
        self.is_disturbed: bool = False
        #: What the client and the server have sent.
        self.sent: tuple[list[Message], list[Message]] = ([], [])
        self._dialogue = dialogue
        self._everybody = everybody
        # What the client and the server have taken from their inboxes, and the message that each sends in parts.
        self._taken: tuple[list[Any], list[Any]] = ([], [])
        self._parts: tuple[list[str], list[str]] = ([], [])
        for side, party in zip(self.sides, (dialogue.client, dialogue.server), strict=True):
            side.pulls = party.pulls
            side.chunks = party.chunks_from(chance)
            side.reaches_others = False
            if party.work_time is not None:
                side.work_time = party.work_time
                side.offload(_WORK_SIZE)
        self.server.react = self._answer
        self._course = self._play()
        self._next_step_at = clock.now

    def __str__(self) -> str:
        ends = [f"{name}: {side.engine.close_report}" for name, side in zip(_NAMES, self.sides, strict=True)]
        return "\n".join([*map(str, self.steps), *ends])

    def is_over(self) -> bool:
        """Whether both transports are gone."""
        return self.client.lost and self.server.lost

    def received(self, who: int) -> list[Any]:
        """The messages that one side has received."""
        self._take(who)
        return self._taken[who] if self.sides[who].pulls else self.sides[who].messages

    def judge(self) -> None:
        """Hold the two to what they were sent. Raises :exc:`BrokenContract`, with the story as a note."""
        try:
            self._judge()
        except BrokenContract as error:
            error.add_note(str(self))
            raise

    def _judge(self) -> None:
        for who in (0, 1):
            arrived, sent = self.received(who), self.sent[1 - who]
            if arrived != (sent[: len(arrived)] if self.is_disturbed else sent):
                raise BrokenContract(f"{len(sent)} were sent to the {_NAMES[who]}: {len(arrived)} arrived, or others")
        if self.is_disturbed or not self.client.told(Accepted):
            return
        for side in self.sides:
            if not side.report.clean:
                raise BrokenContract(f"nobody disturbed them, and it ended like this: {side.report}")

    # --- the course of it ---------------------------------------------------------------------------------------------

    def act(self) -> None:
        """Make the move that is due, and let happen what comes of it. For :class:`VirtualClock`."""
        try:
            if self._next_step_at is not None and self._next_step_at <= self.clock.now:
                wait = next(self._course, None)
                self._next_step_at = None if wait is None else self.clock.now + wait
            super().act()
        except AssertionError as error:
            error.add_note(str(self))
            raise

    def _play(self) -> Generator[float, None, None]:
        """Make one move after the other; each time, how many seconds pass behind it."""
        self.client.engine.connect()
        yield self._dialogue.wait
        for move in self._dialogue.moves:
            self._take(0)
            self._take(1)
            who = _NAMES.index(move.who)
            self._MOVES[move.what](self, who, move)
            self.sides[who].is_touched = True
            yield move.wait
        self._wake(0)
        self._wake(1)
        yield 1.0
        for who in (0, 1):
            self._take(who)
            self._say_goodbye(who, 1000)
            self.sides[who].is_touched = True

    def _take(self, who: int) -> None:
        """A pulling application takes what has arrived."""
        side = self.sides[who]
        if side.pulls and not side.asleep:
            while (message := side.engine.next_message()) is not None:
                self._taken[who].append(message)
            side.is_touched = True

    def _answer(self, event: Event) -> None:
        if not isinstance(event, Request):
            return
        if self._dialogue.opening == "accept":
            self.server.engine.accept()
        elif self._dialogue.opening == "reject":
            self._note(1, "reject")
            self.server.engine.reject(403)
        else:
            self._disturb(1, "ignore")

    # --- moves --------------------------------------------------------------------------------------------------------

    def _send(self, who: int, move: Move) -> None:
        """A message, unless one is being sent in parts."""
        text = str(move.detail or "")
        message = text if move.what == "send" else text.encode()
        if self._may_send(who):
            self._note(who, move.what, message)
            self._engine(who).send(message)
            self.sent[who].append(message)

    def _send_part(self, who: int, move: Move) -> None:
        """A part of a message, perhaps the last."""
        parts, text, final = self._parts[who], str(move.detail or ""), move.what == "send last part"
        if not self._engine(who).can_send:
            return
        self._note(who, move.what, text)
        self._engine(who).send_fragment(text, final=final)
        parts.append(text)
        if final:
            self.sent[who].append("".join(parts))
            parts.clear()

    def _broadcast(self, _who: int, move: Move) -> None:
        """The server says the same to everybody who can hear it."""
        message = PreparedMessage(str(move.detail or ""))
        for conversation in self._everybody:
            conversation.hear(message)
        self.clock.turns += 1

    def hear(self, message: PreparedMessage) -> None:
        """Somebody's server says ``message`` to everybody."""
        if self._may_send(1):
            self._note(1, "broadcast", message.original)
            self.server.engine.send_prepared(message)
            self.sent[1].append(message.original)

    def _ping(self, who: int, _: Move) -> None:
        if self._engine(who).can_send:
            self._note(who, "ping")
            self._engine(who).ping(now=self.now)

    def _close(self, who: int, move: Move) -> None:
        self._say_goodbye(who, int(move.detail or 1000))

    def _say_goodbye(self, who: int, code: int) -> None:
        """Close with ``code``; before the connection is open that abandons it."""
        engine = self._engine(who)
        if engine.state is State.CONNECTING:
            self._disturb(who, "abandon")
        elif engine.state is State.OPEN:
            self._note(who, "close", code)
        engine.close(code, now=self.now)

    # --- faults -------------------------------------------------------------------------------------------------------

    def _stall(self, who: int, _: Move) -> None:
        """Nothing of what this side writes leaves any more."""
        self._disturb(who, "stall")
        self.sides[who].outgoing.stalled = True

    def _sleep(self, who: int, _: Move) -> None:
        """This side hangs."""
        self._disturb(who, "sleep")
        self.sides[who].asleep = True

    def _wake(self, who: int, _: Move | None = None) -> None:
        """This side, and its line, are well again."""
        side = self.sides[who]
        side.asleep = side.outgoing.stalled = False

    def _lose(self, who: int, move: Move) -> None:
        """This side's transport ends, or breaks."""
        self._disturb(who, f"{move.what} the transport")
        self.sides[who].lose(OSError("broken") if move.what == "break" else None)

    def _shut(self, who: int, _: Move) -> None:
        """This side's outgoing half ends, whatever the engine thinks of it."""
        self._disturb(who, "shut the outgoing half")
        self.sides[who].outgoing.is_shut = True

    def _cut(self, who: int, _: Move) -> None:
        """The line is cut, and both notice."""
        self._disturb(who, "cut")
        self.cut(OSError("cut"))

    def _offend(self, who: int, move: Move) -> None:
        """Bytes that no engine would write."""
        side, offence = self.sides[who], bytes.fromhex(str(move.detail or ""))
        if side.engine.state is State.OPEN and not side.outgoing.is_shut:
            self._disturb(who, "offend", offence)
            side.outgoing.write(offence)

    # --- what comes of it ---------------------------------------------------------------------------------------------

    def _engine(self, who: int) -> ClientConnection | ServerConnection:
        return self.sides[who].engine

    def _may_send(self, who: int) -> bool:
        return self._engine(who).can_send and not self._parts[who]

    def _note(self, who: int, what: str, detail: object = None) -> None:
        self.steps.append(Step(self.now, _NAMES[who], what, detail))

    def _disturb(self, who: int, what: str, detail: object = None) -> None:
        """A move after which not everything need arrive."""
        self.is_disturbed = True
        self._note(who, what, detail)

    _MOVES: ClassVar[Mapping[str, Callable[[Any, int, Move], None]]] = MappingProxyType(
        {
            "send": _send,
            "send bytes": _send,
            "send part": _send_part,
            "send last part": _send_part,
            "broadcast": _broadcast,
            "ping": _ping,
            "close": _close,
            "stall": _stall,
            "sleep": _sleep,
            "wake": _wake,
            "lose": _lose,
            "break": _lose,
            "shut": _shut,
            "cut": _cut,
            "offend": _offend,
        }
    )
