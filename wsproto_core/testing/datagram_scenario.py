"""Random conversations of a datagram server and its clients, over networks that lose, double, delay and shuffle.

A seed becomes a :class:`DatagramScript`. A :class:`DatagramScenario` plays a script to the end of every connection, and
holds the engines to more than their contract:

* Of what arrived, everything was sent, and nothing arrived twice.
* Without a fault, and over a perfect network, everything arrived in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from hashlib import sha256
from typing import Any, Final, TypeAlias

from .._packets.datagram import DatagramPeer
from .._packets.server import DatagramServer
from .._packets.session import Address
from .._types import State
from .chance import Chance
from .clock import VirtualClock
from .contract import BrokenContract
from .datagram_wire import DatagramNet, DatagramSide, ServerSide
from .script import Caller, DatagramScript, Move, Route
from .step import Step

__all__ = ["Call", "DatagramScenario"]

#: What makes the engines: the two classes, or your own that take the same arguments.
MakePeer: TypeAlias = Callable[..., DatagramPeer]
MakeServer: TypeAlias = Callable[..., DatagramServer]

_PERFECT: Final = Route()
_MESSAGES: Final = (str, bytes)
_FAULTS: Final = frozenset({"sleep", "wake", "lose"})


class Call:
    """One client's part, and the server's with it: a participant of the clock that makes the moves of ``caller``.

    ``everybody``: the parts that a fault of the server's disturbs.
    """

    def __init__(
        self, caller: Caller, net: DatagramNet, side: DatagramSide, address: Address, everybody: list[Call]
    ) -> None:
        #: The client.
        self.side: DatagramSide = side
        #: The moves made so far.
        self.steps: list[Step] = []
        #: Whether anything has happened because of which not everything need arrive.
        self.is_disturbed: bool = not caller.there == caller.back == _PERFECT
        #: What the client and the server have sent to one another.
        self.sent: tuple[list[bytes], list[bytes]] = ([], [])
        self._caller = caller
        self._net = net
        self._address = address
        self._everybody = everybody
        self._course = self._play()
        self._next_step_at: float | None = net.now
        net.clock.join(self)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.steps), f"client: {self.side.engine.close_report}"])

    def act(self) -> None:
        """Make the move that is due. For :class:`VirtualClock`."""
        if self._next_step_at is not None and self._next_step_at <= self._net.now:
            wait = next(self._course, None)
            self._next_step_at = None if wait is None else self._net.now + wait

    def next_time(self) -> float | None:
        """When the next move is due. For :class:`VirtualClock`."""
        return self._next_step_at

    def is_over(self) -> bool:
        """Whether every move was made."""
        return self._next_step_at is None

    def judge(self) -> None:
        """Hold both sides to what was sent. Raises :exc:`BrokenContract`, with the story as a note."""
        try:
            told: dict[Any, list[Any]] = {}
            for peer, event in self._net.server.events:
                if isinstance(event, _MESSAGES) and peer.address == self._address:
                    told.setdefault(peer, []).append(event)
            for arrived in told.values():
                self._compare("server", arrived, self.sent[0])
            self._compare("client", self.side.messages, self.sent[1])
            if not self.is_disturbed and self.sent[0] and not told:
                raise BrokenContract("nothing arrived at the server")
        except BrokenContract as error:
            error.add_note(str(self))
            raise

    def _compare(self, who: str, arrived: list[Any], sent: list[bytes]) -> None:
        is_right = arrived == sent or (self.is_disturbed and Counter(arrived) <= Counter(sent))
        if not is_right:
            raise BrokenContract(f"{len(sent)} were sent to the {who}: {len(arrived)} arrived, or others")

    # --- the course of it ---------------------------------------------------------------------------------------------

    def _play(self) -> Generator[float, None, None]:
        """Make one move after the other; each time, how many seconds pass behind it."""
        yield self._caller.wait
        for move in self._caller.moves:
            self._make(move)
            yield move.wait
        for side in (self.side, self._net.server):
            side.asleep = False
            side.touch()
        yield 1.0
        if self.side.engine.state is not State.CLOSED:
            self._note("client", "close", 1000)
            self.side.engine.close(now=self._net.now)
            self.side.touch()

    def _make(self, move: Move) -> None:
        side = self.side if move.who == "client" else self._net.server
        if move.what in _FAULTS:
            self._fail(side, move)
        elif (peer := self._peer_of(side)) is not None and peer.can_send:
            self._speak(peer, move)
        side.touch()

    def _peer_of(self, side: DatagramSide | ServerSide) -> DatagramPeer | None:
        """What speaks for this connection there."""
        return side.engine if isinstance(side, DatagramSide) else side.engine.peers.get(self._address)

    def _speak(self, peer: DatagramPeer, move: Move) -> None:
        """Everything that an engine does of itself."""
        self._note(move.who, move.what, move.detail)
        if move.what == "close":
            peer.close(int(move.detail or 1000), now=self._net.now)
        elif move.what == "ping":
            peer.ping(now=self._net.now)
        else:
            text = str(move.detail or "")
            peer.send(text.encode() if move.what == "send bytes" else text)
            self.sent[move.who == "server"].append(text.encode())  # a datagram does not tell which it was

    def _fail(self, side: DatagramSide | ServerSide, move: Move) -> None:
        """Somebody's process hangs, or its socket is gone; or it is well again."""
        for call in (self,) if move.who == "client" else self._everybody:
            call.is_disturbed = True
        self._note(move.who, move.what)
        if move.what == "lose":
            side.lose(OSError("broken"))
        else:
            side.asleep = move.what == "sleep"

    def _note(self, who: str, what: str, detail: object = None) -> None:
        self.steps.append(Step(self._net.now, who, what, detail))


