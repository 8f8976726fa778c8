"""Any verbs, at any time, over any wire: a client and a server under virtual time.

The wire itself asserts, on every input, that each side is told of its end once and of nothing behind it, that the
report is there exactly when the end was told, and that no deadline is left in the past.
"""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar, Final, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wsproto_core import (
    ClientConnection,
    Initiator,
    Limits,
    LocalProtocolError,
    Message,
    PerMessageDeflate,
    Pong,
    ServerConnection,
    State,
    Timeouts,
)
from wsproto_core.testing import Chance, Chunks, Link, Side, VirtualClock, Wire

from .joint import send_part
from .pair import sides

__all__ = ["DriverMachine"]

ClientAndServer: TypeAlias = Wire[ClientConnection, ServerConnection]

_NOISE: Final = Random(0).randbytes(2900)
_MESSAGES: Final = st.text(max_size=50) | st.binary(max_size=50) | st.sampled_from([b"x" * 3000, "y" * 2999, _NOISE])


class DriverMachine(RuleBasedStateMachine):
    """Two engines with all their timers, and a model of what has been said.

    What always holds: all that the wire asserts; the outbox stays within its limit, and one message; misuse changes
    nothing. In the end, with nobody asleep and no line stalled any more: what arrived is what was sent, in order, or
    the beginning of it; both are closed; and unless somebody disturbed them, nobody is to blame.
    """

    LIMITS: ClassVar[Limits] = Limits(outbox_size=2000, inbox_size=4000)
    TIMEOUTS: ClassVar[Timeouts] = Timeouts(
        opening_timeout=20.0, ping_interval=3.0, pong_timeout=5.0, idle_timeout=30.0, closing_timeout=15.0
    )
    #: The most that one verb or one answer adds to a queue that had room: a message of 3000 bytes, or a refusal.
    ONE_MORE: ClassVar[int] = 3200

    @initialize(
        chunks=st.sampled_from([None, 1, 7]) | st.integers(0, 99).map(Chance),
        pulls=st.tuples(st.booleans(), st.booleans()),
        compress=st.booleans(),
        latency=st.sampled_from([0.0, 0.5]),
        capacity=st.sampled_from([None, 500]),
        bandwidth=st.sampled_from([None, 2000.0]),
        offload=st.tuples(st.booleans(), st.booleans()),
    )
    def begin(
        self,
        chunks: Chunks,
        pulls: tuple[bool, bool],
        compress: bool,
        latency: float,
        capacity: int | None,
        bandwidth: float | None,
        offload: tuple[bool, bool],
    ) -> None:
        """Join two engines by lines of some quality, and let them open."""
        up, down = (Link(latency=latency, capacity=capacity, bandwidth=bandwidth) for _ in range(2))
        self.wire: ClientAndServer = self.make_wire(up, down, chunks, compress=compress)
        for side, style, has_workers in zip(self.wire.sides, pulls, offload, strict=True):
            side.pulls = style
            if has_workers:
                side.offload(100)
        # What each side has sent and received; urgent messages apart, because they overtake.
        self.sent: list[list[Message]] = [[], []]
        self.urgent: list[list[Message]] = [[], []]
        self.received: list[list[Any]] = [[], []]
        self.parts: list[list[Message]] = [[], []]
        self.was_disturbed: bool = False
        self.wire.open()

    def make_wire(self, up: Link, down: Link, chunks: Chunks, *, compress: bool) -> ClientAndServer:
        """A client that has not yet said anything, and a server."""
        clock = VirtualClock()
        options: dict[str, Any] = {
            "limits": self.LIMITS,
            "timeouts": self.TIMEOUTS,
            "extensions": [PerMessageDeflate(threshold=0)] if compress else [],
            "fragment_size": 300,
            "now": clock.now,
        }
        client = ClientConnection("ws://example.com/", entropy=Random(0).randbytes, **options)
        return Wire(client, ServerConnection(**options), clock=clock, up=up, down=down, chunks=chunks)

    def side(self, index: int) -> Side[Any]:
        """One of the two."""
        return self.wire.sides[index]

    # --- verbs --------------------------------------------------------------------------------------------------------

    @rule(index=sides(), message=_MESSAGES, urgent=st.booleans(), compress=st.none() | st.booleans())
    def send(self, index: int, message: Message, urgent: bool, compress: bool | None) -> None:
        """Send a message, urgent or not."""
        engine = self.side(index).engine
        if not engine.can_send or self.parts[index]:
            return
        engine.send(message, urgent=urgent, compress=compress)
        (self.urgent if urgent else self.sent)[index].append(message)

    @rule(index=sides(), message=_MESSAGES, final=st.booleans())
    def send_part(self, index: int, message: Message, final: bool) -> None:
        """Send a part of a message."""
        engine = self.side(index).engine
        if engine.can_send and (whole := send_part(engine, self.parts[index], message, final=final)) is not None:
            self.sent[index].append(whole)

    @rule(index=sides())
    def ping(self, index: int) -> None:
        """Ping."""
        if self.side(index).engine.can_send:
            self.side(index).engine.ping(now=self.wire.now)

    @rule(index=sides(), code=st.sampled_from([1000, 1005, 4000]))
    def close(self, index: int, code: int) -> None:
        """Say goodbye."""
        self.side(index).engine.close(code, now=self.wire.now)

    @rule(index=sides())
    def misuse(self, index: int) -> None:
        """Send what cannot be encoded."""
        engine = self.side(index).engine
        before = (engine.state, engine.bytes_queued, engine.statistics, engine.next_deadline())
        try:
            engine.send("\ud800")
        except LocalProtocolError:
            assert (engine.state, engine.bytes_queued, engine.statistics, engine.next_deadline()) == before
        else:
            raise AssertionError("a lone surrogate was sent")

    # --- the world ----------------------------------------------------------------------------------------------------

    @rule()
    def settle(self) -> None:
        """Let everything happen that takes no time."""
        self.wire.settle()

    @rule(seconds=st.sampled_from([0.01, 0.5, 2.9, 3.0, 5.0, 8.0, 50.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.wire.run(seconds)

    @rule(index=sides(), seconds=st.sampled_from([0.0, 0.05, 0.2]))
    def work(self, index: int, seconds: float) -> None:
        """Whoever does this side's work has as much to do as that."""
        self.side(index).work_time = seconds

    @rule(index=sides())
    def receive(self, index: int) -> None:
        """Take what the inbox holds."""
        self.received[index] += self.side(index).receive()

    @rule(index=sides(), stalled=st.booleans())
    def stall(self, index: int, stalled: bool) -> None:
        """Nothing leaves this side any more, or it does again."""
        self.was_disturbed = True
        self.side(index).outgoing.stalled = stalled

    @rule(index=sides(), asleep=st.booleans())
    def sleep(self, index: int, asleep: bool) -> None:
        """This side hangs, or wakes up."""
        self.was_disturbed = True
        self.side(index).asleep = asleep

    @precondition(lambda self: self.was_disturbed)
    @rule(index=sides(), broken=st.booleans())
    def lose(self, index: int, broken: bool) -> None:
        """This side's transport is gone."""
        self.side(index).lose(OSError("broken") if broken else None)

    @precondition(lambda self: self.was_disturbed)
    @rule(index=sides())
    def end(self, index: int) -> None:
        """This side's writing side ends, whatever it thinks of it."""
        self.side(index).end()

    @precondition(lambda self: self.was_disturbed)
    @rule(index=sides(), garbage=st.binary(min_size=1, max_size=20))
    def babble(self, index: int, garbage: bytes) -> None:
        """Bytes that the engine did not write."""
        if not self.side(index).outgoing.is_shut:
            self.side(index).inject(garbage)

    # --- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def queues_are_bounded(self) -> None:
        """The outbox stays within its limit, and one message; who may send has room."""
        for side in self.wire.sides:
            assert side.engine.bytes_queued <= self.LIMITS.outbox_size + self.ONE_MORE
            assert side.engine.can_send <= (side.engine.bytes_queued < self.LIMITS.outbox_size)

    def teardown(self) -> None:
        """Heal what can be healed, let everything arrive, close, and judge."""
        if not hasattr(self, "wire"):
            return
        for side in self.wire.sides:
            side.asleep = side.outgoing.stalled = False
        for _ in range(20):
            self.wire.run(1)
            for index in (0, 1):
                self.received[index] += self.side(index).receive()
        for index in (0, 1):
            self.what_arrived_was_sent(index)
        for side in self.wire.sides:
            side.engine.close(now=self.wire.now)
        self.wire.finish()
        assert self.wire.states() == [State.CLOSED, State.CLOSED]
        if not self.was_disturbed:
            self.nobody_is_to_blame()

    def what_arrived_was_sent(self, index: int) -> None:
        """Everything in order, or the beginning of it; unless garbage came between."""
        peer = 1 - index
        arrived = self.side(index).messages or self.received[index]
        report = self.side(index).engine.close_report
        if self.was_disturbed and (report is None or report.violation is not None or not report.clean):
            return
        usual = [message for message in arrived if message not in self.urgent[peer]]
        expected = [message for message in self.sent[peer] if message not in self.urgent[peer]]
        assert usual == expected[: len(usual)]
        if report is None:
            assert len(arrived) == len(self.sent[peer]) + len(self.urgent[peer])

    def nobody_is_to_blame(self) -> None:
        """Both reports are ordinary ones."""
        for side in self.wire.sides:
            report = side.report
            assert report.violation is None
            assert report.error is None
            assert report.clean, report
            assert report.initiator is not Initiator.NETWORK
            # An unasked pong is empty: it comes from a side that does not read.
            assert all(pong.payload == b"" or pong.round_trip is not None for pong in side.told(Pong))
