"""What holds for any two engines over a stream that are joined, whatever they speak."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wsproto_core import ByteEngine, CloseReport, Initiator, Limits, LocalProtocolError, Message, State, Timeouts

from .joint import Joint, Station

__all__ = ["PairMachine", "sides"]

_FORWARD: Final = (State.CONNECTING, State.OPEN, State.CLOSING, State.CLOSED)


def sides() -> st.SearchStrategy[int]:
    """Which of the two."""
    return st.integers(0, 1)


class PairMachine(RuleBasedStateMachine):
    """Two engines that send, read so many bytes at a time, close, and lose their transports. Subclass it.

    What always holds:

    * Each side's end is told by exactly one ``Closed``, with the report; nothing is told behind it.
    * What has arrived is the beginning of what was sent, in order, each message of its own type.
    * The outbox stays within its limit, and one message; who may send has room.
    * ``state`` only goes forward.
    * ``handle_timeout`` leaves no deadline in the past; without a transport nothing is awaited, and nothing to be sent.
    * ``data_to_send`` runs dry, and everything comes to rest.
    * Misuse raises :exc:`LocalProtocolError` and changes nothing.

    In the end, unless a transport was disturbed: everything has arrived, and nobody is to blame.
    """

    START: ClassVar[float] = 1000.0
    LIMITS: ClassVar[Limits] = Limits(outbox_size=2000, inbox_size=4000)
    #: Nothing happens by itself but what closing takes.
    TIMEOUTS: ClassVar[Timeouts] = Timeouts(opening_timeout=None, ping_interval=None, closing_timeout=15.0)
    #: Bytes that one message may add to a queue that had room.
    ONE_MORE: ClassVar[int] = 3200

    @abstractmethod
    def make_engines(self, data: st.DataObject) -> tuple[ByteEngine, ByteEngine]:
        """Two engines at :attr:`START`, with :attr:`LIMITS` and :attr:`TIMEOUTS`; ``data`` draws what is free."""

    @abstractmethod
    def draw_message(self, data: st.DataObject) -> Message:
        """A message that can be sent, as it is received."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Make two engines, and let them open."""
        self.joint: Joint = Joint(*self.make_engines(data), self.START)
        self.sent: tuple[list[Message], list[Message]] = ([], [])
        #: Whether a transport has failed, so that not everything need arrive.
        self.is_disturbed: bool = False
        #: Whether bytes were sent that no engine sent, so that anything may arrive.
        self.is_spoiled: bool = False
        self._latest = [State.CONNECTING, State.CONNECTING]
        self.joint.settle()
        assert [station.engine.state for station in self.joint.stations] == [State.OPEN, State.OPEN]

    def station(self, index: int) -> Station:
        """One of the two, with its engine."""
        return self.joint.stations[index]

    def may_send(self, index: int) -> bool:
        """Whether the model allows a whole message now."""
        return bool(self.station(index).engine.can_send)

    # --- what is done -------------------------------------------------------------------------------------------------

    @rule(index=sides(), data=st.data())
    def send(self, index: int, data: st.DataObject) -> None:
        """Send a message."""
        message = self.draw_message(data)
        if self.may_send(index):
            self.station(index).engine.send(message)
            self.sent[index].append(message)

    @rule(index=sides(), size=st.integers(1, 20) | st.sampled_from([500, 3000]))
    def read(self, index: int, size: int) -> None:
        """Read some of what the other has written."""
        self.joint.read(index, size)

    @rule(index=sides(), code=st.sampled_from([1000, 1005, 4000]))
    def close(self, index: int, code: int) -> None:
        """Say goodbye."""
        self.station(index).engine.close(code, now=self.joint.now)

    @rule()
    def settle(self) -> None:
        """Let everything arrive."""
        self.joint.settle()

    @rule()
    def pass_time(self) -> None:
        """Let everything arrive, and wait for whatever comes next: nobody is late by his own fault."""
        self.joint.settle()
        self.joint.pass_time()

    @rule(index=sides())
    def misuse(self, index: int) -> None:
        """Send what cannot be encoded."""
        engine = self.station(index).engine
        before = (engine.state, engine.bytes_queued, engine.next_deadline())
        try:
            engine.send("\ud800")
        except LocalProtocolError:
            assert (engine.state, engine.bytes_queued, engine.next_deadline()) == before
        else:
            raise AssertionError("a lone surrogate was sent")

    # --- what happens to them -----------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_old_enough())
    @rule(index=sides(), broken=st.booleans())
    def lose(self, index: int, broken: bool) -> None:
        """One side's transport is gone."""
        self.is_disturbed = True
        self.joint.lose(index, OSError("broken") if broken else None)

    @precondition(lambda self: self.is_old_enough())
    @rule(index=sides())
    def end(self, index: int) -> None:
        """One side's writing side ends, whatever it thinks of it."""
        self.is_disturbed = True
        self.joint.end(index)

    @precondition(lambda self: self.is_old_enough())
    @rule(index=sides(), garbage=st.binary(min_size=1, max_size=20))
    def babble(self, index: int, garbage: bytes) -> None:
        """Bytes that the engine did not write."""
        station = self.station(index)
        station.flush(self.joint.now)
        if not station.is_shut:
            self.is_disturbed = self.is_spoiled = True
            station.written += garbage

    def is_old_enough(self) -> bool:
        """Whether enough was said for a fault to be interesting: most conversations go undisturbed."""
        return len(self.sent[0]) + len(self.sent[1]) >= 2

    # --- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def queues_are_bounded(self) -> None:
        """The outbox stays within its limit, and one message; who may send has room."""
        for station in self.joint.stations:
            assert station.engine.bytes_queued <= self.LIMITS.outbox_size + self.ONE_MORE
            assert station.engine.can_send <= (station.engine.bytes_queued < self.LIMITS.outbox_size)

    @invariant()
    def states_go_forward(self) -> None:
        """Nothing is opened again."""
        for index, station in enumerate(self.joint.stations):
            state = station.engine.state
            assert _FORWARD.index(state) >= _FORWARD.index(self._latest[index])
            self._latest[index] = state

    @invariant()
    def what_arrived_was_sent(self) -> None:
        """In order, from the first on; whatever the transport did."""
        for index in () if self.is_spoiled else (0, 1):
            arrived = self.arrived(index)
            expected = self.what_was_sent(1 - index)[: len(arrived)]
            assert list(arrived) == list(expected)
            assert list(map(type, arrived)) == list(map(type, expected))

    def arrived(self, index: int) -> Sequence[Any]:
        """What one side has received."""
        return self.station(index).messages

    def what_was_sent(self, index: int) -> Sequence[Any]:
        """What one side has sent."""
        return self.sent[index]

    # --- the end ------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Let everything arrive, close, and judge."""
        if not hasattr(self, "joint"):
            return
        self.joint.settle()
        for index in (0, 1):
            self.station(index).engine.close(now=self.joint.now)
        self.joint.finish()
        self.what_arrived_was_sent()
        for station in self.joint.stations:
            assert station.engine.state is State.CLOSED
        if not self.is_disturbed:
            self.everything_arrived()

    def everything_arrived(self) -> None:
        """Nobody is to blame."""
        for index, station in enumerate(self.joint.stations):
            self.judge_report(station.report)
            assert len(self.arrived(index)) == len(self.what_was_sent(1 - index)), station.report

    def judge_report(self, report: CloseReport) -> None:
        """Hold the report of an undisturbed connection to being an ordinary one."""
        assert report.violation is None
        assert report.error is None
        assert report.clean, report
        assert report.initiator is not Initiator.NETWORK
