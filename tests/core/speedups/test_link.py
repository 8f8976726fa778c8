"""What every read and every flush does with a transport and an engine; the same on both twins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.core.kit import BINARY, FIN, TEXT, frame
from tests.core.twins import Twin
from wsproto_core import Fragment, Ping

HELLO = frame(FIN | TEXT, b"hello", masked=True)
NOW = 7.0


class Transport:
    """Takes what is written, until it breaks."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.breaks_behind = 100

    def is_closing(self) -> bool:
        return len(self.written) >= self.breaks_behind

    def write(self, data: bytes | memoryview) -> None:
        self.written.append(bytes(data))


def waiters_of(twin: Twin, calls: list[object]) -> Any:
    """Some who wait, and note when they are woken."""

    class Waiters(twin.waiters):  # type: ignore[name-defined,misc]  # one of two
        def __init__(self) -> None:
            self.who: list[str] = []

        def wake_at_once(self) -> None:
            calls.extend("wake" for _ in self.who)

    return Waiters()


@pytest.fixture(params=["alone", "followed"])
def engine(twin: Twin, request: pytest.FixtureRequest) -> Any:
    """An open one."""
    return twin.open_engine(is_followed=request.param == "followed")


@pytest.fixture
def link(twin: Twin, engine: Any) -> Any:
    """One that has a transport, and notes what it asks of its adapter."""

    class Link(twin.link):  # type: ignore[name-defined,misc]  # one of two
        def __init__(self) -> None:
            self.calls: list[object] = []
            self.goes_on = True
            super().__init__(engine, twin.delivery(self, self, ""), lambda: NOW, waiters_of(twin, self.calls))
            self.transport = Transport()
            self.answer: Callable[[], object] = lambda: None

        def received(self, _: object, message: object) -> None:
            self.calls.append(message)
            self.answer()

        def note(self, event: object) -> None:
            self.calls.append(("note", event))

        def _flush_later(self) -> None:
            self.calls.append("flush later")

        def _write_at_once(self, buffers: list[bytes | memoryview]) -> list[bytes | memoryview]:
            self.calls.append(len(buffers))
            return buffers[1:]

        def _steer(self) -> bool:
            self.calls.append("steer")
            return self.goes_on

        def _arm(self, deadline: float) -> None:
            self.calls.append(deadline)
            self._timer: str | None = "timer"
            self._fires_at = deadline

        def _disarm(self) -> None:
            self.calls.append("disarm")
            self._timer = None

    link = Link()
    link.flush()
    assert link.calls == [61.0]
    link.calls.clear()
    return link


def test_what_is_read_is_delivered_and_what_it_provokes_leaves_in_one_write(link: Any, engine: Any) -> None:
    def answer() -> None:
        for _ in range(2):
            assert engine.send_at_once("a")
            link.flush_soon()

    link.answer = answer
    link.data_received(HELLO)
    assert link.calls == ["hello"]
    assert link.transport.written == [frame(FIN | TEXT, b"a", masked=False) * 2]
    assert link.now() == engine._now == NOW


def test_who_waits_is_woken_by_events_and_by_nothing_else(link: Any) -> None:
    link.waiters.who.append("somebody")
    link.data_received(HELLO[:4])
    assert link.calls == []
    link.data_received(HELLO[4:])
    assert link.calls == ["hello", "wake"]


def test_where_others_are_read_as_well_it_is_due_instead(link: Any, engine: Any) -> None:
    due = link._due = list[Any]()
    link.data_received(HELLO[:4])
    assert due == [link]
    link.answer = lambda: engine.send_at_once("a")
    link.data_received(HELLO[4:])
    assert (due, link.transport.written) == ([link, link], [])
    link.flush_soon()  # it is flushed anyway
    assert link.calls == ["hello"]
    for who in due:
        who.flush()
    assert link.transport.written == [frame(FIN | TEXT, b"a", masked=False)]


def test_it_is_flushed_later_once(link: Any, engine: Any) -> None:
    engine.send_at_once(b"b")
    link.flush_soon()
    link.flush_soon()
    assert (link.calls, link.transport.written) == (["flush later"], [])
    link.flush()
    assert link.transport.written == [frame(FIN | BINARY, b"b", masked=False)]
    link.flush_soon()
    assert link.calls == ["flush later"] * 2


@pytest.mark.parametrize("lacks", ["transport", "life"])
def test_without_a_transport_nothing_is_taken(link: Any, engine: Any, lacks: str) -> None:
    if lacks == "transport":
        link.transport = None
    else:
        link.is_lost = True
    engine.send_at_once(b"b")
    link.flush()
    assert engine.data_to_send() == [frame(FIN | BINARY, b"b", masked=False)]


def test_a_full_transport_gets_no_more_and_is_steered_all_the_same(link: Any, engine: Any) -> None:
    link._backlog = 5
    link._is_reading = False
    engine.send_at_once(b"b")
    link.flush()
    assert (link.transport.written, link.calls) == ([], ["steer"])
    link._backlog = None
    link.flush()
    assert link.transport.written == [frame(FIN | BINARY, b"b", masked=False)]


def test_several_buffers_go_in_one_call_as_far_as_can_be(link: Any, engine: Any) -> None:
    large = b"x" * 70_000
    engine.send_at_once(large)
    link.flush()
    assert link.calls == [2]
    assert link.transport.written == [large]


def test_a_broken_transport_is_left_alone(link: Any, engine: Any) -> None:
    link.transport.breaks_behind = 0
    link._is_reading = False
    engine.send_at_once(b"b")
    link.flush()
    assert (link.transport.written, link.calls) == ([], [])