class DatagramScenario:
    """``script``, ready to be played once. As a string it is the story so far.

    ``make_client`` and ``make_server`` make the engines: the two classes, or your own that take the same arguments.
    """

    def __init__(
        self, script: DatagramScript, *, make_client: MakePeer = DatagramPeer, make_server: MakeServer = DatagramServer
    ) -> None:
        #: What happens.
        self.script: DatagramScript = script
        chance, clock = Chance(script.chance), VirtualClock()
        server = make_server(entropy=chance.randbytes, timeouts=script.timeouts, now=clock.now)
        #: Where it happens.
        self.net: DatagramNet = DatagramNet(server, clock=clock)
        self.net.server.reaches_others = False
        #: One for each client.
        self.calls: list[Call] = []
        for caller in script.callers:
            peer = make_client(entropy=chance.randbytes, timeouts=caller.timeouts, now=clock.now)
            side = self.net.join(peer, there=caller.there.link(chance), back=caller.back.link(chance))
            side.reaches_others = False
            self.calls.append(Call(caller, self.net, side, self.net.address_of(side), self.calls))

    def __str__(self) -> str:
        return "\n".join(f"client {number}\n{call}" for number, call in enumerate(self.calls))

    def play(self) -> None:
        """Play it to its end. Raises :exc:`BrokenContract`, with the story of the connection as a note."""
        going_on = list(self.calls)

        def is_over() -> bool:
            while going_on and going_on[-1].is_over():
                going_on.pop()
            return not going_on

        self.net.clock.run_until(is_over)
        self.net.server.engine.close(now=self.net.now)
        self.net.clock.run_until(lambda: self.net.server.lost)
        for call in self.calls:
            call.judge()

    @property
    def digest(self) -> str:
        """A fingerprint of all that can be seen: every datagram's way, every event, every time. The same on every
        run.
        """
        fingerprint = sha256(f"{self}\n{self.net.now!r}".encode())
        for call in self.calls:
            for link in (call.side.outgoing, call.side.incoming):
                fingerprint.update(repr((link.log, link.lost)).encode())
            fingerprint.update(repr(call.side.events).encode())
        fingerprint.update(repr([event for _, event in self.net.server.events]).encode())
        return fingerprint.hexdigest()