def test_an_outlet_is_written_to_until_it_closes(twin: Twin, link: Any, engine: Any) -> None:
    class Own(twin.outlet, Transport):  # type: ignore[name-defined,misc]  # one of two
        is_closing, write = Transport.is_closing, Transport.write

    link.outlet = Own()
    link.outlet.breaks_behind = 1
    link._is_reading = False
    for message in (b"a", b"b"):
        engine.send_at_once(message)
        link.flush()
    assert link.outlet.written == [frame(FIN | BINARY, b"a", masked=False)]
    assert (link.transport.written, link.calls) == ([], ["steer"])


def test_behind_the_end_nobody_is_told(link: Any) -> None:
    link.tell_nobody()
    link.data_received(HELLO)
    assert link.calls == []


def test_a_goodbye_that_is_owed_leaves_behind_the_messages(link: Any, engine: Any) -> None:
    def answer() -> None:
        engine._standing.owes_close_frame = False
        engine._frames.put_bytes(b"bye")

    engine._inbox, engine._standing.owes_close_frame = None, True
    engine._answer_close = answer
    engine.send_at_once(b"b")
    link.flush()
    assert b"".join(link.transport.written) == frame(FIN | BINARY, b"b", masked=False) + b"bye"


def test_an_engine_that_does_not_flow_steers(link: Any, engine: Any) -> None:
    engine._standing.is_open = False
    link.flush()
    assert link.calls == ["steer"]


def test_what_is_about_to_end_needs_no_timer(link: Any, engine: Any) -> None:
    link._is_reading = link.goes_on = False
    engine._timers.next_deadline = 60.0
    link.flush()
    assert link.calls == ["steer"]
    link.goes_on = True
    link.flush()
    assert link.calls == ["steer", "steer", 60.0]


@pytest.mark.parametrize(("deadline", "calls"), [(62.0, []), (61.0, []), (60.0, [60.0]), (None, ["disarm"])], ids=str)
def test_the_timer_is_set_where_a_deadline_is_earlier(
    link: Any, engine: Any, deadline: float | None, calls: list[object]
) -> None:
    engine._timers.next_deadline = deadline
    link.flush()
    link.flush()
    assert link.calls == calls


def test_who_follows_an_engine_is_asked_instead(link: Any, engine: Any) -> None:
    batches = [[b"first"], []]
    engine.receive_data = lambda data, now: [(bytes(data), now)]
    engine.data_to_send = lambda: batches.pop(0)
    engine.next_deadline = lambda: 5.0
    engine.is_followed = False
    link.data_received(HELLO)
    assert link.calls == ["hello"]
    link.calls.clear()
    engine.is_followed = True
    link.waiters.who.append("somebody")
    link.data_received(HELLO)
    assert link.calls == [("note", (HELLO, NOW)), "wake", 5.0]
    assert link.transport.written == [b"first"]
    link._due = []
    link.data_received(HELLO)
    assert link._due == [link]


class Told:
    """A listener and a peer in one, who notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def received(self, ws: object, message: object) -> None:
        assert ws is self
        if message == b"bad":
            raise ZeroDivisionError("no good")
        self.calls.append(message)

    def note(self, event: object) -> None:
        self.calls.append(("note", event))

    def fail(self, error: Exception, words: str) -> None:
        self.calls.append((repr(error), words))


def test_messages_of_each_kind_are_handed_on_one_by_one_and_other_events_noted(twin: Twin) -> None:
    told, part, ping = Told(), Fragment("part", final=False), Ping(b"?")
    twin.delivery(told, told, "it raised").deliver(["text", b"bytes", ping, part])
    assert told.calls == ["text", b"bytes", ("note", ping), part]


def test_what_a_listener_raises_is_told_and_the_next_message_handed_on(twin: Twin) -> None:
    told = Told()
    twin.delivery(told, told, "it raised").deliver([b"bad", "next"])
    assert told.calls == [("ZeroDivisionError('no good')", "it raised"), "next"]


def test_what_is_no_exception_of_an_application_leaves_a_delivery(twin: Twin) -> None:
    class Leaving(Told):
        def received(self, ws: object, message: object) -> None:
            raise KeyboardInterrupt

    told = Leaving()
    with pytest.raises(KeyboardInterrupt):
        twin.delivery(told, told, "it raised").deliver(["text"])
    assert told.calls == []


def test_a_listener_may_change_its_method_between_messages(twin: Twin) -> None:
    class InTwoStages(Told):
        def received(self, ws: object, message: object) -> None:
            super().received(ws, message)
            vars(self)["received"] = self.received_later

        def received_later(self, _: object, message: object) -> None:
            self.calls.append(("later", message))

    told = InTwoStages()
    twin.delivery(told, told, "it raised").deliver(["first", "second"])
    assert told.calls == ["first", ("later", "second")]


def test_messages_are_gathered_and_the_peer_is_told_what_else_there_is(twin: Twin, engine: Any) -> None:
    told, ping = Told(), Ping(b"")
    twin.gathering(engine, told).deliver(["text", ping, b"bytes"])
    assert told.calls == [("note", ping)]
    assert [engine.message_at_hand(), engine.message_at_hand(), engine.message_at_hand()] == ["text", b"bytes", None]


def test_who_follows_an_engine_gathers_instead(twin: Twin, engine: Any) -> None:
    told, ping = Told(), Ping(b"")
    engine.is_followed = True
    engine.gather = lambda events: [ping]
    twin.gathering(engine, told).deliver(["text"])
    assert told.calls == [("note", ping)]
